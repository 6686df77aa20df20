"""The http connector and a real receiver: http.server of Python's library."""

import http.client
import itertools
import random
import re
import threading
import urllib.request

import pytest

from conftest import definition
from expecting import item
from peers.http_receiver import HttpReceiver, failing
from peers.process import wait_until
from peers.sidecar import Sidecar
from raw import Connection

pytestmark = pytest.mark.ours

KEYS = 7  # That the kill test writes.


@pytest.fixture
def receiver():
    made = HttpReceiver().start()
    yield made
    made.stop()


def feeding(folder, receiver, **settings):
    connector = {"name": "hook", "kind": "http", "tables": ["films"], "url": receiver.url}
    return Sidecar(folder, {"connectors": [{**connector, **settings}]})


@pytest.fixture
def sidecar(tmp_path, receiver):
    made = feeding(tmp_path, receiver, batch_records=10, headers={"authorization": "Bearer t0ken"})
    made.start()
    with Connection(made.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
    yield made
    made.kill()


def put(sidecar, keys, start=0):
    with Connection(sidecar.endpoint) as connection:
        for n, key in enumerate(keys, start):
            connection.call("PutItem", {"TableName": "films", "Item": item(pk=key, n=n)})


def values(records):
    """Of each key: the values in the order in which they arrived."""
    seen = {}
    for record in records:
        image = record["dynamodb"]["NewImage"]
        seen.setdefault(image["pk"]["S"], []).append(int(image["n"]["N"]))
    return seen


def in_order(sequence):
    """Whether nothing comes before something earlier that had not come yet."""
    firsts = list(dict.fromkeys(sequence))
    return firsts == sorted(firsts)


def metric(sidecar, name):
    with urllib.request.urlopen(f"http://{sidecar.admin}/metrics", timeout=5) as page:
        text = page.read().decode()
    return float(re.search(rf'^{name}{{connector="hook"}} (\S+)$', text, re.MULTILINE).group(1))


def log_of(sidecar):
    return sidecar.process.log.read_text()


def test_each_batch_is_a_streams_event(sidecar, receiver):
    with Connection(sidecar.endpoint) as connection:
        key = item(pk="Zürich")
        connection.call("PutItem", {"TableName": "films", "Item": {**key, "x": {"S": "old"}}})
        connection.call("PutItem", {"TableName": "films", "Item": {**key, "x": {"S": "new"}}})
        connection.call("DeleteItem", {"TableName": "films", "Key": key})
        puts = [{"Put": {"TableName": "films", "Item": item(pk=f"t{n}")}} for n in range(2)]
        connection.call("TransactWriteItems", {"TransactItems": puts, "ClientRequestToken": "tx-1"})
    found = wait_until(lambda: len(receiver.taken()) >= 5 and receiver.taken(), 20, "5 records")
    insert, modify, remove, first, second = found
    kinds = [record["eventName"] for record in found]
    assert kinds == ["INSERT", "MODIFY", "REMOVE", "INSERT", "INSERT"]
    assert modify["eventSource"] == "aws:dynamodb"
    assert modify["eventSourceARN"] == "arn:aws:dynamodb:us-east-1:000000000000:table/films"
    assert modify["dynamodb"]["OldImage"] == {**key, "x": {"S": "old"}}
    assert modify["dynamodb"]["NewImage"] == {**key, "x": {"S": "new"}}
    lsns = [record["millrace"]["lsn"] for record in found]
    assert lsns == sorted(set(lsns))
    assert {record["millrace"]["table"] for record in found} == {"films"}
    assert "transaction" not in remove["millrace"]
    place = [record["millrace"]["transaction"] for record in (first, second)]
    assert [(each["position"], each["count"]) for each in place] == [(1, 2), (2, 2)]
    assert place[0]["id"] == place[1]["id"]
    path, headers = receiver.requests[0]
    assert path == "/changes"
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["Content-Type"] == "application/json"
    assert headers["x-millrace-connector"] == "hook"
    assert int(headers["x-millrace-first-lsn"]) == insert["millrace"]["lsn"]


def test_batches_stay_within_their_bounds_and_gather_while_the_receiver_is_slow(sidecar, receiver):
    slow = threading.Event()

    def answer(number, records):
        slow.wait(20)
        return 200

    receiver.answer = answer
    put(sidecar, [f"k{n}" for n in range(100)])
    slow.set()
    wait_until(lambda: len(receiver.taken()) >= 100, 20, "100 records")
    assert max(receiver.batches) == 10
    assert len(receiver.batches) <= 12
    assert all(sequence == [n] for n, sequence in enumerate(values(receiver.taken()).values()))


@pytest.mark.parametrize("status", [429, 500, 503, 400, 422])
def test_a_refused_batch_is_sent_again(sidecar, receiver, status):
    receiver.answer = lambda number, records: (status, "not now") if number < 3 else 200
    put(sidecar, ["a", "b", "a"])
    wait_until(lambda: len(receiver.taken()) >= 3, 20, "3 records")
    assert values(receiver.taken()) == {"a": [0, 2], "b": [1]}
    wait_until(lambda: metric(sidecar, "millrace_connector_up") == 1, 20, "the connector is up")
    assert metric(sidecar, "millrace_connector_failures_total") == 3
    log = log_of(sidecar)
    assert f"{receiver.url} answered {status} to the " in log
    assert "not now" in log
    assert "t0ken" not in log


def test_retry_after_is_respected(sidecar, receiver):
    """In two seconds of pauses that double from 100 ms there would be more attempts than one."""
    receiver.answer = lambda number, records: (503, "", {"Retry-After": "2"}) if number < 1 else 200
    put(sidecar, ["a"])
    wait_until(lambda: receiver.taken(), 20, "the record")
    assert len(receiver.requests) == 2


def test_what_comes_before_the_lowest_failure_is_not_sent_again(sidecar, receiver):
    """Every third record fails once."""
    failed = set()
    sent = []

    def answer(number, records):
        sent.extend(record["millrace"]["lsn"] for record in records)
        for place, record in enumerate(records):
            number = record["dynamodb"]["SequenceNumber"]
            if record["millrace"]["lsn"] % 3 == 0 and number not in failed:
                failed.add(number)
                return failing(record, *records[place + 1 :])
        return 200

    receiver.answer = answer
    put(sidecar, [f"k{n % 4}" for n in range(40)])
    wait_until(lambda: len(receiver.taken()) >= 40, 60, "40 records")
    taken = [record["millrace"]["lsn"] for record in receiver.taken()]
    assert taken == sorted(set(taken)), "no record that was acknowledged comes again"
    assert len(taken) == 40
    assert failed and len(sent) > 40


def test_a_receiver_that_breaks_off_is_tried_again(sidecar, receiver):
    receiver.answer = lambda number, records: None if number % 2 == 0 else 200
    put(sidecar, [f"k{n}" for n in range(5)])
    wait_until(lambda: len(values(receiver.taken())) >= 5, 20, "5 records")


def test_a_receiver_that_hangs_is_given_up(tmp_path, receiver):
    hanging = threading.Event()

    def answer(number, records):
        if number == 0:
            hanging.wait(30)
        return 200

    receiver.answer = answer
    sidecar = feeding(tmp_path, receiver, timeout_ms=300).start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
    put(sidecar, ["a", "b"])
    wait_until(lambda: len(values(receiver.taken())) == 2, 20, "both records")
    hanging.set()
    assert "gave no answer: not within 300 ms" in log_of(sidecar)
    assert sidecar.stop() == 0


def test_a_receiver_that_restarts_misses_nothing(sidecar, receiver):
    put(sidecar, ["a"])
    wait_until(lambda: receiver.taken(), 20, "the first record")
    receiver.stop()
    put(sidecar, ["a", "b"], start=1)
    wait_until(lambda: metric(sidecar, "millrace_connector_up") == 0, 20, "the connector is down")
    receiver.start()
    wait_until(lambda: len(receiver.taken()) >= 3, 30, "3 records")
    assert values(receiver.taken()) == {"a": [0, 1], "b": [2]}


def test_a_restart_goes_on_where_it_was(sidecar, receiver):
    put(sidecar, ["a"])
    wait_until(lambda: receiver.taken(), 20, "the first record")
    assert sidecar.stop() == 0
    sidecar.start()
    put(sidecar, ["a"], start=1)
    wait_until(lambda: len(receiver.taken()) >= 2, 20, "2 records")
    assert values(receiver.taken()) == {"a": [0, 1]}


def test_one_connector_does_not_hold_up_another(tmp_path, receiver):
    never = HttpReceiver(lambda number, records: threading.Event().wait(20) or 200).start()
    connectors = [
        {"name": name, "kind": "http", "url": each.url}
        for name, each in (("hung", never), ("hook", receiver))
    ]
    sidecar = Sidecar(tmp_path, {"connectors": connectors}).start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
    put(sidecar, [f"k{n}" for n in range(50)])
    wait_until(lambda: len(receiver.taken()) >= 50, 20, "50 records")
    assert not never.taken()
    sidecar.kill()
    never.stop()


def test_kill_9_loses_nothing_and_keeps_each_items_order(tmp_path, receiver):
    """Rounds of load, kill -9 and restart, with a receiver that fails at random."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    def answer(number, records):
        draw = chance.random()
        if draw < 0.05:
            return 500
        if draw < 0.1:
            return None
        if draw < 0.2:
            return failing(chance.choice(records))
        return 200

    receiver.answer = answer
    sidecar = feeding(tmp_path, receiver, batch_records=20).start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
    last = {}
    for number in itertools.count():
        done = threading.Event()

        def write():
            try:
                with Connection(sidecar.endpoint) as connection:
                    while not done.is_set():
                        key = f"k{chance.randrange(KEYS)}"
                        n = last.get(key, 0) + 1
                        connection.call(
                            "PutItem", {"TableName": "films", "Item": item(pk=key, n=n)}
                        )
                        last[key] = n
            except (OSError, http.client.HTTPException):
                pass  # Killed.

        writer = threading.Thread(target=write)
        before = len(receiver.taken())
        writer.start()
        wait_until(lambda: len(receiver.taken()) > before + 50, 30, "it delivers")
        if number == 4:
            done.set()
            writer.join(20)
            break
        sidecar.kill()
        writer.join(20)
        sidecar.start()
        with Connection(sidecar.endpoint) as connection:
            for key in (f"k{n}" for n in range(KEYS)):
                found = connection.call("GetItem", {"TableName": "films", "Key": item(pk=key)})
                if "Item" in found:
                    last[key] = int(found["Item"]["n"]["N"])

    def complete():
        found = values(receiver.taken())
        return {key: max(sequence) for key, sequence in found.items()} == last

    wait_until(complete, 60, "every change has arrived")
    for key, sequence in values(receiver.taken()).items():
        assert set(sequence) == set(range(1, last[key] + 1)), f"{key} misses something"
        assert in_order(sequence), f"{key} is out of order"
    by_lsn = {}
    for record in receiver.taken():
        assert by_lsn.setdefault(record["millrace"]["lsn"], record) == record
    assert sidecar.stop() == 0
