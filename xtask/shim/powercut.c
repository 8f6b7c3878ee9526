/* Stable storage, modelled: a library to preload, for the power-cut proofs.
 *
 * Everything a program does to the files below POWERCUT_DIR is done for real and, in the order in
 * which it happened, told in the journal POWERCUT_JOURNAL (which lies outside that directory): what
 * was written where, and which syncs completed. From the journal the tests compute what a disk
 * could hold after the power went away (crates/longshore-cli/tests/proof/disk.rs).
 *
 * A journal is a row of records: the header below (little endian, packed), then `path_len` bytes of
 * path, `to_len` bytes of a second path, `data_len` bytes of data. Paths are relative to
 * POWERCUT_DIR; "" is that directory itself. A sync is told twice, when it begins and when it has
 * completed: it covers what was written before it began, and nothing is promised before it completes.
 *
 * Faults, each for the files whose name ends with POWERCUT_FAIL_MATCH (all, if it is not set):
 *   POWERCUT_FAIL_FSYNC=N   the N-th sync fails with EIO; later ones "succeed", as on Linux
 *   POWERCUT_FAIL_STICKY=1  ... or fail as well
 *   POWERCUT_TORN_WRITE=N   of the N-th write only the first half is done, then the process dies
 *   POWERCUT_FULL=PATH      while the file PATH exists the disk is full, for all files: they grow only
 *                           by as much as others were made shorter or removed since (ENOSPC else)
 *
 * Left out on purpose: SQLite's "-shm" files (mapped, rebuilt at start), mapped writes, io_uring and
 * programs that enter the kernel without libc. O_APPEND and the file position are understood.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum op {
    OP_OPEN = 1,   /* path is known as `inode` from now on; offset 1: it was created by this */
    OP_WRITE,      /* data at offset */
    OP_TRUNCATE,   /* size = offset */
    OP_ALLOCATE,   /* size is at least offset */
    OP_UNLINK,     /* path; of a directory too */
    OP_RENAME,     /* path -> to */
    OP_MKDIR,      /* path */
    OP_SYNC_BEGIN, /* of `inode`; a directory is told by its path, and offset is 1 */
    OP_SYNC_DONE,
    OP_SYNC_FAILED,
};

struct __attribute__((packed)) record {
    uint32_t magic;
    uint32_t op;
    uint64_t inode;
    uint64_t offset;
    uint64_t sync; /* number of the sync, for the three OP_SYNC_* */
    uint32_t path_len, to_len, data_len;
    uint32_t zero;
};
#define MAGIC 0x54554350u /* "PCUT" */

/* What we know about an open descriptor. `path` is empty for those that are none of our business. */
struct file {
    char *path; /* relative to the directory, owned */
    uint64_t inode;
    int directory;
};

#define MAX_FD 65536
static struct file files[MAX_FD];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_len;
static int journal = -1;
static const char *fail_match;
static long fail_fsync, torn_write, syncs_seen, writes_seen;
static int fail_sticky;
static const char *full_flag;
static struct timespec full_since;
static off_t spare; /* bytes given back since the disk was full */
static uint64_t next_sync;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) abort();
    return symbol;
}

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void start(void) {
    const char *dir = getenv("POWERCUT_DIR"), *to = getenv("POWERCUT_JOURNAL");
    if (!dir || !to || !realpath(dir, root)) return;
    root_len = strlen(root);
    fail_match = getenv("POWERCUT_FAIL_MATCH");
    fail_fsync = number("POWERCUT_FAIL_FSYNC");
    fail_sticky = number("POWERCUT_FAIL_STICKY") != 0;
    torn_write = number("POWERCUT_TORN_WRITE");
    full_flag = getenv("POWERCUT_FULL");
    next_sync = (uint64_t)getpid() << 32; /* unique over restarts that share a journal */
    journal = REAL(open)(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) {
        fprintf(stderr, "powercut: cannot open %s: %s\n", to, strerror(errno));
        _exit(97);
    }
}

/* ---- what is below the directory ------------------------------------------------------------ */

