"""Sends what it is told through a client: a request as a line of JSON in, one of what came of it out.

    resend.py boto3|aws

`aws` is the aws command, called in this process, since its start takes half a second. The client retries
nothing and leaves all checks to the server.

in:   {"endpoint", "service", "operation", "request"}; binary values in Base64
out:  {"sent": false} if the client could make no request of it, else
      {"sent": true, "headers", "told"}: the answer's headers, and what the client made of it; "failed":
      what it raised of its own
"""

import base64
import contextlib
import functools
import io
import itertools
import json
import os
import sys
import tempfile

os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_MAX_ATTEMPTS="1",
    AWS_PAGER="",
)


class Watch:
    """Sees the requests and answers of sessions of botocore."""

    def __init__(self):
        self.begin()

    def watch(self, session):
        session.register("before-send", self._sending)
        session.register("response-received", self._received)

    def begin(self):
        self.sent = False
        self.headers = {}

    def _sending(self, **_):
        self.sent = True

    def _received(self, response_dict, **_):
        if response_dict:
            self.headers = dict(response_dict["headers"])


def binary(value):
    """The request as boto3 wants it."""
    if isinstance(value, dict):
        return {
            name: base64.b64decode(inner, validate=True)
            if name == "B" and isinstance(inner, str)
            else [base64.b64decode(element, validate=True) for element in inner]
            if name == "BS" and isinstance(inner, list)
            else binary(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [binary(element) for element in value]
    return value


def through_boto3(watch):
    import boto3
    import botocore.exceptions
    import botocore.session

    session = botocore.session.get_session()
    watch.watch(session)

    @functools.lru_cache
    def client(service, endpoint):
        made = boto3.session.Session(botocore_session=session)
        return made.client(service, endpoint_url=endpoint)

    def send(endpoint, service, operation, request):
        try:
            answer = client(service, endpoint)._make_api_call(operation, binary(request))
        except botocore.exceptions.ClientError as error:
            answer = error.response
        status = answer.pop("ResponseMetadata")["HTTPStatusCode"]
        return {"status": status, "answer": answer}

    return send


def through_aws(watch):
    from awscli.botocore import xform_name
    from awscli.clidriver import create_clidriver

    commands = itertools.count()
    driver = None

    def send(endpoint, service, operation, request):
        nonlocal driver
        # It is made for one command: each leaves something behind, which slows down the next.
        if next(commands) % 50 == 0:
            driver = create_clidriver()
            watch.watch(driver.session)
        words = [service, xform_name(operation, "-"), "--cli-input-json", json.dumps(request)]
        words += ["--endpoint-url", endpoint, "--no-paginate", "--output", "json"]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = driver.main(words)
            except SystemExit as end:
                status = end.code
        told = out.getvalue()
        return {
            "status": status,
            "answer": json.loads(told) if told.strip() else None,
            "error": err.getvalue(),
        }

    return send


def main():
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as config:
        config.write("[default]\nparameter_validation = false\n")
        config.flush()
        os.environ["AWS_CONFIG_FILE"] = config.name
        answer_lines()


def answer_lines():
    watch = Watch()
    send = {"boto3": through_boto3, "aws": through_aws}[sys.argv[1]](watch)
    answers = sys.stdout
    for line in sys.stdin:
        watch.begin()
        told = failed = None
        try:
            told = send(**json.loads(line))
        except Exception as error:  # of the client's own making, before or after it has sent
            failed = repr(error)
        answer = {"sent": watch.sent}
        if watch.sent:
            answer.update(headers=watch.headers, told=told, failed=failed)
        print(json.dumps(answer, default=printable), file=answers, flush=True)


def printable(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


if __name__ == "__main__":
    main()
