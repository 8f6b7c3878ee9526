#!/bin/sh
# A worker that pulls, with curl and jq. jq before 1.7 rounds large numbers, so a value that is only passed on is cut out
# as text; this relies on the order of the fields that the server sends, and on one task at a time.
call() { # call PATH [FLAG]: what is on stdin; a 409 is fine: too late, nothing was changed
  curl -s $2 --max-time 30 -H 'content-type: application/json' --data-binary @- "${LONGSHORE_URL:-http://127.0.0.1:8080}$1"
}
while :; do
  answer=$(echo '{"kinds":["conformance"],"max":1,"wait":"20s","worker":"sh"}' | call /v1/leases -f) || { sleep 1; continue; }
  eval "$(printf %s "$answer" | jq -r '"lease= work= seconds= error=", (.data.tasks[] | .payload as {$do, $ms, $class, $message}
    | @sh "lease=\(.lease) work=\($do) seconds=\(($ms // 0) / 1000) error=\({error: {$class, $message}} | tojson)")')"
  case $work in # from here on it is your own work
    return) end=complete value=${answer#*'"value":'} told="{\"result\":${value%\},\"attempt\":*}}" ;;
    sleep) end=complete told='{}'; sleep "$seconds" ;;
    fail) end=fail told=$error ;;
    *) continue ;;
  esac
  until printf %s "$told" | call "/v1/leases/$lease/$end" >/dev/null; do sleep 1; done
done
