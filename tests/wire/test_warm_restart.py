"""What was hot in the item cache is there again after a restart, as the store has it by then."""

import re
import urllib.request

import pytest

from conftest import definition, unused_name
from expecting import item
from peers.process import wait_until
from peers.sidecar import Sidecar
from raw import Connection

pytestmark = pytest.mark.ours

KEYS = [f"k{number}" for number in range(200)]


def put(connection, table, key, n):
    connection.call("PutItem", {"TableName": table, "Item": item(pk=key, n=n)})


def get(connection, table, key):
    """The item's number, and what the cache did."""
    answer = connection.send({"TableName": table, "Key": item(pk=key)}, "GetItem").check()
    number = answer.json().get("Item", {}).get("n", {}).get("N")
    return number and int(number), answer.headers["x-millrace-cache"].split(";")[0]


def metric(sidecar, name):
    with urllib.request.urlopen(f"http://{sidecar.admin}/metrics", timeout=5) as page:
        found = re.search(rf"^{name} (\d+)$", page.read().decode(), re.MULTILINE)
    return found and int(found[1])


def warmed(sidecar):
    """Started, with the last run's hot set read."""
    sidecar.start()
    wait_until(lambda: metric(sidecar, "millrace_cache_warmed") == 1, 30, "the cache is warm")


@pytest.fixture
def used(tmp_path):
    """A sidecar that has stopped, and its table of which each item was in the cache."""
    sidecar = Sidecar(tmp_path, {"cache": {"bytes": "64MB"}})
    warmed(sidecar)
    table = unused_name()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition(table))
        for number, key in enumerate(KEYS):
            put(connection, table, key, number)
    assert sidecar.stop() == 0
    yield sidecar, table
    sidecar.stop()


def test_the_first_read_of_a_hot_key_is_a_hit(used):
    sidecar, table = used
    warmed(sidecar)
    assert metric(sidecar, "millrace_cache_warm_fills_total") == len(KEYS)
    with Connection(sidecar.endpoint) as connection:
        for number, key in enumerate(KEYS):
            assert get(connection, table, key) == (number, "hit")
    assert "event=warm-restart keys=" in (sidecar.folder / "millrace.log").read_text()


def test_what_changed_after_the_file_was_written_is_new(used):
    sidecar, table = used
    warmed(sidecar)
    with Connection(sidecar.endpoint) as connection:
        put(connection, table, "k0", 1000)
        connection.call("DeleteItem", {"TableName": table, "Key": item(pk="k1")})
    sidecar.kill()
    warmed(sidecar)
    with Connection(sidecar.endpoint) as connection:
        assert get(connection, table, "k0") == (1000, "hit")
        assert get(connection, table, "k1") == (None, "hit")
        assert get(connection, table, "k2") == (2, "hit")


def test_a_damaged_file_means_a_cold_start(used):
    sidecar, table = used
    file = sidecar.data / "hot-set"
    file.write_bytes(file.read_bytes()[:-1])
    warmed(sidecar)
    with Connection(sidecar.endpoint) as connection:
        assert get(connection, table, "k3") == (3, "miss")
        assert get(connection, table, "k3") == (3, "hit")
    log = (sidecar.folder / "millrace.log").read_text()
    assert "the cache starts cold, its hot set is not used: its checksum is wrong" in log


def test_it_can_be_switched_off(used):
    sidecar, table = used
    sidecar.configure({"cache": {"bytes": "64MB", "warm_restart": False}})
    (sidecar.data / "hot-set").unlink()
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        assert get(connection, table, "k3") == (3, "miss")
    assert metric(sidecar, "millrace_cache_warmed") is None
    assert sidecar.stop() == 0
    assert not (sidecar.data / "hot-set").exists()
