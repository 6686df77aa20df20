"""The item cache, as the header x-millrace-cache tells it."""

import re

import pytest

from conftest import definition, unused_name
from expecting import item
from peers.sidecar import Sidecar
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


def test_a_projection_of_a_cached_item(connection, cached):
    connection.call("PutItem", {"TableName": cached, "Item": item(pk="a", x=1, y=2)})
    for _ in range(2):
        found, _ = get(connection, cached, ProjectionExpression="x")
        assert found == item(x=1)
    assert get(connection, cached)[0] == item(pk="a", x=1, y=2)


def test_a_table_made_again_does_not_show_the_old_items(connection):
    name = unused_name()
    for _ in range(2):
        connection.call("CreateTable", definition(name))
        assert get(connection, name)[0] is None
        connection.call("PutItem", {"TableName": name, "Item": item(pk="a")})
        assert get(connection, name)[0] == item(pk="a")
        connection.call("DeleteTable", {"TableName": name})


def test_a_cold_read_misses_then_hits(tmp_path):
    sidecar = Sidecar(tmp_path, {"cache": {"bytes": "64MB"}}).start()
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
