"""millrace tail: each change as it happens."""

import itertools
import json
import queue
import subprocess
import threading

import pytest

from conftest import definition, unused_name
from expecting import item
from peers import sidecar as peer
from raw import Connection

pytestmark = pytest.mark.ours


class Tail:
    """A running `millrace tail`; its lines come through a queue."""

    def __init__(self, sidecar, table, *flags):
        self._child = subprocess.Popen(
            [str(peer.binary()), "tail", table, *flags, "--admin", sidecar.admin],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._child.stdout:
            self._lines.put(line)

    def line(self, seconds=10):
        return self._lines.get(timeout=seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._child.terminate()
        try:
            self._child.wait(10)
        finally:
            self._child.kill()


@pytest.fixture
def connection(sidecar):
    with Connection(sidecar.endpoint) as opened:
        yield opened


@pytest.fixture
def tailed(connection):
    name = unused_name()
    connection.call("CreateTable", definition(name, view_type="NEW_AND_OLD_IMAGES"))
    yield name
    connection.call("DeleteTable", {"TableName": name})


def put(connection, table, **attributes):
    connection.call("PutItem", {"TableName": table, "Item": item(**attributes)})


def test_a_change_keeps_the_trace_context_of_its_request(sidecar, connection, tailed):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    broken = [trace.upper(), trace[:-1], "ff" + trace[2:], trace.replace("b7ad6b7169203331", "0" * 16)]
    for n, header in enumerate([trace, *broken]):
        body = {"TableName": tailed, "Item": item(pk="a", n=n)}
        assert connection.send(body, "PutItem", Traceparent=header).check().status == 200
    with Tail(sidecar, tailed, "--json", "--from", "trim_horizon") as tail:
        changes = [json.loads(tail.line()) for _ in range(5)]
    assert [change.get("traceparent") for change in changes] == [trace] + [None] * 4


def test_json_shows_all_changes_from_the_start(sidecar, connection, tailed):
    put(connection, tailed, pk="a", n=1)
    put(connection, tailed, pk="a", n=2)
    with Tail(sidecar, tailed, "--json", "--from", "trim_horizon") as tail:
        first, second = json.loads(tail.line()), json.loads(tail.line())
        assert (first["event"], second["event"]) == ("INSERT", "MODIFY")
        assert second["table"] == tailed
        assert second["keys"] == item(pk="a")
        assert second["new"] == item(pk="a", n=2)
        assert second["old"] == item(pk="a", n=1)
        assert first["lsn"] < second["lsn"]
        connection.call("DeleteItem", {"TableName": tailed, "Key": item(pk="a")})
        assert json.loads(tail.line())["event"] == "REMOVE"


def test_latest_shows_only_what_happens_from_now_on(sidecar, connection, tailed):
    put(connection, tailed, pk="before")
    with Tail(sidecar, tailed, "--json", "--from", "latest") as tail:
        # The tail starts at some moment, so changes are made until it shows one.
        for n in range(200):
            put(connection, tailed, pk="now", n=n)
            try:
                line = tail.line(0.1)
                break
            except queue.Empty:
                continue
        assert json.loads(line)["keys"] == item(pk="now")


def test_a_table_without_a_stream_can_be_tailed(sidecar, connection):
    name = unused_name()
    connection.call("CreateTable", definition(name))
    with Tail(sidecar, name, "--json", "--from", "latest") as tail:
        for n in range(200):
            put(connection, name, pk="now", n=n)
            try:
                line = tail.line(0.1)
                break
            except queue.Empty:
                continue
        assert json.loads(line)["keys"] == item(pk="now")
    connection.call("DeleteTable", {"TableName": name})


def test_several_tables_by_a_pattern(sidecar, connection, tailed):
    other = unused_name()
    connection.call("CreateTable", definition(other))
    for n in range(4):
        put(connection, (tailed, other)[n % 2], pk="a", n=n)
    pattern = json.dumps({"dynamodb": {"NewImage": {"n": {"N": ["1", "2"]}}}})
    flags = [other, "--json", "--from", "trim_horizon", "--filter", pattern]
    with Tail(sidecar, tailed, *flags) as tail:
        changes = [json.loads(tail.line()) for _ in range(2)]
    assert [(change["table"], change["new"]) for change in changes] == [
        (other, item(pk="a", n=1)),
        (tailed, item(pk="a", n=2)),
    ]
    connection.call("DeleteTable", {"TableName": other})


def test_from_a_time(sidecar, connection, tailed):
    with Tail(sidecar, tailed, "--json", "--from", "trim_horizon") as tail:
        put(connection, tailed, pk="a", n=0)
        first = later = json.loads(tail.line())
        for n in itertools.count(1):
            if later["time"] > first["time"]:
                break
            put(connection, tailed, pk="a", n=n)
            later = json.loads(tail.line())
    with Tail(sidecar, tailed, "--json", "--from", str(later["time"])) as tail:
        assert json.loads(tail.line())["lsn"] == later["lsn"]


def test_people_see_key_and_kind(sidecar, connection, tailed):
    put(connection, tailed, pk="readable")
    with Tail(sidecar, tailed, "--from", "trim_horizon") as tail:
        assert "readable" in tail.line()


def test_an_unknown_table_is_told(sidecar):
    told = subprocess.run(
        [str(peer.binary()), "tail", "absent-table", "--admin", sidecar.admin],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert told.returncode != 0
    assert "absent-table" in told.stderr
