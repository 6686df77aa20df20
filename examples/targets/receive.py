#!/usr/bin/python3
"""Receives the batches that the http connector POSTs, and tells each change. Python's library alone."""

import argparse
import http.server
import json


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Keeps the connection.

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for record in json.loads(body)["Records"]:
            # Done before the answer: a batch that is not answered comes again.
            print(record["millrace"]["lsn"], record["eventName"], json.dumps(record["dynamodb"]["Keys"]), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    http.server.ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Receiver).serve_forever()
