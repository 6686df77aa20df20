"""The item cache, as the header x-millrace-cache tells it."""

import collections
import itertools
import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from conftest import definition, unused_name
from expecting import item
from peers.process import wait_until
from peers.sidecar import Sidecar, binary, client
from raw import Connection

pytestmark = pytest.mark.ours


@pytest.fixture
def connection(sidecar):
    with Connection(sidecar.endpoint) as opened:
        yield opened


@pytest.fixture
def cached(connection):
    """A table as the sidecar with the cache has it."""
    name = unused_name()
    connection.call("CreateTable", definition(name))
    yield name
    connection.call("DeleteTable", {"TableName": name})


def get(connection, table, key="a", **more):
    """The item, and the cache's words."""
    answer = connection.send({"TableName": table, "Key": item(pk=key), **more}, "GetItem").check()
    assert answer.status == 200, answer.body
    return answer.json().get("Item"), answer.headers["x-millrace-cache"]


def test_a_written_item_is_answered_by_the_cache(connection, cached):
    connection.call("PutItem", {"TableName": cached, "Item": item(pk="a", n=1)})
    get(connection, cached)
    found, words = get(connection, cached)
    assert found == item(pk="a", n=1)
    assert re.fullmatch(r"hit; lsn=\d+", words)


def test_the_lsn_rises_with_the_item(connection, cached):
    last = 0
    for n in range(3):
        connection.call("PutItem", {"TableName": cached, "Item": item(pk="a", n=n)})
        get(connection, cached)
        found, words = get(connection, cached)
        assert found == item(pk="a", n=n)
        lsn = int(re.fullmatch(r"hit; lsn=(\d+)", words)[1])
        assert lsn > last
        last = lsn


def test_absence_is_cached_and_a_write_ends_it(connection, cached):
    assert get(connection, cached)[0] is None
    found, words = get(connection, cached)
    assert found is None
    assert words.startswith("hit")
    connection.call("PutItem", {"TableName": cached, "Item": item(pk="a")})
    assert get(connection, cached)[0] == item(pk="a")
    connection.call("DeleteItem", {"TableName": cached, "Key": item(pk="a")})
    assert get(connection, cached)[0] is None


def test_every_kind_of_write_is_seen_at_once(connection, cached):
    table = cached

    def seen(expected):
        for _ in range(2):
            assert get(connection, table)[0] == expected

    connection.call("PutItem", {"TableName": table, "Item": item(pk="a", n=1)})
    seen(item(pk="a", n=1))
    connection.call(
        "UpdateItem",
        {
            "TableName": table,
            "Key": item(pk="a"),
            "UpdateExpression": "SET n = :n",
            "ExpressionAttributeValues": {":n": {"N": "2"}},
        },
    )
    seen(item(pk="a", n=2))
    connection.call(
        "BatchWriteItem", {"RequestItems": {table: [{"PutRequest": {"Item": item(pk="a", n=3)}}]}}
    )
    seen(item(pk="a", n=3))
    connection.call(
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"TableName": table, "Item": item(pk="a", n=4)}}]},
    )
    seen(item(pk="a", n=4))
    connection.call("DeleteItem", {"TableName": table, "Key": item(pk="a")})
    seen(None)


def test_deletions_by_time_and_by_batch_are_seen(connection, cached):
    connection.call(
        "UpdateTimeToLive",
        {
            "TableName": cached,
            "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "until"},
        },
    )
    connection.call("PutItem", {"TableName": cached, "Item": item(pk="a", until=int(time.time()))})
    connection.call("PutItem", {"TableName": cached, "Item": item(pk="b")})
    get(connection, cached)
    assert get(connection, cached, "b")[0] == item(pk="b")
    connection.call(
        "BatchWriteItem", {"RequestItems": {cached: [{"DeleteRequest": {"Key": item(pk="b")}}]}}
    )
    assert get(connection, cached, "b")[0] is None
    wait_until(lambda: get(connection, cached)[0] is None, 20, "the item has expired")


