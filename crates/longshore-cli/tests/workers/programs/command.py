"""A command that runs one task. With an argument it is bad in that way."""
import json, sys, time

BAD = sys.argv[1:]
work = json.load(sys.stdin)
if work["do"] == "sleep":
    time.sleep(work["ms"] / 1000)
if work["do"] == "fail":
    print(work.get("message", ""), file=sys.stderr)
    sys.exit(65 if work["class"] == "bad_data" or "final" in BAD else 75)
json.dump(work.get("value"), sys.stdout)
