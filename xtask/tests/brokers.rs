//! `cargo xtask brokers`, with servers that it starts in a folder of the test's own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use longshore_conformance::postgres;

mod brokers {
    use longshore_servers::Postgres;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Output};
    use tempfile::TempDir;

    /// A folder of servers, which are stopped when it goes.
    struct Yard {
        folder: TempDir,
    }

    impl Yard {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            // Servers of root's run as somebody else, who has to get here.
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(folder.path(), open).unwrap();
            Self { folder }
        }

        fn call(&self, args: &str) -> Output {
            Command::new(env!("CARGO_BIN_EXE_xtask"))
                .arg("brokers")
                .args(args.split_whitespace())
                .env("LONGSHORE_BROKERS_DIR", self.folder.path())
                .output()
                .unwrap()
        }

        /// What a call that works prints.
        fn must(&self, args: &str) -> String {
            let output = self.call(args);
            assert!(output.status.success(), "{args}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        }

        /// Starts the server; returns its address.
        fn up(&self) -> String {
            let printed = self.must("up postgres");
            let (name, url) = printed.trim().split_once(' ').unwrap();
            assert_eq!(name, "postgres");
            url.trim().to_owned()
        }

        fn postgres(&self) -> std::path::PathBuf {
            self.folder.path().join("postgres")
        }

        fn note(&self) -> String {
            std::fs::read_to_string(self.postgres().join("instance.json")).unwrap()
        }
    }

    impl Drop for Yard {
        fn drop(&mut self) {
            self.call("down --purge");
        }
    }

    fn ask(url: &str, sql: &str) -> Output {
        let psql = Postgres::installed().unwrap().program("psql");
        Command::new(psql).args(["-XAtq", "-c", sql, url]).output().unwrap()
    }

    fn answer(url: &str, sql: &str) -> String {
        let output = ask(url, sql);
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A process that has ended and that nobody asked about has a number still.
    fn runs(pid: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, rest)| &rest[..1]);
        !matches!(state, None | Some("Z" | "X"))
    }

    fn pid(note: &str) -> u32 {
        let line = note.lines().find(|line| line.contains("\"pid\"")).unwrap();
        line.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
    }

    pub(crate) async fn up_twice_is_one_server_that_can_be_used() {
        let yard = Yard::new();
        let first = yard.up();
        let note = yard.note();
        let second = yard.up();
        assert_eq!(first, second);
        assert_eq!(note, yard.note());
        assert_eq!(answer(&first, "SHOW fsync"), "on");
        let status = yard.must("status");
        let words: Vec<&str> = status.split_whitespace().collect();
        assert_eq!(words[..3], ["postgres", "running", &first]);
        assert!(answer(&first, "SHOW server_version").starts_with(words[3]), "{status}");
    }

    pub(crate) async fn a_server_holds_no_lock_of_whoever_called_up() {
        let yard = Yard::new();
        let lock = yard.folder.path().join("somebodys-lock");
        let called = Command::new("sh")
            .args(["-c", "exec \"$0\" brokers up 3>\"$1\"", env!("CARGO_BIN_EXE_xtask")])
            .arg(&lock)
            .env("LONGSHORE_BROKERS_DIR", yard.folder.path())
            .output() // which waits, as long as somebody holds its end of a pipe
            .unwrap();
        assert!(called.status.success(), "{called:?}");
        let files = std::fs::read_dir(format!("/proc/{}/fd", pid(&yard.note()))).unwrap();
        let held: Vec<_> =
            files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
        assert!(held.contains(&yard.postgres().join("log")), "{held:?}");
        assert!(!held.contains(&lock), "{held:?}");
    }

    pub(crate) async fn down_keeps_the_data_and_the_address() {
        let yard = Yard::new();
        let url = yard.up();
        answer(&url, "CREATE TABLE kept (what text); INSERT INTO kept VALUES ('this')");
        assert!(yard.must("down").contains("its data kept"));
        assert!(!ask(&url, "SELECT 1").status.success());
        assert!(yard.must("status").contains("stopped"));
        assert!(yard.must("down").contains("its data kept"));
        assert_eq!(yard.up(), url);
        assert_eq!(answer(&url, "SELECT what FROM kept"), "this");
    }

    pub(crate) async fn a_killed_server_is_started_again_on_its_data() {
        let yard = Yard::new();
        let url = yard.up();
        answer(&url, "CREATE TABLE kept (what text); INSERT INTO kept VALUES ('this')");
        let killed = pid(&yard.note());
        let status = Command::new("sh").args(["-c", &format!("kill -9 {killed}")]).status();
        assert!(status.unwrap().success());
        while runs(killed) {
            std::thread::yield_now();
        }
        assert!(yard.must("status").contains("stopped"));
        assert_eq!(yard.up(), url);
        assert_ne!(pid(&yard.note()), killed);
        assert_eq!(answer(&url, "SELECT what FROM kept"), "this");
    }

    pub(crate) async fn purge_removes_what_was_started_here_and_nothing_else() {
        let yard = Yard::new();
        let beside = yard.folder.path().join("beside");
        std::fs::write(&beside, "mine").unwrap();
        yard.up();
        let server = pid(&yard.note());
        assert!(yard.must("down --purge").contains("its data removed"));
        assert!(!runs(server));
        assert!(!yard.postgres().exists());
        assert!(beside.exists());
        std::fs::create_dir(yard.postgres()).unwrap();
        assert!(yard.must("down --purge").contains("never started"));
        assert!(yard.postgres().exists(), "a folder without a note is not ours");
    }

    pub(crate) async fn a_process_that_took_over_the_number_is_left_alone() {
        let yard = Yard::new();
        yard.up();
        let server = pid(&yard.note());
        yard.must("down");
        let mut other = Command::new("sleep").arg("600").spawn().unwrap();
        let note = yard.note().replace("\"pid\": null", &format!("\"pid\": {}", other.id()));
        let note = note.replace("\"started\": null", "\"started\": 1");
        assert_eq!(pid(&note), other.id(), "the note of process {server} was not changed");
        std::fs::write(yard.postgres().join("instance.json"), note).unwrap();
        yard.must("down");
        let ended = other.try_wait().unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(ended, None);
    }

    pub(crate) async fn what_docker_started_stays_with_docker() {
        let yard = Yard::new();
        // A stand-in that writes down what it is asked.
        let programs = yard.folder.path().join("programs");
        let asked = yard.folder.path().join("asked");
        std::fs::create_dir(&programs).unwrap();
        let docker = programs.join("docker");
        let script = format!(
            "#!/bin/sh\necho \"$LONGSHORE_POSTGRES_PORT $*\" >> '{}'\n\
             case \"$*\" in *' config '*) echo postgres:17.6;; esac\n",
            asked.display()
        );
        std::fs::write(&docker, script).unwrap();
        std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(yard.postgres()).unwrap();
        let port = longshore_servers::free_port().unwrap();
        let note = format!(r#"{{"port": {port}, "version": "17.6", "by": "docker"}}"#);
        std::fs::write(yard.postgres().join("instance.json"), note).unwrap();

        let path = std::env::var("PATH").unwrap();
        for args in [&["up", "postgres"][..], &["down", "--purge", "postgres"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
                .arg("brokers")
                .args(args)
                .env("LONGSHORE_BROKERS_DIR", yard.folder.path())
                .env("PATH", format!("{}:{path}", programs.display()))
                .output()
                .unwrap();
            assert!(output.status.success(), "{args:?}: {output:?}");
        }
        let asked = std::fs::read_to_string(asked).unwrap();
        let project = asked.split("--project-name ").nth(1).unwrap().split(' ').next().unwrap();
        assert!(asked.lines().all(|call| call.contains(project)), "{asked}");
        let called = |end: &str| asked.lines().any(|call| call.ends_with(end));
        let up = "deploy/compose.yaml up --detach --wait --quiet-pull postgres";
        assert!(called(up) && asked.contains(&format!("{port} compose")), "{asked}");
        assert!(called("deploy/compose.yaml rm --force --stop --volumes postgres"), "{asked}");
        assert!(called(&format!("volume rm --force {project}_postgres")), "{asked}");
        assert!(!yard.postgres().exists());
    }

    pub(crate) async fn a_server_that_does_not_start_shows_its_log() {
        let yard = Yard::new();
        yard.up();
        yard.must("down");
        std::fs::write(yard.postgres().join("data/PG_VERSION"), "8\n").unwrap();
        let output = yard.call("up postgres");
        assert!(!output.status.success());
        let told = String::from_utf8(output.stderr).unwrap();
        for part in ["did not start", "FATAL", "brokers down --purge postgres"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}

fn nothing_after() {}

longshore_conformance::needy_tests!(needs: postgres::startable, [
    brokers::up_twice_is_one_server_that_can_be_used,
    brokers::a_server_holds_no_lock_of_whoever_called_up,
    brokers::down_keeps_the_data_and_the_address,
    brokers::a_killed_server_is_started_again_on_its_data,
    brokers::purge_removes_what_was_started_here_and_nothing_else,
    brokers::a_process_that_took_over_the_number_is_left_alone,
    brokers::what_docker_started_stays_with_docker,
    brokers::a_server_that_does_not_start_shows_its_log,
], after: nothing_after);