def test_projections_and_capacity_of_a_cached_item(connection, cached):
    connection.call("PutItem", {"TableName": cached, "Item": item(pk="a", x=1, y="y" * 5000)})
    for _ in range(2):
        found, words = get(connection, cached, ProjectionExpression="x")
        assert found == item(x=1)
        assert words.startswith("hit")
        found, words = get(connection, cached, AttributesToGet=["x"])
        assert found == item(x=1)
        assert words.startswith("hit")
        answer = connection.send(
            {"TableName": cached, "Key": item(pk="a"), "ReturnConsumedCapacity": "TOTAL"}, "GetItem"
        ).check()
        assert answer.headers["x-millrace-cache"].startswith("hit")
        assert answer.json()["Item"] == item(pk="a", x=1, y="y" * 5000)
        assert answer.json()["ConsumedCapacity"] == {"TableName": cached, "CapacityUnits": 1.0}


def test_a_batch_is_answered_from_the_cache_as_of_one_lsn(connection, cached):
    for key in "ab":
        connection.call("PutItem", {"TableName": cached, "Item": item(pk=key)})
    request = {
        "RequestItems": {cached: {"Keys": [item(pk=key) for key in "abc"]}},
        "ReturnConsumedCapacity": "TOTAL",
    }
    expected = {
        "Responses": {cached: [item(pk="a"), item(pk="b")]},
        "UnprocessedKeys": {},
        "ConsumedCapacity": [{"TableName": cached, "CapacityUnits": 1.5}],
    }
    answers = [connection.send(request, "BatchGetItem").check() for _ in range(2)]
    for answer in answers:
        assert answer.json() == expected
    words = [answer.headers["x-millrace-cache"] for answer in answers]
    assert re.fullmatch(r"miss; lsn=\d+; hits=2; keys=3", words[0])
    assert re.fullmatch(r"hit; lsn=\d+; hits=3; keys=3", words[1])


def test_a_client_may_ask_for_the_stores_answer(connection, cached):
    connection.call("PutItem", {"TableName": cached, "Item": item(pk="a")})
    for directive in ("no-cache", "max-age=0, no-store"):
        answer = connection.send(
            {"TableName": cached, "Key": item(pk="a")}, "GetItem", Cache_Control=directive
        ).check()
        assert answer.json() == {"Item": item(pk="a")}
        assert re.fullmatch(r"bypass; lsn=\d+; why=no-cache", answer.headers["x-millrace-cache"])
        answer = connection.send(
            {"RequestItems": {cached: {"Keys": [item(pk="a")]}}},
            "BatchGetItem",
            Cache_Control=directive,
        ).check()
        assert re.fullmatch(
            r"bypass; lsn=\d+; why=no-cache; hits=0; keys=1", answer.headers["x-millrace-cache"]
        )
    assert get(connection, cached)[1].startswith("hit")


def test_a_table_made_again_does_not_show_the_old_items(connection):
    name = unused_name()
    for _ in range(2):
        connection.call("CreateTable", definition(name))
        assert get(connection, name)[0] is None
        connection.call("PutItem", {"TableName": name, "Item": item(pk="a")})
        assert get(connection, name)[0] == item(pk="a")
        connection.call("DeleteTable", {"TableName": name})


def test_a_cold_read_misses_then_hits(tmp_path):
    sidecar = Sidecar(tmp_path, {"cache": {"bytes": "64MB", "warm_restart": False}}).start()
    name = unused_name()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition(name))
        connection.call("PutItem", {"TableName": name, "Item": item(pk="a", n=1)})
    assert sidecar.stop() == 0
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        found, words = get(connection, name)
        assert found == item(pk="a", n=1)
        assert words.startswith("miss")
        found, words = get(connection, name)
        assert found == item(pk="a", n=1)
        assert words.startswith("hit")
    sidecar.stop()


def test_a_cache_of_no_bytes_is_off(tmp_path):
    sidecar = Sidecar(tmp_path, flags=["--cache-bytes", "0"]).start()
    name = unused_name()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition(name))
        connection.call("PutItem", {"TableName": name, "Item": item(pk="a")})
        for _ in range(2):
            found, words = get(connection, name)
            assert found == item(pk="a")
            assert not words.startswith("hit")
    sidecar.stop()


