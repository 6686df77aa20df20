"""Subscriptions: their protocol as a program in another language speaks it, and `millrace subscribe`."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from conftest import definition, unused_name
from expecting import item
from peers import sidecar as peer
from peers.process import wait_until
from raw import Connection

pytestmark = pytest.mark.ours

# Appends each event to the file of its first argument, so that events of several handlers are there
# in the order of time, then says what its second argument computes from the event `e` and from `n`,
# how often this file has seen it.
HANDLER = """
import json, os, sys, time
path, verdict = sys.argv[1:]
for line in sys.stdin:
    e = json.loads(line)
    with open(path, "a") as seen:
        seen.write(line)
    n = sum(json.loads(each)["lsn"] == e["lsn"] for each in open(path))
    answer = eval(verdict)
    sys.stdout.write(answer + "\\n")
    sys.stdout.flush()
"""


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


class Subscription:
    """The requests under /v1/subscriptions."""

    def __init__(self, sidecar, name):
        self.admin, self.name = sidecar.admin, name

    def request(self, what, **fields):
        body = json.dumps({"subscription": self.name, **fields}).encode()
        url = f"http://{self.admin}/v1/subscriptions/{what}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
                return [json.loads(line) for line in answer.read().splitlines()]
        except urllib.error.HTTPError as refusal:
            raise Refused(refusal.code, refusal.read().decode()) from None

    def join(self, member="python", **fields):
        return Member(self, self.request("join", member=member, **fields)[0]["session"])

    def shown(self):
        with urllib.request.urlopen(f"http://{self.admin}/v1/subscriptions", timeout=30) as answer:
            everything = json.load(answer)["subscriptions"]
        return next((each for each in everything if each["subscription"] == self.name), None)


class Member:
    def __init__(self, subscription, session):
        self.subscription, self.session, self.received = subscription, session, 0

    def poll(self, **fields):
        head, *events = self.subscription.request(
            "poll", session=self.session, received=self.received, **fields
        )
        self.received = head["delivery"]
        self.leases = head["leases"]
        return events

    def acknowledge(self, *events):
        entries = [{key: event[key] for key in ("shard", "epoch", "lsn")} for event in events]
        return self.subscription.request(
            "acknowledge", session=self.session, acknowledged=entries
        )[0]

    def leave(self):
        self.subscription.request("leave", session=self.session)


@pytest.fixture
def connection(sidecar):
    with Connection(sidecar.endpoint) as opened:
        yield opened


@pytest.fixture
def films(connection):
    name = unused_name()
    connection.call("CreateTable", definition(name))
    yield name
    connection.call("DeleteTable", {"TableName": name})


def put(connection, table, **attributes):
    connection.call("PutItem", {"TableName": table, "Item": item(**attributes)})


def subscribe(sidecar, name, *flags, handler, errors=subprocess.DEVNULL):
    return subprocess.Popen(
        [peer.binary(), "subscribe", name, "--admin", sidecar.admin, *flags]
        + ["--exec", sys.executable, "-c", HANDLER, *map(str, handler)],
        stdin=subprocess.DEVNULL,
        stderr=errors,
    )


def ended(child, *signals):
    """Its exit status, after these signals."""
    for each in signals:
        child.send_signal(each)
    try:
        return child.wait(20)
    finally:
        child.kill()


def events_in(path):
    """What handlers have written whole."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")]


