#!/bin/sh
# Writes an invoice: the payload comes on stdin, the result goes to stdout.
set -eu

order=$(cat)
printf '{"invoice":"%s","order":%s}' "$LONGSHORE_TASK_ID" "$order"