def test_a_small_cache_evicts_and_stays_right(tmp_path):
    sidecar = Sidecar(tmp_path, {"cache": {"bytes": "256KB"}}).start()
    name = unused_name()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition(name))
        for n in range(300):
            connection.call(
                "PutItem", {"TableName": name, "Item": item(pk=f"k{n}", n=n, pad="x" * 4000)}
            )
        hits = 0
        for n in range(300):
            found, words = get(connection, name, f"k{n}")
            assert found["n"] == {"N": str(n)}
            hits += words.startswith("hit")
        assert hits < 100
    sidecar.stop()


def command(sidecar, *arguments):
    return subprocess.run(
        [binary(), "cache", *arguments, "--admin", sidecar.admin],
        capture_output=True,
        text=True,
        timeout=30,
    )


def metrics(sidecar):
    with urllib.request.urlopen(f"http://{sidecar.admin}/metrics", timeout=5) as page:
        return page.read().decode()


def scan(connection, table, **more):
    answer = connection.send({"TableName": table, **more}, "Scan").check()
    return answer.headers["x-millrace-cache"].split(";")[0]


def test_an_operator_flushes_the_caches(tmp_path):
    sidecar = Sidecar(tmp_path, {"cache": {"bytes": "64MB"}}).start()
    films, people = unused_name(), unused_name()

    def fill():
        for name in (films, people):
            for key in "ab":
                connection.call("PutItem", {"TableName": name, "Item": item(pk=key)})
            scan(connection, name)

    def cached_now():
        return [
            words
            for name in (films, people)
            for words in [
                *(get(connection, name, key)[1].split(";")[0] for key in "ab"),
                scan(connection, name),
            ]
        ]

    with Connection(sidecar.endpoint) as connection:
        for name in (films, people):
            connection.call("CreateTable", definition(name))
        for arguments, items, count, left in (
            ((films, json.dumps(item(pk="a"))), 1, 1, "miss hit miss hit hit hit"),
            ((people,), 2, 1, "hit hit hit miss miss miss"),
            ((), 4, 2, "miss miss miss miss miss miss"),
        ):
            fill()
            done = command(sidecar, "flush", *arguments)
            assert done.returncode == 0, done.stderr
            assert done.stdout == f'{{"items":{items},"pages":{count}}}\n'
            assert cached_now() == left.split()
        for code, arguments, words in (
            (1, ("absent",), "absent"),
            (1, ("",), "there is no table ''"),
            (1, (films, "{}"), "does not match the schema"),
            (2, (films, "{"), "KEY: '{' is not an object of JSON"),
            (2, (films, '{"pk":{"S":"a"}},"table":"other"'), "is not an object of JSON"),
            (2, (films, ""), "KEY: '' is not an object of JSON"),
        ):
            refused = command(sidecar, "flush", *arguments)
            assert refused.returncode == code
            assert words in refused.stderr
        for path, body, words in (
            (f"?table={films}", "", "there is no parameter 'table'"),
            ("", '{"table":null}', "'table' is null"),
            ("", f'{{"table":"{films}","key":null}}', "'key' is null"),
            ("", f'{{"table":"{films}","table":"{people}"}}', "'table' is there twice"),
            ("", '{"table":5}', "the body is not as it should be"),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                url = f"http://{sidecar.admin}/v1/cache/flush{path}"
                urllib.request.urlopen(url, body.encode(), timeout=10)
            assert refused.value.code == 400
            assert words in refused.value.read().decode()
        # What a web page of anywhere could make its reader's browser send.
        page = urllib.request.Request(
            f"http://{sidecar.admin}/v1/cache/flush",
            b"",
            {"Origin": "http://elsewhere.example", "Content-Type": "text/plain"},
        )
        fill()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(page, timeout=10)
        assert refused.value.code == 403
        text = metrics(sidecar)
        assert f'millrace_cache_table_entries{{table="{films}"}} 2' in text
        assert f'millrace_query_cache_table_entries{{table="{films}"}} 1' in text
        # A table made again is one line, whatever the old one has left behind.
        connection.call("DeleteTable", {"TableName": films})
        connection.call("CreateTable", definition(films))
        fill()
        assert metrics(sidecar).count(f'millrace_cache_table_entries{{table="{films}"}} 2') == 1
    sidecar.stop()


@pytest.mark.parametrize("like", ["dynamodb", "dax"])
def test_hits_report_capacity_as_the_configuration_says(tmp_path, like):
    settings = {"consumed_capacity": like, "admission": "on_read"}
    sidecar = Sidecar(tmp_path, {"cache": settings}).start()
    ddb = client(sidecar.endpoint)
    ddb.create_table(**definition("films"))
    key = item(pk="a")
    ddb.put_item(TableName="films", Item=key)
    for read in (
        lambda: ddb.get_item(TableName="films", Key=key, ReturnConsumedCapacity="TOTAL"),
        lambda: ddb.scan(TableName="films", ReturnConsumedCapacity="TOTAL"),
        lambda: ddb.batch_get_item(
            RequestItems={"films": {"Keys": [key]}}, ReturnConsumedCapacity="TOTAL"
        ),
    ):
        command(sidecar, "flush")
        miss, hit = read(), read()
        for answer, words in ((miss, "miss"), (hit, "hit")):
            assert answer["ResponseMetadata"]["HTTPHeaders"]["x-millrace-cache"].startswith(words)
        assert miss["ConsumedCapacity"] in (
            {"TableName": "films", "CapacityUnits": 0.5},
            [{"TableName": "films", "CapacityUnits": 0.5}],
        )
        assert hit.get("ConsumedCapacity") == (
            miss["ConsumedCapacity"] if like == "dynamodb" else None
        )
        for answer in (miss, hit):
            answer.pop("ConsumedCapacity", None)
            del answer["ResponseMetadata"]
        assert miss == hit
    # What goes past the cache is consumed.
    strong = ddb.get_item(
        TableName="films", Key=key, ConsistentRead=True, ReturnConsumedCapacity="TOTAL"
    )
    assert strong["ConsumedCapacity"] == {"TableName": "films", "CapacityUnits": 1.0}
    sidecar.stop()


def test_without_caches_there_is_nothing_to_flush(tmp_path):
    sidecar = Sidecar(tmp_path, {"cache": {"bytes": "0", "query_bytes": "0"}}).start()
    refused = command(sidecar, "flush")
    assert refused.returncode == 1
    assert "there is no cache: both are switched off" in refused.stderr
    sidecar.stop()


def test_tables_have_policies_of_their_own(tmp_path):
    off, on_read = unused_name(), unused_name()
    tables = {off: {"enabled": False}, on_read: {"admission": "on_read"}}
    sidecar = Sidecar(tmp_path, {"cache": {"bytes": "64MB", "tables": tables}}).start()
    # A table made again is a new one, to the caches too.
    for _ in range(2):
        with Connection(sidecar.endpoint) as connection:
            for name in (off, on_read):
                connection.call("CreateTable", definition(name))
                connection.call("PutItem", {"TableName": name, "Item": item(pk="a")})
            for name, expected in ((off, ["bypass"] * 2), (on_read, ["miss", "hit"])):
                words = [get(connection, name)[1] for _ in range(2)]
                assert [word.split(";")[0] for word in words] == expected, name
                assert all(word.endswith("; why=off") == (name == off) for word in words)
                assert [scan(connection, name) for _ in range(2)] == expected, name
            for name in (off, on_read):
                connection.call("DeleteTable", {"TableName": name})
    sidecar.stop()


def test_a_policy_for_a_table_that_is_not_there_is_told_at_the_start(tmp_path):
    tables = {"films": {"enabled": False}, "flims": {"item_ttl": "1h"}}
    sidecar = Sidecar(tmp_path, {"cache": {"tables": tables}})

    def told():
        """By all starts together."""
        log = (sidecar.folder / "millrace.log").read_text()
        return re.findall(r"level=info event=cache-policy message=.* tables=(.*)", log)

    sidecar.start()
    assert told() == ["films,flims"]
    for name, absent in (("films", ["flims"]), ("flims", [])):
        client(sidecar.endpoint).create_table(**definition(name))
        before = told()
        sidecar.stop()
        sidecar.start()
        assert told() == before + absent
    sidecar.stop()


def test_metrics_have_what_dax_counts(tmp_path):
    sidecar = Sidecar(tmp_path, {"cache": {"bytes": "1MB", "query_bytes": "4MB"}}).start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        for n in range(40):
            large = item(pk=str(n), x="x" * 100_000)
            connection.call("PutItem", {"TableName": "films", "Item": large})
        get(connection, "films", "nobody")
        get(connection, "films", "nobody")
        keys = [item(pk="nobody"), item(pk="nobody else")]
        connection.call("BatchGetItem", {"RequestItems": {"films": {"Keys": keys}}})
        get(connection, "films", "nobody", ConsistentRead=True)
        for n in range(20):
            scan(connection, "films", Limit=7, ExclusiveStartKey=item(pk=str(n)))
        connection.send({"TableName": "absent"}, "Scan").check()
    values = dict(re.findall(r"^([^# ]\S*) (\S+)$", metrics(sidecar), re.MULTILINE))
    assert (values["ItemCacheHits"], values["ItemCacheMisses"]) == ("2", "2")
    assert (values["ScanCacheHits"], values["ScanCacheMisses"]) == ("0", "20")
    assert values['millrace_requests_total{operation="GetItem",status="200"}'] == "3"
    assert values['millrace_requests_total{operation="Scan",status="400"}'] == "1"
    for cache, limit in (("millrace_cache", 1 << 20), ("millrace_query_cache", 4 << 20)):
        assert float(values[f"{cache}_bytes_max"]) == limit
        assert 0 < float(values[f"{cache}_bytes"]) <= limit
        of_table = float(values[f'{cache}_table_bytes{{table="films"}}'])
        assert 0 < of_table <= float(values[f"{cache}_bytes"])
        assert float(values[f"{cache}_evictions_total"]) > 0
        assert float(values[f"{cache}_evicted_bytes_total"]) > 100_000
    sidecar.stop()


def test_hits_are_held_against_the_store(tmp_path):
    settings = {"cache": {"bytes": "64MB", "verify": 1}}
    sidecar = Sidecar(tmp_path, settings).start()
    checked = re.compile(
        r'^millrace_cache_checked_hits_total\{cache="(\w+)",outcome="(\w+)"\} (\d+)$', re.MULTILINE
    )
    done = threading.Event()

    def write():
        with Connection(sidecar.endpoint) as connection:
            for n in itertools.count():
                if done.is_set():
                    return
                connection.call(
                    "PutItem", {"TableName": "films", "Item": item(pk=str(n % 5), n=n, x="x" * 200)}
                )

    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        writer = threading.Thread(target=write)
        writer.start()
        outcomes = collections.Counter()
        for n in range(1500):
            key = str(n // 3 % 7)
            outcomes[get(connection, "films", key)[1].split(";")[0]] += 1
            get(connection, "films", key, ProjectionExpression="n", ReturnConsumedCapacity="TOTAL")
            keys = [item(pk=key), item(pk="nobody")]
            connection.call("BatchGetItem", {"RequestItems": {"films": {"Keys": keys}}})
            scan(connection, "films")
        done.set()
        writer.join()
        for _ in range(5):
            scan(connection, "films")
    counts = {match[:2]: int(match[2]) for match in checked.findall(metrics(sidecar))}
    assert outcomes["hit"] > 0
    assert counts["item", "equal"] >= outcomes["hit"]
    assert counts["query", "equal"] >= 4
    for cache in ("item", "query"):
        assert counts[cache, "mismatch"] == counts[cache, "unreadable"] == 0
    sidecar.stop()
