# A worker that pulls, in Python 3. Numbers: integers of any size.
import json, os, time, urllib.error, urllib.request

def call(path, body):
    request = urllib.request.Request(os.environ.get("LONGSHORE_URL", "http://127.0.0.1:8080") + path,
                                     json.dumps(body).encode(), {"content-type": "application/json"})
    while True:
        try:
            return json.load(urllib.request.urlopen(request, timeout=30))["data"]
        except Exception as error:  # 409: too late, somebody else has the task; else the server is away
            if isinstance(error, urllib.error.HTTPError) and error.code == 409: return None
            time.sleep(1)

while True:
    for task in call("/v1/leases", {"kinds": ["conformance"], "max": 10, "wait": "20s", "worker": "python"})["tasks"]:
        work, end, told = task["payload"], "complete", {}  # from here on it is your own work
        if work["do"] == "return": told = {"result": work["value"]}
        if work["do"] == "sleep": time.sleep(work["ms"] / 1000)
        if work["do"] == "fail": end, told = "fail", {"error": {"class": work["class"], "message": work.get("message")}}
        call(f"/v1/leases/{task['lease']}/{end}", told)
