"""What the tests' clients send, boto3 and raw connections, in the order in which they send it."""

import json
import os
import tempfile
import urllib.parse

import boto3

SERVICES = {"DynamoDB_20120810": "dynamodb", "DynamoDBStreams_20120810": "dynamodbstreams"}
# Of these the answers are kept, too: later requests name what they give (see replay.Side).
NAMING = {
    *("CreateTable", "UpdateTable", "DescribeTable", "DeleteTable"),
    *("ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"),
    "PutResourcePolicy",
}


class Request:
    """`file` and `test` sent it to `server`; `test` is empty if it is what several tests share.
    `answer` is a kept answer's bytes."""

    def __init__(self, file, test, server, service, operation, body):
        self.file = file
        self.test = test
        self.server = server
        self.service = service
        self.operation = operation
        self.answer = b"{}"
        self._body = body

    def body(self):
        """The request as an object; None if it is none."""
        spool, place, size = self._body
        spool.seek(place)
        try:
            body = json.loads(spool.read(size))
        except (ValueError, RecursionError):
            return None
        return body if isinstance(body, dict) else None

    def answered(self, body):
        if self.operation in NAMING:
            self.answer = body


class Recording:
    """Of all clients that are made in this process while it lasts. Bodies are kept in a file: some
    tests write hundreds of megabytes."""

    def __init__(self):
        self.requests = []
        self.shared = False
        self._spool = tempfile.TemporaryFile()
        boto3.setup_default_session()
        for service in ("dynamodb", "dynamodb-streams"):
            boto3.DEFAULT_SESSION.events.register(f"before-call.{service}", self._before)
            boto3.DEFAULT_SESSION.events.register(f"after-call.{service}", self._after)

    def begin(self, server, target, body):
        """Gives the Request, whose answered() is to be called; None if no client could send it."""
        service, _, operation = (target or "").partition(".")
        if service not in SERVICES or not operation:
            return None
        body = body or b""
        place = self._spool.seek(0, os.SEEK_END)
        self._spool.write(body)
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
        self.requests.append(
            Request(
                test.partition("::")[0],
                "" if self.shared else test,
                server,
                SERVICES[service],
                operation,
                (self._spool, place, len(body)),
            )
        )
        return self.requests[-1]

    def _before(self, params, context, **_):
        server = urllib.parse.urlsplit(params["url"]).netloc
        target = params["headers"]["X-Amz-Target"]
        context["recorded"] = self.begin(server, target, params["body"])

    def _after(self, http_response, context, **_):
        context["recorded"].answered(http_response.content)