/* The path relative to the directory, as a new string; NULL if it lies elsewhere or is a "-shm". */
static char *inside(int dirfd, const char *path) {
    char whole[PATH_MAX * 2], found[PATH_MAX];
    const char *name = "";
    if (journal < 0 || !path || !*path) return NULL;
    snprintf(whole, sizeof whole, "%s", path);
    if (path[0] != '/' && dirfd != AT_FDCWD) {
        char link[64], base[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
        ssize_t n = readlink(link, base, sizeof base);
        if (n < 0) return NULL;
        snprintf(whole, sizeof whole, "%.*s/%s", (int)n, base, path);
    }
    if (!realpath(whole, found)) { /* it is not there (yet): then its parent must be */
        char *slash = strrchr(whole, '/');
        name = slash ? slash + 1 : whole;
        const char *parent = !slash ? "." : slash == whole ? "/" : whole;
        if (slash && slash != whole) *slash = 0;
        char *copied = strdup(name);
        const char *there = realpath(parent, found);
        snprintf(whole, sizeof whole, "%s", copied);
        free(copied);
        if (!there) return NULL;
        name = whole;
    }
    if (strncmp(found, root, root_len) != 0) return NULL;
    if (found[root_len] != 0 && found[root_len] != '/') return NULL;
    const char *folder = found[root_len] ? found + root_len + 1 : "";
    char *result;
    if (asprintf(&result, "%s%s%s", folder, *folder && *name ? "/" : "", name) < 0) abort();
    size_t len = strlen(result);
    if (len >= 4 && strcmp(result + len - 4, "-shm") == 0) {
        free(result);
        return NULL;
    }
    return result;
}

static struct file *known(int fd) {
    return journal >= 0 && fd >= 0 && fd < MAX_FD && files[fd].path ? &files[fd] : NULL;
}

static int matches(const struct file *file) {
    if (!fail_match) return 1;
    size_t len = strlen(file->path), end = strlen(fail_match);
    return len >= end && strcmp(file->path + len - end, fail_match) == 0;
}

/* ---- the journal; the lock is held ---------------------------------------------------------- */

static void tell_sync(enum op op, uint64_t inode, uint64_t offset, uint64_t sync, const char *path,
                      const char *to, const void *data, size_t len) {
    struct record r = {MAGIC, op, inode, offset, sync, path ? strlen(path) : 0, to ? strlen(to) : 0, len, 0};
    struct iovec parts[4] = {{&r, sizeof r}, {(void *)path, r.path_len}, {(void *)to, r.to_len}, {(void *)data, len}};
    size_t want = sizeof r + r.path_len + r.to_len + len;
    int saved = errno;
    if (REAL(writev)(journal, parts, 4) != (ssize_t)want) {
        fprintf(stderr, "powercut: the journal cannot be written: %s\n", strerror(errno));
        _exit(97);
    }
    errno = saved;
}

static void tell(enum op op, uint64_t inode, uint64_t offset, const char *path, const char *to,
                 const void *data, size_t len) {
    tell_sync(op, inode, offset, 0, path, to, data, len);
}

static void forget(int fd) {
    if (fd >= 0 && fd < MAX_FD && files[fd].path) {
        free(files[fd].path);
        files[fd] = (struct file){0};
    }
}

static void copy(int from, int to) {
    if (to < 0 || to >= MAX_FD || from == to) return;
    forget(to);
    if (!known(from)) return;
    files[to] = files[from];
    files[to].path = strdup(files[from].path);
}

/* ---- a full disk; the lock is held ---------------------------------------------------------- */

static int is_full(void) {
    struct stat st;
    int saved = errno, full = full_flag && stat(full_flag, &st) == 0;
    errno = saved;
    if (full) full_since = st.st_mtim;
    else spare = 0;
    return full;
}

/* Whether the open file may reach as far as `end`; what it grows by is taken from what is spare. */
static int has_space(int fd, off_t end) {
    struct stat st;
    if (!is_full() || fstat(fd, &st) != 0 || end <= st.st_size) return 1;
    if (end - st.st_size > spare) return 0;
    spare -= end - st.st_size;
    return 1;
}

/* A file became this much shorter, or was removed. What it got since the disk was full, by calls that
 * we do not see, does not count. */
static void give_back(const struct stat *before, off_t bytes) {
    if (bytes <= 0 || !is_full()) return;
    const struct timespec *written = &before->st_mtim;
    if (written->tv_sec < full_since.tv_sec ||
        (written->tv_sec == full_since.tv_sec && written->tv_nsec <= full_since.tv_nsec))
        spare += bytes;
}

/* ---- open and close ------------------------------------------------------------------------- */

static int opened(int dirfd, const char *path, int flags, mode_t mode) {
    int (*openat_)(int, const char *, int, ...) = REAL(openat);
    char *name = (flags & O_PATH) ? NULL : inside(dirfd, path);
    if (!name) return openat_(dirfd, path, flags, mode);

    pthread_mutex_lock(&lock);
    struct stat st;
    int existed = fstatat(dirfd, path, &st, 0) == 0;
    int fd = openat_(dirfd, path, flags, mode);
    if (fd >= 0 && fd < MAX_FD && fstat(fd, &st) == 0) {
        forget(fd);
        files[fd] = (struct file){name, st.st_ino, S_ISDIR(st.st_mode)};
        if (!files[fd].directory) {
            tell(OP_OPEN, st.st_ino, !existed, name, NULL, NULL, 0);
            if (existed && (flags & O_TRUNC)) tell(OP_TRUNCATE, st.st_ino, 0, NULL, NULL, NULL, 0);
        }
        name = NULL;
    }
    pthread_mutex_unlock(&lock);
    free(name);
    return fd;
}

static mode_t mode_of(int flags, va_list args) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}
#define OPENS(name, dirfd, ...)                             \
    int name(__VA_ARGS__, int flags, ...) {                 \
        va_list args;                                       \
        va_start(args, flags);                              \
        mode_t mode = mode_of(flags, args);                 \
        va_end(args);                                       \
        return opened(dirfd, path, flags, mode);            \
    }
