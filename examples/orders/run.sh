#!/bin/sh
# Starts `longshore serve` on a free port and a folder that goes away, publishes orders, submits an
# invoice, and prints what became of them. Usage: run.sh [PROGRAM [BROKER]]; the program is
# `longshore`, from the PATH, and the broker the one of longshore.yaml unless given.
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

cp "$here"/*.sh "$folder"
broker=$(printf '%s' "${2:-embedded:}" | sed 's/[&|\\]/\\&/g') # as it is, for the next line
sed "s|url: \"embedded:\"|url: \"$broker\"|" "$here/longshore.yaml" >"$folder/longshore.yaml"

# It runs in the folder, wherever the program is named from.
case $longshore in
    */*) longshore=$(cd "$(dirname "$longshore")" && pwd)/$(basename "$longshore") ;;
esac
cd "$folder"
"$longshore" serve --listen 127.0.0.1:0 2>log &
server=$!

fail() {
    echo "run.sh: $1:" >&2
    cat log >&2
    exit 1
}

# It says where it listens once it is ready.
url=
for _ in $(seq 200); do
    url=$(sed -n 's|.*is ready: \(http://[^ ]*\) .*|\1|p' log)
    if [ -n "$url" ]; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
done
if [ -z "$url" ]; then fail "the service did not start"; fi

post() {
    curl --silent --show-error --fail-with-body --max-time 40 "$url$1" \
        -H 'content-type: application/json' -H 'accept: application/vnd.longshore+json' -d "$2"
}

# Who consumes may need a moment longer: the broker confirms each subscription.
for _ in $(seq 300); do
    if curl --silent --fail --output ready "$url/readyz?scope=consumers"; then break; fi
    sleep 0.1
done

post /v1/brokers/main/topics/orders.created/messages '{"payload":{"number":1}}' >published
post /v1/brokers/main/topics/orders.urgent/messages '{"payload":{"number":2}}' >published # tried twice
post /v1/brokers/main/topics/orders.created/messages '{"payload":"a joke"}' >published     # a dead letter
post '/v1/tasks?wait=30s' '{"kind":"invoice.write","payload":{"number":1}}'
echo

for _ in $(seq 300); do
    if [ -f shipped.txt ] && [ "$(wc -l <shipped.txt)" -ge 2 ]; then break; fi
    sleep 0.1
done
if [ "$(cat shipped.txt 2>/dev/null | wc -l)" -lt 2 ]; then fail "not everything was shipped"; fi
sort shipped.txt
