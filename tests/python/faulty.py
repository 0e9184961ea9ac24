"""Stands before a service and fails now and then: faulty.py TARGET SEED FAULTS

Prints its port. The first request is passed on and not answered at all. Of the next FAULTS requests each is, by chance,
answered with 500, throttled, or cut off with no answer; one in four of those cut off has been passed on before. The rest is
passed on.
"""

import http.client
import http.server
import random
import sys
import time
import urllib.parse

target, seed, faults = urllib.parse.urlparse(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance, seen = random.Random(seed), 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global seen
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen += 1
        is_silent = seen == 1
        fault = chance.choice(["500", "throttled", "cut"]) if seen <= faults else None
        if is_silent:
            fault = None
        if fault == "500":
            return self.answer(500, b"<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>")
        if fault == "throttled":
            return self.answer(400, b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>")
        if fault == "cut" and chance.random() > 0.25:
            return self.cut()
        upstream = http.client.HTTPConnection(target.hostname, target.port)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        upstream.request("POST", self.path, body, headers)
        response = upstream.getresponse()
        data = response.read()
        if is_silent:
            # Longer than anybody waits.
            time.sleep(40)
        if fault == "cut" or is_silent:
            return self.cut()
        self.answer(response.status, data, response.headers.get("Content-Type", "text/xml"))

    def answer(self, status, data, kind="text/xml"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def cut(self):
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