def millrace(sidecar, *arguments):
    told = subprocess.run(
        [peer.binary(), *arguments, "--admin", sidecar.admin],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return told.returncode, told.stdout + told.stderr


def test_a_member_in_another_language(sidecar, connection, films):
    subscription = Subscription(sidecar, unused_name())
    subscription.request("create", tables=[films], shards=2)
    subscription.request("create", tables=[films], shards=2)
    for n in range(20):
        put(connection, films, pk=f"k{n % 10}", n=n)
    member = subscription.join()
    events = member.poll(wait_ms=10000)
    while len(events) < 20:
        events += member.poll(wait_ms=10000)
    assert len(member.leases) == 2
    assert {event["shard"] for event in events} == {0, 1}
    assert events[0].keys() >= {"shard", "epoch", "lsn", "time", "table", "event", "keys", "new"}
    for key in range(10):
        assert [e["new"]["n"]["N"] for e in events if e["keys"] == item(pk=f"k{key}")] == [
            str(key),
            str(key + 10),
        ]
    last = {event["shard"]: event for event in events}
    answer = member.acknowledge(*last.values())
    assert answer == {"refused": [], "leases": member.leases}
    shown = subscription.shown()
    assert [shard["unacknowledged_records"] for shard in shown["shards"]] == [0, 0]
    # Behind it there may be what is of no interest to the subscription.
    assert all(shown["shards"][shard]["position"] >= last[shard]["lsn"] for shard in (0, 1))
    assert [each["member"] for each in shown["members"]] == ["python"]
    member.leave()
    with pytest.raises(Refused) as refused:
        member.poll()
    assert refused.value.status == 404
    subscription.request("delete")
    assert subscription.shown() is None


def test_one_who_lost_its_lease_is_refused(sidecar, connection, films):
    subscription = Subscription(sidecar, unused_name())
    subscription.request("create", tables=[films], shards=1)
    put(connection, films, pk="a")
    first = subscription.join()
    (event,) = first.poll(wait_ms=10000)
    first.leave()
    second = subscription.join()
    (again,) = second.poll(wait_ms=10000)
    assert (again["lsn"], again["new"]) == (event["lsn"], event["new"])
    assert again["epoch"] > event["epoch"]
    with pytest.raises(Refused):
        first.acknowledge(event)
    refused = second.acknowledge(event)["refused"]
    assert [(each["shard"], each["reason"]) for each in refused] == [(0, "lease lost")]
    assert second.acknowledge(again)["refused"] == []
    second.leave()
    subscription.request("delete")


def test_a_poll_waits_for_the_next_change(sidecar, connection, films):
    subscription = Subscription(sidecar, unused_name())
    subscription.request("create", tables=[films], **{"from": "latest"})
    member = subscription.join()
    assert member.poll() == []
    put(connection, films, pk="a")
    assert [event["keys"] for event in member.poll(wait_ms=20000)] == [item(pk="a")]
    member.leave()
    subscription.request("delete")


def test_a_filter_chooses_events(sidecar, connection, films):
    subscription = Subscription(sidecar, unused_name())
    pattern = {"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 7]}]}}}}
    subscription.request("create", tables=[films], filter=pattern)
    assert subscription.shown()["filter"] == pattern
    for n in range(10):
        put(connection, films, pk=f"k{n}", n=n)
    member = subscription.join()
    events = []
    while len(events) < 2:  # a poll answers with the shards that have something
        events += member.poll(wait_ms=10000)
    assert sorted(event["new"]["n"]["N"] for event in events) == ["8", "9"]
    member.leave()
    subscription.request("delete")


@pytest.mark.parametrize(
    "what, fields, status, words",
    [
        ("create", {"tables": ["absent-table"]}, 404, "there is no table 'absent-table'"),
        ("create", {"shards": 65}, 400, "'shards' must be a whole number from 1 to 64"),
        ("create", {"shard": 1}, 400, "did you mean 'shards'?"),
        ("create", {"from": "soon"}, 400, "is no place to begin"),
        ("create", {"filter": {"a": "b"}}, 400, "must stand in a list"),
        ("join", {}, 404, "there is no subscription"),
        ("poll", {}, 400, "'session' is missing"),
        ("reset", {}, 400, "'from' is missing"),
    ],
)
def test_mistakes_are_refused(sidecar, what, fields, status, words):
    with pytest.raises(Refused) as refused:
        Subscription(sidecar, unused_name()).request(what, **fields)
    assert refused.value.status == status
    assert words in str(refused.value)


def test_a_handler_says_ok_retry_or_fail(sidecar, connection, films, tmp_path):
    name, seen, failed = unused_name(), tmp_path / "seen", tmp_path / "failed"
    for n in range(4):
        put(connection, films, pk="a", n=n)
    verdict = '{"1": "retry" if n < 3 else "ok", "2": "fail no good"}.get(e["new"]["n"]["N"], "ok")'
    child = subscribe(
        sidecar, name, "--table", films, "--failed", failed, handler=[seen, verdict]
    )
    try:
        wait_until(lambda: len(events_in(seen)) == 6, 30, "all events were handled")
    finally:
        assert ended(child, signal.SIGTERM) == 0
    assert [event["new"]["n"]["N"] for event in events_in(seen)] == ["0", "1", "1", "1", "2", "3"]
    (event,) = events_in(failed)
    assert event["reason"] == "no good"
    assert event["event"]["new"]["n"]["N"] == "2"
    shown = Subscription(sidecar, name).shown()
    assert shown["members"] == []
    assert max(shard["position"] for shard in shown["shards"]) >= events_in(seen)[-1]["lsn"]
    Subscription(sidecar, name).request("delete")


@pytest.mark.parametrize(
    "broken",
    ["sys.exit(3)", "os.kill(os.getpid(), 9)", '"nonsense"', '"ok\\nok"', "time.sleep(60)"],
)
def test_a_handler_that_breaks_is_started_again(sidecar, connection, films, tmp_path, broken):
    name, seen = unused_name(), tmp_path / "seen"
    for n in range(3):
        put(connection, films, pk="a", n=n)
    verdict = f'{broken} if n == 1 and e["new"]["n"]["N"] == "1" else "ok"'
    errors = tmp_path / "errors"
    with errors.open("w") as stderr:
        child = subscribe(
            sidecar,
            *(name, "--table", films, "--timeout-ms", "3000"),
            handler=[seen, verdict],
            errors=stderr,
        )
    try:
        wait_until(
            lambda: [e["new"]["n"]["N"] for e in events_in(seen)][-1:] == ["2"], 30, "it goes on"
        )
    finally:
        assert ended(child, signal.SIGTERM) == 0
    numbers = [event["new"]["n"]["N"] for event in events_in(seen)]
    # A second answer to one event is seen before the next event is written.
    assert numbers in (["0", "1", "1", "2"], ["0", "1", "2"])
    assert "the handler is started again" in errors.read_text()
    Subscription(sidecar, name).request("delete")


def test_after_so_many_attempts_an_event_has_failed(sidecar, connection, films, tmp_path):
    name, seen, failed = unused_name(), tmp_path / "seen", tmp_path / "failed"
    put(connection, films, pk="a")
    child = subscribe(
        sidecar,
        *(name, "--all-tables", "--from", "trim_horizon", "--attempts", "2"),
        *("--failed", failed, "--filter", json.dumps({"eventSourceARN": [{"suffix": films}]})),
        handler=[seen, '"retry"'],
    )
    try:
        wait_until(lambda: events_in(failed), 30, "the event failed")
    finally:
        assert ended(child, signal.SIGTERM) == 0
    assert len(events_in(seen)) == 2
    Subscription(sidecar, name).request("delete")


def test_a_program_that_is_not_there_is_told(sidecar, films):
    code, told = millrace(sidecar, "subscribe", "x")
    assert (code, "subscribe needs a handler" in told) == (2, True)
    child = subprocess.run(
        [peer.binary(), "subscribe", "x", "--table", films, "--admin", sidecar.admin]
        + ["--exec", "/absent/program"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert child.returncode == 2
    assert "cannot run the handler '/absent/program'" in child.stderr


def test_subscriptions_are_listed_reset_and_deleted(sidecar, connection, films):
    subscription = Subscription(sidecar, unused_name())
    subscription.request("create", tables=[films], shards=1)
    put(connection, films, pk="a")
    member = subscription.join()
    member.acknowledge(*member.poll(wait_ms=10000))
    code, told = millrace(sidecar, "subscriptions", "reset", subscription.name, "--from", "latest")
    assert (code, "has members" in told) == (1, True)
    member.leave()
    code, told = millrace(sidecar, "subscriptions")
    assert code == 0
    assert f"{subscription.name}  {films}  shards=1 members=0" in told
    code, told = millrace(
        sidecar, "subscriptions", "reset", subscription.name, "--from", "trim_horizon"
    )
    assert (code, told) == (0, f"reset {subscription.name}\n")
    member = subscription.join()
    assert [event["keys"] for event in member.poll(wait_ms=10000)] == [item(pk="a")]
    member.leave()
    code, told = millrace(sidecar, "subscriptions", "delete", subscription.name)
    assert (code, told) == (0, f"deleted {subscription.name}\n")
    code, told = millrace(sidecar, "subscriptions", "list", subscription.name)
    assert code == 1


def test_what_it_lags_by_is_measured(sidecar, connection, films):
    subscription = Subscription(sidecar, unused_name())
    subscription.request("create", tables=[films])
    put(connection, films, pk="a")
    member = subscription.join()
    member.poll(wait_ms=10000)
    with urllib.request.urlopen(f"http://{sidecar.admin}/metrics", timeout=30) as answer:
        metrics = dict(
            line.rsplit(" ", 1)
            for line in answer.read().decode().splitlines()
            if f'subscription="{subscription.name}"' in line
        )
    values = {name.split("{")[0]: float(value) for name, value in metrics.items()}
    assert values["millrace_subscription_members"] == 1
    assert values["millrace_subscription_unacknowledged_records"] == 1
    assert values["millrace_subscription_delivered_total"] == 1
    assert values["millrace_subscription_acknowledged_total"] == 0
    assert values["millrace_subscription_gaps_total"] == 0
    assert values["millrace_subscription_lag_records"] >= 1
    assert values["millrace_subscription_lag_seconds"] >= 0
    member.leave()
    subscription.request("delete")


def test_nothing_is_skipped_when_a_member_and_the_sidecar_are_killed(tmp_path):
    running = peer.Sidecar(tmp_path / "sidecar").start()
    seen = tmp_path / "seen"
    flags = ["work", "--table", "films", "--shards", "4", "--session-timeout-ms", "1000"]
    members = []
    try:
        with Connection(running.endpoint) as connection:
            connection.call("CreateTable", definition("films"))
            for _ in range(2):
                members.append(subscribe(running, *flags, handler=[seen, '"ok"']))
            for n in range(200):
                put(connection, "films", pk=f"k{n % 20}", n=n)
        wait_until(lambda: len(events_in(seen)) >= 50, 60, "events are handled")
        members[0].kill()
        wait_until(lambda: numbers_in(seen) == set(range(200)), 60, "the other one takes over")
        running.kill()
        running.start()
        with Connection(running.endpoint) as connection:
            for n in range(200, 400):
                put(connection, "films", pk=f"k{n % 20}", n=n)
        wait_until(lambda: numbers_in(seen) == set(range(400)), 60, "it has joined again")
        assert ended(members[1], signal.SIGTERM) == 0
        shown = Subscription(running, "work").shown()
        assert shown["members"] == []
        assert sum(shard["gaps"] for shard in shown["shards"]) == 0
    finally:
        for member in members:
            member.kill()
        running.stop()
    # The first time that each change of an item is seen is in the order of the changes.
    for key in range(20):
        numbers = [
            int(event["new"]["n"]["N"])
            for event in events_in(seen)
            if event["keys"] == item(pk=f"k{key}")
        ]
        assert list(dict.fromkeys(numbers)) == list(range(key, 400, 20))


def numbers_in(path):
    return {int(event["new"]["n"]["N"]) for event in events_in(path)}
