"""HTTP as a socket sees it: a request of bytes, and the checks that every answer must pass."""

import http.client
import json
import urllib.parse
import zlib


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def check(self):
        """What is true of every answer of the data port."""
        assert self.headers["x-amz-crc32"] == str(zlib.crc32(self.body)), self.headers
        request_id = self.headers["x-amzn-requestid"]
        assert len(request_id) == 52, request_id
        assert set(request_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), request_id
        assert self.headers["content-length"] == str(len(self.body))
        return self


class Connection:
    """One kept connection to the endpoint."""

    recording = None  # a Recording, of what send() sends

    def __init__(self, endpoint, timeout=20):
        self.address = urllib.parse.urlsplit(endpoint).netloc
        self._http = http.client.HTTPConnection(self.address, timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._http.close()

    def connect(self):
        self._http.connect()
        return self._http.sock

    def is_open(self):
        return self._http.sock is not None

    def send(self, body, target=None, method="POST", path="/", **headers):
        """Sends bytes, or an object as JSON; `headers` with underscores for dashes."""
        if not isinstance(body, (bytes, type(None))):
            body = json.dumps(body).encode()
        all_headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/"
            "aws4_request, SignedHeaders=host, Signature=00",
            "X-Amz-Date": "20260101T000000Z",
        }
        if target:
            all_headers["X-Amz-Target"] = target if "." in target else f"DynamoDB_20120810.{target}"
        all_headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        recorded = self.recording and self.recording.begin(
            self.address, all_headers.get("X-Amz-Target"), body
        )
        self._http.request(method, path, body, all_headers)
        answer = Answer(self._http.getresponse())
        if recorded:
            recorded.answered(answer.body)
        return answer

    def call(self, operation, request):
        """An operation that must succeed; its answer as an object."""
        answer = self.send(request, operation).check()
        assert answer.status == 200, answer.body
        return answer.json()
