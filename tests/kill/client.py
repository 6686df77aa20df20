"""A client that is quick enough to load the sidecar from Python: one socket, no SDK."""

import json
import socket


class Lost(Exception):
    """The connection ended: whether the request was carried out is unknown."""


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:500]!r}")
        self.status = status
        # Near the disk budget a write that grows is refused: it has not happened.
        self.no_room = b"#RequestLimitExceeded" in body


class Client:
    def __init__(self, port):
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        except OSError as error:
            raise Lost(str(error)) from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def close(self):
        self._socket.close()

    def call(self, operation, request):
        body = json.dumps(request).encode()
        target = operation if "." in operation else f"DynamoDB_20120810.{operation}"
        head = (
            f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: {target}\r\n"
            f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            self._socket.sendall(head.encode() + body)
            status, answer = self._answer()
        except OSError as error:
            raise Lost(str(error)) from None
        if status != 200:
            raise Refused(status, answer)
        return json.loads(answer)

    def _answer(self):
        data = self._left
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        start = head.index(b"content-length:") + len(b"content-length:")
        stop = head.find(b"\r\n", start)
        length = int(head[start : stop if stop >= 0 else end])
        end += 4
        while len(data) < end + length:
            data += self._more()
        self._left = data[end + length :]
        return int(head[9:12]), data[end : end + length]

    def _more(self):
        chunk = self._socket.recv(1 << 20)
        if not chunk:
            raise OSError("the server closed the connection")
        return chunk