OPENS(open, AT_FDCWD, const char *path)
OPENS(open64, AT_FDCWD, const char *path)
OPENS(openat, dirfd, int dirfd, const char *path)
OPENS(openat64, dirfd, int dirfd, const char *path)
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    pthread_mutex_lock(&lock);
    forget(fd);
    pthread_mutex_unlock(&lock);
    return REAL(close)(fd);
}

static int duplicated(int from, int to) {
    pthread_mutex_lock(&lock);
    copy(from, to);
    pthread_mutex_unlock(&lock);
    return to;
}
int dup(int fd) { return duplicated(fd, REAL(dup)(fd)); }
int dup2(int fd, int to) { return duplicated(fd, REAL(dup2)(fd, to)); }
int dup3(int fd, int to, int flags) { return duplicated(fd, REAL(dup3)(fd, to, flags)); }

#define FCNTL(name)                                                                                  \
    int name(int fd, int cmd, ...) {                                                                 \
        va_list args;                                                                                \
        va_start(args, cmd);                                                                         \
        void *arg = va_arg(args, void *);                                                            \
        va_end(args);                                                                                \
        int result = REAL(name)(fd, cmd, arg);                                                       \
        return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? duplicated(fd, result) : result;           \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/* ---- writes --------------------------------------------------------------------------------- */

/* Writes at `offset`, or where the file stands if that is negative; the lock is held. */
static ssize_t write_at(int fd, struct file *file, const void *data, size_t len, off_t offset) {
    off_t at = offset;
    if (offset < 0) {
        struct stat st;
        int append = REAL(fcntl)(fd, F_GETFL) & O_APPEND;
        at = append && fstat(fd, &st) == 0 ? st.st_size : lseek(fd, 0, SEEK_CUR);
    }
    if (!has_space(fd, at + (off_t)len)) {
        errno = ENOSPC;
        return -1;
    }
    int torn = torn_write && matches(file) && ++writes_seen == torn_write;
    if (torn) len = len > 1024 ? len / 2 / 512 * 512 : len / 2;
    ssize_t n = offset < 0 ? REAL(write)(fd, data, len) : REAL(pwrite)(fd, data, len, offset);
    if (n > 0) tell(OP_WRITE, file->inode, at, NULL, NULL, data, n);
    if (torn) {
        kill(getpid(), SIGKILL);
        pause();
    }
    return n;
}

#define WRITES(fd, data, len, offset, otherwise)                         \
    do {                                                                 \
        pthread_mutex_lock(&lock);                                       \
        struct file *file = known(fd);                                   \
        ssize_t n = file ? write_at(fd, file, data, len, offset) : 0;    \
        pthread_mutex_unlock(&lock);                                     \
        return file ? n : otherwise;                                     \
    } while (0)
ssize_t write(int fd, const void *data, size_t len) { WRITES(fd, data, len, -1, REAL(write)(fd, data, len)); }
ssize_t pwrite(int fd, const void *data, size_t len, off_t at) { WRITES(fd, data, len, at, REAL(pwrite)(fd, data, len, at)); }
ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at) { WRITES(fd, data, len, at, REAL(pwrite64)(fd, data, len, at)); }

