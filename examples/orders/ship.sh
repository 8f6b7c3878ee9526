#!/bin/sh
# Ships an order: the payload comes on stdin, what else is known of the message in variables. How it
# exits decides what the broker is told.
set -eu

order=$(cat)
case $order in
    *'"number":'*) ;;
    *)
        echo "an order has a number, such as {\"number\":7}" >&2
        exit 65 # bad data: to the dead letters at once
        ;;
esac

# The first try fails, to show that there is a second.
if [ "$LONGSHORE_ATTEMPT" = 1 ] && [ "$LONGSHORE_TOPIC" = orders.urgent ]; then
    echo "no truck is there" >&2
    exit 75 # tried again after a pause
fi
echo "$LONGSHORE_TOPIC, attempt $LONGSHORE_ATTEMPT: $order" >>shipped.txt
