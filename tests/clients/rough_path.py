"""A path to the sidecar that goes wrong once for each operation that it is told to fail."""

import http.client
import http.server
import json
import socket
import threading
import zlib

THROTTLED = json.dumps({
    "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "message": "The level of configured provisioned throughput for the table was exceeded.",
}).encode()


class RoughPath:
    """Passes requests on to `port`. The first request of an operation in `faults` meets its fault:

    drop_request   the connection ends before the sidecar sees the request
    drop_answer    the sidecar answers, but the connection ends before the client hears it
    throttle       the answer is DynamoDB's throttling error, and the sidecar sees nothing

    `seen` lists the operations in the order in which the client sent them.
    """

    def __init__(self, port, faults):
        path = self
        path.seen = []
        path._port = port
        path._faults = dict(faults)
        path._lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                path._serve(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        with self._lock:
            self.seen.append(operation)
            fault = self._faults.pop(operation, None)
        if fault == "drop_request":
            return drop(request)
        if fault == "throttle":
            return throttle(request)
        status, headers, answer = self._pass_on(request, body)
        if fault == "drop_answer":
            return drop(request)
        reply(request, status, headers, answer)

    def _pass_on(self, request, body):
        sidecar = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            sidecar.request("POST", request.path, body, dict(request.headers.items()))
            answer = sidecar.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            sidecar.close()


def reply(request, status, headers, body):
    request.send_response_only(status)
    for name, value in headers:
        if name.lower() != "connection":
            request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


def throttle(request):
    reply(request, 400, [
        ("Content-Type", "application/x-amz-json-1.0"),
        ("Content-Length", str(len(THROTTLED))),
        ("X-Amz-Crc32", str(zlib.crc32(THROTTLED))),
        ("x-amzn-RequestId", "0" * 52),
    ], THROTTLED)


def drop(request):
    request.close_connection = True
    request.connection.shutdown(socket.SHUT_RDWR)