/* Piece by piece: a short write of one piece ends it, as the contract allows. */
static ssize_t write_parts(int fd, struct file *file, const struct iovec *parts, int count, off_t offset) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t n = write_at(fd, file, parts[i].iov_base, parts[i].iov_len, offset < 0 ? -1 : offset + total);
        if (n < 0) return total ? total : n;
        total += n;
        if ((size_t)n < parts[i].iov_len) break;
    }
    return total;
}
#define WRITES_PARTS(fd, parts, count, offset, otherwise)                      \
    do {                                                                       \
        pthread_mutex_lock(&lock);                                             \
        struct file *file = known(fd);                                         \
        ssize_t n = file ? write_parts(fd, file, parts, count, offset) : 0;    \
        pthread_mutex_unlock(&lock);                                           \
        return file ? n : otherwise;                                           \
    } while (0)
ssize_t writev(int fd, const struct iovec *parts, int count) { WRITES_PARTS(fd, parts, count, -1, REAL(writev)(fd, parts, count)); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { WRITES_PARTS(fd, parts, count, at, REAL(pwritev)(fd, parts, count, at)); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { WRITES_PARTS(fd, parts, count, at, REAL(pwritev64)(fd, parts, count, at)); }

/* ---- sizes ---------------------------------------------------------------------------------- */

/* Runs `call`, and tells `op` if it answered 0; on a full disk it is `refused` if the file would grow. */
#define SIZES(fd, op, size, refused, call)                                            \
    do {                                                                              \
        pthread_mutex_lock(&lock);                                                    \
        struct file *file = known(fd);                                                \
        int result = file && !has_space(fd, size) ? refused : call;                   \
        if (file && result == 0) tell(op, file->inode, size, NULL, NULL, NULL, 0);    \
        pthread_mutex_unlock(&lock);                                                  \
        return result;                                                                \
    } while (0)
static int no_space(void) {
    errno = ENOSPC;
    return -1;
}
static int truncated(int fd, off_t size) {
    struct stat before;
    int found = fstat(fd, &before) == 0;
    int result = REAL(ftruncate)(fd, size);
    if (found && result == 0 && known(fd)) give_back(&before, before.st_size - size);
    return result;
}
int ftruncate(int fd, off_t size) { SIZES(fd, OP_TRUNCATE, size, no_space(), truncated(fd, size)); }
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
int posix_fallocate(int fd, off_t at, off_t len) { SIZES(fd, OP_ALLOCATE, at + len, ENOSPC, REAL(posix_fallocate)(fd, at, len)); }
int posix_fallocate64(int fd, off64_t at, off64_t len) { return posix_fallocate(fd, at, len); }
/* With FALLOC_FL_KEEP_SIZE (1) the size stays; the other modes punch holes and are not used here. */
int fallocate(int fd, int mode, off_t at, off_t len) { SIZES(fd, OP_ALLOCATE, mode ? 0 : at + len, no_space(), REAL(fallocate)(fd, mode, at, len)); }
int fallocate64(int fd, int mode, off64_t at, off64_t len) { return fallocate(fd, mode, at, len); }

int truncate(const char *path, off_t size) {
    char *name = inside(AT_FDCWD, path);
    struct stat st;
    pthread_mutex_lock(&lock);
    int result = REAL(truncate)(path, size);
    if (name && result == 0 && stat(path, &st) == 0) {
        tell(OP_OPEN, st.st_ino, 0, name, NULL, NULL, 0);
        tell(OP_TRUNCATE, st.st_ino, size, NULL, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    free(name);
    return result;
}
int truncate64(const char *path, off64_t size) { return truncate(path, size); }

/* ---- syncs ---------------------------------------------------------------------------------- */

/* Not under the lock while it lasts: what is written meanwhile is simply not covered. */
static int synced(int fd, int (*sync_)(int)) {
    pthread_mutex_lock(&lock);
    struct file *file = known(fd);
    if (!file) {
        pthread_mutex_unlock(&lock);
        return sync_(fd);
    }
    uint64_t id = ++next_sync, inode = file->inode, directory = file->directory;
    char *path = strdup(file->path);
    int fails = 0;
    if (fail_fsync && !file->directory && matches(file)) {
        syncs_seen++;
        fails = fail_sticky ? syncs_seen >= fail_fsync : syncs_seen == fail_fsync;
    }
    tell_sync(OP_SYNC_BEGIN, inode, directory, id, path, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);

    int result = fails ? -1 : sync_(fd);
    int error = fails ? EIO : errno;

    pthread_mutex_lock(&lock);
    tell_sync(result == 0 ? OP_SYNC_DONE : OP_SYNC_FAILED, inode, directory, id, path, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    free(path);
    errno = error;
    return result;
}
int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }
/* sync_file_range promises nothing about metadata or the disk's cache: it is passed on, not told. */

/* ---- names ---------------------------------------------------------------------------------- */

static int unlinked(int dirfd, const char *path, int flags) {
    char *name = inside(dirfd, path);
    struct stat before;
    pthread_mutex_lock(&lock);
    int found = name && fstatat(dirfd, path, &before, AT_SYMLINK_NOFOLLOW) == 0;
    int result = REAL(unlinkat)(dirfd, path, flags);
    if (name && result == 0) {
        tell(OP_UNLINK, 0, 0, name, NULL, NULL, 0);
        if (found) give_back(&before, before.st_size);
    }
    pthread_mutex_unlock(&lock);
    free(name);
    return result;
}
int unlink(const char *path) { return unlinked(AT_FDCWD, path, 0); }
int unlinkat(int dirfd, const char *path, int flags) { return unlinked(dirfd, path, flags); }
int rmdir(const char *path) { return unlinked(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    struct stat st;
    return unlinked(AT_FDCWD, path, lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
}

static int renamed(int fromfd, const char *from, int tofd, const char *to) {
    char *old = inside(fromfd, from), *new = inside(tofd, to);
    struct stat st;
    pthread_mutex_lock(&lock);
    int result = REAL(renameat)(fromfd, from, tofd, to);
    if (result == 0 && (old || new)) {
        if (!old || !new) { /* in or out of the directory: more than the model can tell */
            fprintf(stderr, "powercut: %s was moved over the border of %s\n", from, root);
            _exit(97);
        }
        if (fstatat(tofd, to, &st, 0) == 0) tell(OP_RENAME, st.st_ino, 0, old, new, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    free(old);
    free(new);
    return result;
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int fromfd, const char *from, int tofd, const char *to) { return renamed(fromfd, from, tofd, to); }

static int made(int dirfd, const char *path, mode_t mode) {
    char *name = inside(dirfd, path);
    pthread_mutex_lock(&lock);
    int result = REAL(mkdirat)(dirfd, path, mode);
    if (name && result == 0) tell(OP_MKDIR, 0, 0, name, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    free(name);
    return result;
}
int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int dirfd, const char *path, mode_t mode) { return made(dirfd, path, mode); }
