"""A worker that is pushed to. It prints its port; with an argument it is bad in that way."""
import hashlib, hmac, base64, json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BAD = sys.argv[1:]
KEY = base64.b64decode(os.environ.get("SECRET", "").removeprefix("whsec_"))

class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = b".".join([self.headers.get("webhook-id", "").encode(), self.headers.get("webhook-timestamp", "").encode(), body])
        right = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        if KEY and self.headers.get("webhook-signature") != right:
            return self.answer(401, {"error": "not signed"})
        work = json.loads(body)
        if work["do"] == "sleep":
            time.sleep(work["ms"] / 1000)
        if work["do"] == "fail" and "successful" not in BAD:
            return self.answer(422 if work["class"] == "bad_data" else 503, work.get("message"))
        self.answer(200, work.get("value"))

    def answer(self, status, value):
        text = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
