"""The same requests through one client to a cached and an uncached sidecar, answers side by side."""

import json
import os
import pathlib
import re
import subprocess
import time
import urllib.request

from peers import npm
from peers.process import NotReady, wait_until
from peers.sidecar import CREDENTIALS, Sidecar
from raw import Connection

HERE = pathlib.Path(__file__).resolve().parent
JAVASCRIPT = HERE.parent / "clients/javascript"
READS = {"GetItem", "BatchGetItem", "Query", "Scan"}
DEFINING = {"CreateTable", "UpdateTable", "DeleteTable"}
DATA = {
    *READS,
    *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"),
    *("TransactGetItems", "TransactWriteItems"),
}
# They show some things a little later: what is in a stream, how large a large table is.
LATER = {"DescribeTable", "ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"}
LATER_SECONDS = 75  # A large table's size is of the last minute.
SECONDS = 20
FIVE_YEARS = 5 * 365 * 24 * 60 * 60  # Older items do not expire.

# What two sidecars cannot agree on: when something was made, and what is named after that.
OWN_HEADERS = re.compile("date|x-amzn-requestid|x-millrace-.*")
OWN_MEMBERS = re.compile(
    "(.*DateTime|.*StreamLabel|.*StreamArn|.*ShardIterator|.*ShardId|.*SequenceNumber"
    "|TableId|RevisionId|eventID)"
)


def command_of(client):
    if client == "javascript":
        return ["node", JAVASCRIPT / "resend.js"], {"NODE_PATH": str(npm.modules(JAVASCRIPT))}
    return ["/usr/bin/python3", HERE / "resend.py", client], {}


class Sender:
    """A process that sends through `client`: boto3, aws or javascript."""

    def __init__(self, client, log):
        command, environment = command_of(client)
        with open(log, "wb") as errors:
            self._process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={
                    **os.environ,
                    "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
                    "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
                    "AWS_REGION": CREDENTIALS["region_name"],
                    **environment,
                },
            )
        self.log = log

    def send(self, **request):
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the client has ended: {pathlib.Path(self.log).read_text()}"
        return json.loads(line)

    def close(self):
        self._process.communicate(timeout=SECONDS)


