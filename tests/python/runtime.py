"""Lambda's Runtime API for one function: runtime.py BINARY LOG [--seconds N] [--env NAME=VALUE …]

Takes an event a line on standard input, hands it to the function, and prints a line of JSON for each: the milliseconds it took,
those of them in which a processor was at it, `response` or `error`, and the body. The first line says how long it took until the function asked for its first event; the last
one says how much memory it had at most, in KiB. What the function prints goes into LOG.
"""

import argparse
import http.server
import json
import os
import queue
import subprocess
import sys
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("binary")
parser.add_argument("log")
parser.add_argument("--seconds", type=float, default=60)
parser.add_argument("--env", action="append", default=[])
args = parser.parse_args()
waiting, answers, asked = queue.Queue(), queue.Queue(), threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One segment for an answer, at once: else each waits for the other side's delayed acknowledgement.
    wbufsize, disable_nagle_algorithm = -1, True

    def do_GET(self):
        asked.set()
        number, event = waiting.get()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", f"request-{number}")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + args.seconds) * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:ssm-audit")
        self.send_header("Lambda-Runtime-Trace-Id", f"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage={number}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)
        self.wfile.flush()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) if "chunked" not in self.headers.get("Transfer-Encoding", "") else self.chunks()
        answers.put((self.path.rsplit("/", 1)[1], body, time.perf_counter()))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """The function is ended while it waits for an event."""


def processor(pid):
    """Milliseconds that a process has run, with the threads that ended: the clock that clock_getcpuclockid(3) tells."""
    return time.clock_gettime(~pid << 3 | 2) * 1000


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
environment = {
    **os.environ,
    **dict(pair.split("=", 1) for pair in args.env),
    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
    "AWS_LAMBDA_FUNCTION_NAME": "ssm-audit",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/ssm-audit",
    "AWS_LAMBDA_LOG_STREAM_NAME": "1",
}
with open(args.log, "w") as log:
    began = time.perf_counter()
    function = subprocess.Popen([args.binary], env=environment, stdout=log, stderr=log)
    while not asked.wait(0.0005):
        if function.poll() is not None:
            print(json.dumps({"exit": function.returncode}), flush=True)
            sys.exit(0)
    print(json.dumps({"ms_to_ready": (time.perf_counter() - began) * 1000}), flush=True)
    for number, line in enumerate(sys.stdin):
        ran = processor(function.pid)
        sent = time.perf_counter()
        waiting.put((number, line.encode()))
        try:
            kind, body, at = answers.get(timeout=args.seconds + 30)
        except queue.Empty:
            print(json.dumps({"ms": None, "kind": "no answer"}), flush=True)
            break
        text = body.decode()
        try:
            text = json.loads(text)
        except ValueError:
            pass
        print(json.dumps({"ms": (at - sent) * 1000, "cpu_ms": processor(function.pid) - ran, "kind": kind, "body": text}), flush=True)
    with open(f"/proc/{function.pid}/status") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    print(json.dumps({"peak_kib": int(peak)}), flush=True)
    function.kill()
    function.wait()
