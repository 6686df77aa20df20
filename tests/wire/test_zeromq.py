"""The zeromq connector and real peers: python3-zmq."""

import contextlib
import json
import random
import threading

import pytest
import zmq

from conftest import definition
from expecting import item
from peers.process import free_port, wait_until
from peers.sidecar import Sidecar
from raw import Connection

pytestmark = pytest.mark.ours

KEYS = [f"k{number}" for number in range(7)]


def endpoint():
    return f"tcp://127.0.0.1:{free_port()}"


def feeding(folder, **settings):
    connector = {"name": "changes", "kind": "zeromq", "tables": ["films"], "endpoint": endpoint()}
    connector.update(settings)
    sidecar = Sidecar(folder, {"connectors": [connector]}).start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
    return sidecar, connector


def put(sidecar, key, n):
    with Connection(sidecar.endpoint) as connection:
        connection.call("PutItem", {"TableName": "films", "Item": item(pk=key, n=n)})


class Worker(threading.Thread):
    """Takes changes and acknowledges them, but for those that `lose` says it drops.

    `taken` are the changes it was given, in order.
    """

    def __init__(self, context, connector, taken, lose=lambda change: False):
        super().__init__(daemon=True)
        self.taken = taken
        self._lose = lose
        self._end = threading.Event()
        self._changes = context.socket(zmq.PULL)
        self._changes.set_hwm(1)
        self._acknowledgements = context.socket(zmq.PUSH)
        for socket in (self._changes, self._acknowledgements):
            socket.linger = 0
            socket.reconnect_ivl = 20
        self._changes.connect(connector["endpoint"])
        self._acknowledgements.connect(connector["acknowledgements"])
        self.start()

    def run(self):
        while not self._end.is_set():
            if not self._changes.poll(20):
                continue
            table, text = self._changes.recv_multipart()
            change = json.loads(text)
            assert table == b"films"
            if self._lose(change):
                continue
            self.taken.append(change)
            with contextlib.suppress(zmq.Again):  # Cut off just now: the change comes again.
                self._acknowledgements.send(str(change["lsn"]).encode(), zmq.NOBLOCK)
        self._changes.close()
        self._acknowledgements.close()

    def end(self):
        self._end.set()
        self.join(20)


@pytest.fixture
def context():
    with zmq.Context() as made:
        yield made


def values(changes):
    seen = {}
    for change in changes:
        seen.setdefault(change["keys"]["pk"]["S"], []).append(int(change["new"]["n"]["N"]))
    return seen


def test_a_subscriber_gets_its_tables_changes_in_order(tmp_path, context):
    sidecar, connector = feeding(tmp_path, mode="pub")
    subscriber = context.socket(zmq.SUB)
    subscriber.connect(connector["endpoint"])
    subscriber.subscribe(b"films")
    n = 0
    while not subscriber.poll(10):  # What is published before the subscription has arrived is lost.
        put(sidecar, "first", n)
        n += 1
        assert n < 2000
    for number in range(50):
        put(sidecar, "then", number)
    changes = []
    while not changes or values(changes).get("then", [None])[-1] != 49:
        assert subscriber.poll(20000)
        table, text = subscriber.recv_multipart()
        assert table == b"films"
        changes.append(json.loads(text))
    assert values(changes)["then"] == list(range(50))
    lsns = [change["lsn"] for change in changes]
    assert lsns == sorted(set(lsns))
    subscriber.close()
    assert sidecar.stop() == 0


def test_a_change_goes_to_one_worker(tmp_path, context):
    sidecar, connector = feeding(tmp_path, mode="push", acknowledgements=endpoint())
    taken = [[], []]
    workers = [Worker(context, connector, each) for each in taken]
    for n in range(30):
        for key in KEYS:
            put(sidecar, key, n)
    wait_until(lambda: sum(map(len, taken)) >= 30 * len(KEYS), 30, "every change is taken")
    lsns = [change["lsn"] for each in taken for change in each]
    assert len(lsns) == len(set(lsns)) == 30 * len(KEYS)
    assert all(taken), "both workers work"
    for each in taken:
        assert all(sequence == sorted(sequence) for sequence in values(each).values())
    for worker in workers:
        worker.end()
    assert sidecar.stop() == 0


def test_what_a_worker_drops_comes_again(tmp_path, context):
    sidecar, connector = feeding(
        tmp_path, mode="push", acknowledgements=endpoint(), timeout_ms=300, in_flight=5
    )
    dropped = set()

    def lose(change):
        if change["lsn"] % 10 or change["lsn"] in dropped:
            return False
        dropped.add(change["lsn"])
        return True

    taken = []
    worker = Worker(context, connector, taken, lose)
    for n in range(30):
        put(sidecar, KEYS[n % len(KEYS)], n)
    wait_until(lambda: len({change["lsn"] for change in taken}) == 30, 60, "every change is done")
    assert dropped
    for sequence in values(taken).values():
        firsts = list(dict.fromkeys(sequence))
        assert firsts == sorted(firsts)
    worker.end()
    assert sidecar.stop() == 0
    assert "no worker has acknowledged the change with LSN" in sidecar.process.log.read_text()


def test_kill_9_loses_nothing_and_keeps_each_items_order(tmp_path, context):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    sidecar, connector = feeding(
        tmp_path, mode="push", acknowledgements=endpoint(), timeout_ms=500, in_flight=20
    )
    taken = []
    last = dict.fromkeys(KEYS, 0)
    worker = Worker(context, connector, taken, lambda change: chance.random() < 0.01)
    for _ in range(4):
        for _ in range(60):
            key = chance.choice(KEYS)
            last[key] += 1
            put(sidecar, key, last[key])
        wait_until(lambda: taken, 30, "it delivers")
        sidecar.kill()
        worker.end()  # Dies with what it was given and has not acknowledged.
        sidecar.start()
        worker = Worker(context, connector, taken, lambda change: chance.random() < 0.01)
    expected = {key: set(range(1, n + 1)) for key, n in last.items() if n}

    def complete():
        return {key: set(sequence) for key, sequence in values(list(taken)).items()} == expected

    wait_until(complete, 60, "every change is done")
    for sequence in values(taken).values():
        firsts = list(dict.fromkeys(sequence))
        assert firsts == sorted(firsts)
    worker.end()
    assert sidecar.stop() == 0


def test_an_endpoint_that_others_reach_is_refused(tmp_path):
    connector = {"name": "p", "kind": "zeromq", "mode": "pub", "endpoint": "tcp://0.0.0.0:5999"}
    sidecar = Sidecar(tmp_path, {"connectors": [connector]})
    sidecar.launch()
    assert sidecar.process.wait(20) == 2
    assert "refusing to listen on tcp://0.0.0.0:5999 (connector 'p')" in sidecar.process.tail()
