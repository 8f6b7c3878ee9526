#!/bin/sh
# Starts `longshore serve` on a free port and a folder that goes away, submits four tasks, and prints
# what became of each as a line of JSON. Usage: run.sh [PROGRAM]; the program is `longshore`, from the
# PATH, unless given.
set -eu
longshore=${1:-longshore}
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
server=

stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" || true # it drains first
    fi
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

"$longshore" serve --config "$here/longshore.yaml" --listen 127.0.0.1:0 --data "$folder/data" \
    2>"$folder/log" &
server=$!

# It says where it listens once it is ready.
url=
for _ in $(seq 200); do
    url=$(sed -n 's|.*is ready: \(http://[^ ]*\) .*|\1|p' "$folder/log")
    if [ -n "$url" ]; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
done
if [ -z "$url" ]; then
    echo "run.sh: the service did not start:" >&2
    cat "$folder/log" >&2
    exit 1
fi

# Submits a task, waits for its end, and prints it.
check() {
    curl --silent --show-error --fail-with-body --max-time 40 "$url/v1/tasks?wait=30s" \
        -H 'content-type: application/json' -H 'accept: application/vnd.longshore+json' \
        -d "{\"kind\":\"site.check\",\"payload\":$1}"
    echo
}

check "\"$url/livez\""            # it is up
check '"http://127.0.0.1:1/away"' # nobody listens there: tried twice
check '"http://[malformed"'       # curl exits with 3: dead at once, by the configuration
check '{"site":"example.org"}'    # our own 65: bad data, dead at once
