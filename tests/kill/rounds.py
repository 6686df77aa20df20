"""Rounds of load, kill -9, restart and check of one sidecar with its Kafka connector."""

import json
import random
import subprocess
import threading
import time

from client import Client, Lost, Refused
from ledger import Delivered, History, Ledger, Violation, require
from lineage import Lineage, Resharder
from load import TABLE, Writer
from peers.process import NotReady, wait_until
from peers.sidecar import Sidecar, binary

WRITERS = 6
REREAD_EVERY = 25  # Rounds after which the folder is checked and the whole stream read again.


class Topic(threading.Thread):
    """Reads a topic from its start for as long as the test runs, by kcat."""

    def __init__(self, brokers, topic):
        super().__init__(daemon=True)
        self.delivered = Delivered()
        self.violation = None
        self._child = subprocess.Popen(
            ["kcat", "-C", "-b", brokers, "-t", topic, "-o", "beginning", "-q", "-u", "-J"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.start()

    def run(self):
        for line in self._child.stdout:
            try:
                self.delivered.add(json.loads(line))
            except Exception as error:  # Told by the main thread.
                self.violation = self.violation or error

    def wait_for(self, expected):
        def complete():
            if self.violation:
                raise self.violation
            return self.delivered.has(expected)

        try:
            wait_until(complete, 60, "Kafka has every change")
        except NotReady:
            missing = dict(list(self.delivered.missing(expected).items())[:5])
            raise Violation(f"not in Kafka after 60 s (has, should): {missing}") from None

    def close(self):
        self._child.kill()
        self._child.wait()


class Follower(threading.Thread):
    """Reads a stream into a history while the load runs, until the connection ends."""

    def __init__(self, port, lineage, history):
        super().__init__(daemon=True)
        self.error = None
        self._port = port
        self._lineage = lineage
        self._history = history

    def run(self):
        try:
            client = Client(self._port)
            while True:
                self._lineage.read_on(client, self._history)
        except Lost:
            pass
        except Exception as error:  # Told by the main thread.
            self.error = error


class Run:
    """One sidecar over all its rounds."""

    def __init__(self, folder, kafka, topic, seed, flags=(), env=None):
        self.random = random.Random(seed)
        self.ledger = Ledger()
        self.history = History()
        self.writes = 0
        connector = {
            "name": "ledger-to-kafka",
            "kind": "kafka",
            "tables": [TABLE],
            "brokers": kafka.brokers,
            "topic": topic,
        }
        self.sidecar = Sidecar(folder, {"connectors": [connector]}, [*flags, "--allow-stream-control"], env)
        self.sidecar.data.mkdir()
        self.sidecar.start()
        client = Client(self.sidecar.port)
        client.call(
            "CreateTable",
            {
                "TableName": TABLE,
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "StreamSpecification": {
                    "StreamEnabled": True,
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
            },
        )
        described = client.call("DescribeTable", {"TableName": TABLE})["Table"]
        self.lineage = Lineage(described["LatestStreamArn"])
        # Something to read, so that the topic exists.
        self.ledger.unknown["first"] = 1
        client.call("PutItem", {"TableName": TABLE, "Item": {"pk": {"S": "first"}, "n": {"N": "1"}}})
        self.ledger.acknowledged["first"] = self.ledger.unknown.pop("first")
        client.close()
        wait_until(lambda: kafka.messages(topic), 60, "the first message is in Kafka")
        self.topic = Topic(kafka.brokers, topic)

    def close(self):
        self.topic.close()
        self.sidecar.kill()

    def round(self, number):
        self._load_and_kill()
        if self.random.random() < 0.3:
            self._kill_while_starting()
        self.topic.delivered.restarts += 1
        if number % REREAD_EVERY == 0:
            told = subprocess.run(
                [str(binary()), "check", "--data", str(self.sidecar.data)],
                capture_output=True,
                text=True,
                timeout=120,
            )
            require(told.returncode == 0, f"millrace check: {told.stdout}{told.stderr}")
        try:
            self.sidecar.start()
        except NotReady as error:
            raise Violation(f"does not start after the kill: {error}") from None
        try:
            self.topic.wait_for(self._check(number % REREAD_EVERY == 0))
        except (Lost, Refused) as error:
            raise Violation(f"does not answer after the kill: {error}") from None

    def _check(self, whole_stream):
        """Checks table and stream; the last value of each key, which Kafka must come to have."""
        client = Client(self.sidecar.port)
        values = self._values(client)
        self.ledger.settle(values)
        expected = self.ledger.expected(values)
        self._read_to_end(client)
        self.history.check_complete(expected)
        if whole_stream:
            self.read_again(client)
        client.close()
        return expected

    def read_again(self, client):
        for shard in self.lineage.refresh(client):
            self.history.check_unchanged(shard, self.lineage.read_shard(client, shard))

    def _read_to_end(self, client):
        """Over as many generations of shards as there were since the last time."""
        while True:
            drained = len(self.lineage.drained)
            self.lineage.read_on(client, self.history)
            if len(self.lineage.drained) == drained:
                return

    def _load_and_kill(self):
        lock = threading.Lock()
        writers = [
            Writer(number, self.sidecar.port, self.ledger, lock, self.random.random())
            for number in range(WRITERS)
        ]
        self.ledger.groups = [group for writer in writers for group in writer.groups]
        follower = Follower(self.sidecar.port, self.lineage, self.history)
        resharder = Resharder(self.sidecar.admin, TABLE, self.random.random())
        threads = [*writers, follower, resharder]
        before = sum(self.ledger.acknowledged.values())
        for thread in threads:
            thread.start()
        time.sleep(self.random.uniform(0.05, 0.8))  # The load runs this long; nothing is awaited.
        self.sidecar.kill()
        for thread in threads:
            thread.join(30)
            require(not thread.is_alive(), "a client hangs")
            if thread.error:
                raise thread.error
        self.writes += sum(self.ledger.acknowledged.values()) - before

    def _kill_while_starting(self):
        self.sidecar.launch()
        time.sleep(self.random.uniform(0, 0.08))  # The kill falls somewhere into the start.
        self.sidecar.kill()

    @staticmethod
    def _values(client):
        values = {}
        request = {"TableName": TABLE, "ConsistentRead": True}
        while True:
            answer = client.call("Scan", request)
            for found in answer["Items"]:
                values[found["pk"]["S"]] = int(found["n"]["N"])
            if "LastEvaluatedKey" not in answer:
                return values
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def play(folder, kafka, topic, seed, rounds, flags=(), env=None):
    """All rounds; raises Violation at the first promise that is broken. Returns the writes made."""
    run = Run(folder, kafka, topic, seed, flags, env)
    try:
        for number in range(1, rounds + 1):
            try:
                run.round(number)
            except Violation as violation:
                raise Violation(f"round {number}, seed {seed}: {violation}") from violation
        client = Client(run.sidecar.port)
        run.read_again(client)
        require(run.sidecar.stop() == 0, "SIGTERM did not end it with 0")
    finally:
        run.close()
    return run.writes
