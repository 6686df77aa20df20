"""A receiver of the http connector's batches: a real HTTP server in a thread of the test's."""

import contextlib
import http.server
import json
import socket
import threading

from .process import free_port


class HttpReceiver:
    """Keeps the records that it acknowledged, in order of arrival.

    `answer(number, records)` gives what the number-th request is answered with: a status, or a pair of
    status and body, or a triple with headers; None breaks the connection off. Without it every batch is
    acknowledged. The port stays the same over stop and start.
    """

    def __init__(self, answer=None):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/changes"
        self.answer = answer or (lambda number, records: 200)
        self.records = []
        self.batches = []
        self.requests = []  # Head of each.
        self.lock = threading.Lock()
        self._server = None
        self._connections = set()

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._serve(self, json.loads(body))

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def process_request(self, request, address):
                with receiver.lock:
                    receiver._connections.add(request)
                super().process_request(request, address)

            def shutdown_request(self, request):
                with receiver.lock:
                    receiver._connections.discard(request)
                super().shutdown_request(request)

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self):
        """Also breaks the connections off that are open."""
        self._server.shutdown()
        self._server.server_close()
        with self.lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, handler, body):
        records = body["Records"]
        with self.lock:
            number = len(self.requests)
            self.requests.append((handler.path, dict(handler.headers.items())))
        given = self.answer(number, records)
        if given is None:
            handler.close_connection = True
            return
        status, text, headers = (*((given,) if isinstance(given, int) else given), "", {})[:3]
        if 200 <= status < 300:
            failed = [failure["itemIdentifier"] for failure in failures_of(text)]
            lowest = min(failed, default="9" * 30)
            with self.lock:
                self.batches.append(len(records))
                self.records += [
                    record for record in records if record["dynamodb"]["SequenceNumber"] < lowest
                ]
        payload = text.encode()
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(payload)))
        handler.end_headers()
        handler.wfile.write(payload)

    def taken(self):
        with self.lock:
            return list(self.records)


def failures_of(text):
    try:
        return json.loads(text).get("batchItemFailures") or []
    except (ValueError, AttributeError):
        return []


def failing(*records):
    """The answer that fails these records of a batch."""
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    return 200, json.dumps({"batchItemFailures": [{"itemIdentifier": number} for number in numbers]})
