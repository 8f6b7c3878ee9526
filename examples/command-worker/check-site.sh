#!/bin/sh
# Looks whether a site answers. The payload is its URL; the result, how it answered and how fast.
#
# A worker in any language is like this: the payload comes on stdin, the result goes to stdout, what
# is written to stderr is the error's text, and the exit code says what follows.
set -eu

payload=$(cat)
case $payload in
    \"http://*\" | \"https://*\") ;;
    *)
        echo "the payload must be a URL, such as \"https://example.org\"" >&2
        exit 65 # bad data: straight to the dead letters
        ;;
esac
url=${payload#\"}
url=${url%\"}

# What curl exits with is what we exit with: 0 is a success, for 3 the configuration has a rule, others
# are tried again.
exec curl --silent --show-error --fail --globoff --max-time 10 --output /dev/null \
    --user-agent "check-site ($LONGSHORE_TASK_ID, attempt $LONGSHORE_ATTEMPT)" \
    --write-out '{"status":%{http_code},"seconds":%{time_total}}' -- "$url"
