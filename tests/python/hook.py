"""A web hook: hook.py SECRET. Prints its port, then a line for each request: "good", "bad signature" or "elsewhere"."""

import hashlib
import hmac
import http.server
import sys

secret = sys.argv[1].encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/redirect":
            self.send_response(307)
            self.send_header("Location", f"http://localhost:{port}/elsewhere")
            self.end_headers()
            return
        if self.path == "/elsewhere":
            print("elsewhere", flush=True)
        else:
            parts = dict(part.split("=", 1) for part in self.headers["x-ssm-audit-signature"].split(","))
            wanted = hmac.new(secret, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
            print("good" if hmac.compare_digest(wanted, parts["v1"]) else "bad signature", flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
port = server.server_address[1]
print(port, flush=True)
server.serve_forever()
