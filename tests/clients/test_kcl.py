"""The Kinesis Client Library, unchanged, on a stream whose shards split, merge and roll over under it.

A worker is killed with SIGKILL and another goes on. Each key is given the values 1, 2, 3, …, so what the
workers tell is exact: every value of every key, in order; a value comes again only after a restart.
"""

import collections
import os
import pathlib
import signal
import subprocess
import threading

import pytest
from peers import maven
from peers import sidecar as peer
from peers.process import wait_until

HERE = pathlib.Path(__file__).resolve().parent
TABLE = "orders"
APPLICATION = "kcl-orders"
KEYS = [f"order-{number}" for number in range(40)]
PATIENCE_SECONDS = 120  # A worker's first look at the shards is put off by up to half a minute.


class Worker:
    """One run of Consumer.java; its lines go to `told`."""

    def __init__(self, sidecar, arn, name, told):
        jars = maven.jars("kcl", HERE / "kcl/pom.xml")
        self._log = sidecar.folder / f"{name}.log"
        self._child = subprocess.Popen(
            [
                "java", *maven.SMALL_JVM, "-cp", f"{jars}/*",
                str(HERE / "kcl/Consumer.java"), sidecar.endpoint, arn, APPLICATION, name,
            ],
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log.open("wb"),
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(told,), daemon=True)
        self._reader.start()

    def _read(self, told):
        for line in self._child.stdout:
            told.add(line.split())

    def check(self):
        assert self._child.poll() is None, self._log.read_text(errors="replace")[-4000:]

    def kill(self):
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()
        self._reader.join(30)


class Told:
    """What the workers told so far, checked as it comes."""

    def __init__(self):
        self.last = collections.Counter()  # the newest value of each key
        self.shard_of = {}
        self.opened = set()
        self.ended = set()
        self.wrong = []
        self._since_restart = collections.Counter()

    def restarted(self):
        self._since_restart.clear()

    def add(self, words):
        if words[0] == "open":
            self.opened.add(words[1])
        elif words[0] == "end":
            self.ended.add(words[1])
        elif words[0] == "record":
            self._record(words[1], words[3], int(words[4]))

    def _record(self, shard, key, value):
        before = self._since_restart[key] or None
        if value > self.last[key] + 1 or (before is not None and value != before + 1):
            self.wrong.append((shard, key, value, before, self.last[key]))
        self._since_restart[key] = value
        self.last[key] = max(self.last[key], value)
        self.shard_of[key] = shard


class Load:
    """Gives the keys their next values."""

    def __init__(self, ddb):
        self.values = collections.Counter()
        self._ddb = ddb

    def write(self, keys):
        for key in keys:
            self.values[key] += 1
            self._ddb.put_item(
                TableName=TABLE,
                Item={"pk": {"S": key}, "n": {"N": str(self.values[key])}},
            )


@pytest.fixture
def sidecar(tmp_path):
    running = peer.Sidecar(tmp_path, flags=["--allow-stream-control"]).start()
    yield running
    running.stop()


def create_table(ddb):
    ddb.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return ddb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]


def test_a_worker_sees_every_change_in_order(sidecar):
    ddb, streams = sidecar.client(), sidecar.client("dynamodbstreams")
    arn = create_table(ddb)
    told, load = Told(), Load(ddb)

    def shards():
        described = streams.describe_stream(StreamArn=arn)["StreamDescription"]
        assert "LastEvaluatedShardId" not in described
        return {shard["ShardId"]: shard for shard in described["Shards"]}

    def children(parent):
        return [one for one, shard in shards().items() if shard.get("ParentShardId") == parent]

    def told_all():
        worker.check()
        assert not told.wrong, told.wrong
        return all(told.last[key] == value for key, value in load.values.items())

    def settle(what, also=lambda: True):
        wait_until(lambda: told_all() and also(), PATIENCE_SECONDS, what)

    load.write(KEYS)
    worker = Worker(sidecar, arn, "first", told)
    try:
        settle("the first values are told")
        first = told.shard_of[KEYS[0]]
        there = [key for key in KEYS if told.shard_of[key] == first]
        elsewhere = [key for key in KEYS if key not in there]

        sidecar.control("streams/split", table=TABLE, shard=first)
        lower, upper = sorted(children(first))
        load.write(elsewhere)
        sidecar.control("streams/merge", table=TABLE, shard=lower, **{"with": upper})
        load.write(KEYS)
        # The parent that the merge does not name holds nothing and is listed no more: a worker that has not seen
        # it by then never does. An end is told after its checkpoint, so maybe after records of the child.
        assert upper not in shards()
        settle("a split and a merge are passed", lambda: {first, lower} | (told.opened & {upper}) <= told.ended)

        second = told.shard_of[elsewhere[0]]
        load.write(KEYS)
        sidecar.control("streams/split", table=TABLE, shard=second)
        load.write(KEYS)
        worker.kill()
        told.restarted()
        sidecar.control("streams/rollover", table=TABLE)
        load.write(KEYS)
        # What the dead worker locked would otherwise stay locked for two minutes.
        ddb.delete_item(TableName=f"{APPLICATION}-CoordinatorState", Key={"key": {"S": "Leader"}})
        worker = Worker(sidecar, arn, "second", told)
        settle("another worker goes on")
        for _ in range(3):
            sidecar.control("streams/rollover", table=TABLE)
            load.write(KEYS)
        settle("three times all shards are followed by others")
    finally:
        worker.kill()
    known = shards()
    closed = {
        one for one, shard in known.items()
        if "EndingSequenceNumber" in shard["SequenceNumberRange"]
    }
    assert told.opened - {upper} <= set(known)
    assert len(closed) >= 4 + 1 + 1 + 4 * 4