class Side:
    """One of the two sidecars, and what it calls the things that a recorded answer named."""

    def __init__(self, folder, cache):
        self.sidecar = Sidecar(folder)
        admin = {"listen": self.sidecar.admin, "allow_reset": True}
        self.sidecar.configure({"cache": cache, "admin": admin})
        self.sidecar.start()
        self.reset()

    def reset(self):
        self._names = {}
        url = f"http://{self.sidecar.admin}/reset"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=SECONDS):
            pass

    def own(self, value):
        """A recorded request with this side's names."""
        if isinstance(value, dict):
            return {name: self.own(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.own(element) for element in value]
        return self._names.get(value, value) if isinstance(value, str) else value

    def learn(self, recorded, told):
        if isinstance(recorded, dict) and isinstance(told, dict):
            for name, inner in recorded.items():
                other = told.get(name)
                if isinstance(inner, str) and OWN_MEMBERS.fullmatch(name):
                    self._names[inner] = other or inner
                else:
                    self.learn(inner, other)
        elif isinstance(recorded, list) and isinstance(told, list):
            for inner, other in zip(recorded, told):
                self.learn(inner, other)

    def send(self, body, operation, **headers):
        """Past the client. On a connection of its own: one that is kept may have idled for too long."""
        with Connection(self.sidecar.endpoint) as connection:
            connection.recording = None
            return connection.send(body, operation, **headers).json()

    def settled(self, table):
        """Whether the table and its indexes are there to be used, or are gone."""
        described = self.send({"TableName": table}, "DescribeTable").get("Table")
        if described is None:
            return True
        indexes = described.get("GlobalSecondaryIndexes", ())
        return {described["TableStatus"], *(each["IndexStatus"] for each in indexes)} == {"ACTIVE"}

    def holds_expired(self, table, attribute):
        found = self.send({"TableName": table}, "Scan", Cache_Control="no-cache")
        now = time.time()
        return any(
            now - FIVE_YEARS < float(item.get(attribute, {}).get("N", "inf")) <= now
            for item in found.get("Items", ())
        )

    def metric(self, name):
        url = f"http://{self.sidecar.admin}/metrics"
        with urllib.request.urlopen(url, timeout=SECONDS) as page:
            return int(re.search(rf"^{name} (\d+)$", page.read().decode(), re.MULTILINE)[1])

    def stop(self):
        self.sidecar.stop()


class Replay:
    """Each read is sent twice, so that the second may be a hit."""

    def __init__(self, client, folder, cached=None, uncached=None):
        self.client = client
        self.sides = [
            Side(folder / "cached", cached or {"bytes": "64MB", "query_bytes": "64MB"}),
            Side(folder / "uncached", uncached or {"bytes": 0, "query_bytes": 0}),
        ]
        self.compared = 0
        self.refused = 0  # by the client: nothing was sent
        self.differences = []
        self._expiring = {}
        self._sender = Sender(client, folder / f"{client}.log")

    def run(self, requests):
        servers = {}
        for request in requests:
            servers.setdefault((request.file, request.server), []).append(request)
        for sent in servers.values():
            self._expiring = {}
            for side in self.sides:
                side.reset()
            for request in sent:
                body = request.body()
                for _ in range(2 if request.operation in READS else 1):
                    self.compare(request, body)

    def compare(self, request, body):
        """`body` is an object; None: no client can send it."""
        answers = self.ask(request, body) if body is not None else []
        if not any(answer["sent"] for answer in answers):
            self.refused += 1
            return
        self.compared += 1
        if request.operation in LATER and different(request, answers):
            try:
                wait_until(
                    lambda: not different(request, self.ask(request, body)), LATER_SECONDS, "agree"
                )
            except NotReady:
                pass
            answers = self.ask(request, body)
        if different(request, answers):
            self.differences.append((request.test, request.operation, body, answers))
        for side, answer in zip(self.sides, answers):
            side.learn(json.loads(request.answer), (answer.get("told") or {}).get("answer"))
        if request.operation not in READS:
            self.settle(request.operation, body, answers[0].get("told"))

    def ask(self, request, body):
        return [
            self._sender.send(
                endpoint=side.sidecar.endpoint,
                service=request.service,
                operation=request.operation,
                request=side.own(body),
            )
            for side in self.sides
        ]

    def settle(self, operation, body, told):
        """Waits for what goes on behind an answer, which takes each sidecar its own time: tables and
        indexes are made, expired items go."""
        table = body.get("TableName")
        if operation in DEFINING and isinstance(table, str):
            for side in self.sides:
                wait_until(lambda: side.settled(table), SECONDS, f"{table} is settled")
        if operation == "UpdateTimeToLive" and told and told.get("status") in (0, 200):
            self._expiring[table] = body["TimeToLiveSpecification"]
        for table, expiry in self._expiring.items():
            if expiry["Enabled"]:
                for side in self.sides:
                    wait_until(
                        lambda: not side.holds_expired(table, expiry["AttributeName"]),
                        SECONDS,
                        f"the expired items of {table} are gone",
                    )

    def hits(self):
        """Of the cached sidecar: items, pages of Query, pages of Scan."""
        kinds = ("Item", "Query", "Scan")
        return [self.sides[0].metric(f"{kind}CacheHits") for kind in kinds]

    def close(self):
        self._sender.close()
        for side in self.sides:
            side.stop()


def different(request, answers):
    first, second = (essence(request, answer) for answer in answers)
    return first != second


def essence(request, answer):
    """What of an answer must not depend on the cache."""
    headers = {
        name.lower(): value
        for name, value in answer.get("headers", {}).items()
        if not OWN_HEADERS.fullmatch(name.lower())
    }
    told = answer.get("told")
    if request.operation not in DATA:
        headers.pop("x-amz-crc32", None)
        headers.pop("content-length", None)
        told = without_own(told)
    return answer["sent"], headers, told, answer.get("failed")


def without_own(told):
    if isinstance(told, dict):
        return {
            name: "" if isinstance(inner, (str, int, float)) and OWN_MEMBERS.fullmatch(name)
            else without_own(inner)
            for name, inner in told.items()
        }
    if isinstance(told, list):
        return [without_own(element) for element in told]
    return re.sub(r"revision id \d+", "revision id", told) if isinstance(told, str) else told
