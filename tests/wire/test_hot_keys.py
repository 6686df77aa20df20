"""The keys that are asked for most, on the administrative port and on the command line."""

import json
import random
import subprocess
import urllib.error
import urllib.request

import pytest

from conftest import definition, index, unused_name
from peers import sidecar as peer

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def hot(tmp_path_factory):
    """A sidecar with two tables; of one a few keys are read much more than all others."""
    running = peer.Sidecar(tmp_path_factory.mktemp("hot"), {"cache": {"bytes": "64MB"}}).start()
    ddb = running.client()
    films, people = unused_name(), unused_name()
    ddb.create_table(**definition(films, range_key="sk:N"))
    ddb.create_table(**definition(people))
    draw = random.Random(1)
    for rank in draw.choices(range(30), [(rank + 1) ** -2 for rank in range(30)], k=600):
        ddb.get_item(TableName=films, Key=key_of(rank))
    for number in range(60):
        ddb.put_item(TableName=people, Item={"pk": {"S": "often"}, "n": {"N": str(number)}})
    running.films, running.people = films, people
    yield running
    running.stop()


def key_of(rank):
    return {"pk": {"S": f"k{rank}"}, "sk": {"N": str(-rank)}}


def ask(sidecar, query="", what="hot-keys"):
    url = f"http://{sidecar.admin}/v1/cache/{what}{query}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def command(sidecar, *arguments):
    return subprocess.run(
        [str(peer.binary()), "cache", "hot", *arguments, "--admin", sidecar.admin],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_skewed_load_names_its_hottest_key(hot):
    answer = ask(hot)
    first = answer["keys"][0]
    assert first["table"] == hot.films
    assert first["key"] == key_of(0)
    assert first["reads_per_second"] > 0
    assert first["writes_per_second"] == 0
    assert len(answer["keys"]) <= 10
    total = [key["reads_per_second"] + key["writes_per_second"] for key in answer["keys"]]
    assert total == sorted(total, reverse=True)
    assert sum(total) <= answer["requests_per_second"] + 0.001 * (len(total) + 1)


def test_of_one_table_with_its_writes(hot):
    (only,) = ask(hot, f"?table={hot.people}")["keys"]
    assert only["key"] == {"pk": {"S": "often"}}
    assert only["writes_per_second"] > 0
    assert only["reads_per_second"] == 0
    assert len(ask(hot, "?limit=1")["keys"]) == 1


def test_keys_of_a_deleted_table_are_not_named_and_take_no_place(hot):
    ddb = hot.client()
    name = unused_name()
    ddb.create_table(**definition(name))
    for number in range(1200):
        ddb.put_item(TableName=name, Item={"pk": {"S": "old"}, "n": {"N": str(number)}})
    (first,) = ask(hot, "?limit=1")["keys"]
    assert (first["table"], first["key"]) == (name, {"pk": {"S": "old"}})
    ddb.delete_table(TableName=name)
    # One of the same name, whose keys are of another kind.
    ddb.create_table(**definition(name, hash_key="id:N"))
    (first,) = ask(hot, "?limit=1")["keys"]
    assert (first["table"], first["key"]) == (hot.films, key_of(0))
    assert name not in {key["table"] for key in ask(hot, "?limit=1000")["keys"]}
    assert ask(hot, f"?table={name}")["keys"] == []


def test_the_command_shows_them(hot):
    shown = command(hot)
    assert shown.returncode == 0, shown.stderr
    first = shown.stdout.splitlines()[1]
    assert f'{hot.films} {{"pk":{{"S":"k0"}},"sk":{{"N":"0"}}}}' in first
    of_people = command(hot, hot.people, "--json", "--limit", "5")
    assert [key["table"] for key in json.loads(of_people.stdout)["keys"]] == [hot.people]


@pytest.fixture
def crowded(hot):
    """A table of which one partition of many items is read, and one of an index by Query."""
    ddb = hot.client()
    name = unused_name()
    table = definition(name, range_key="sk:N")
    table["AttributeDefinitions"] += [
        {"AttributeName": key, "AttributeType": kind} for key, kind in (("year", "N"), ("by", "B"))
    ]
    table["GlobalSecondaryIndexes"] = [index("by-year", ["year"], ["by"])]
    ddb.create_table(**table)
    for number in range(400):
        for sk in (2 * number, 2 * number + 1):
            ddb.get_item(TableName=name, Key={"pk": {"S": "crowd"}, "sk": {"N": str(sk)}})
        ddb.query(
            TableName=name,
            IndexName="by-year",
            KeyConditionExpression="#year = :year AND #by > :by",
            ExpressionAttributeNames={"#year": "year", "#by": "by"},
            ExpressionAttributeValues={
                ":year": {"N": "1968"}, ":by": {"B": number.to_bytes(2, "big")},
            },
        )
    yield name
    ddb.delete_table(TableName=name)


def test_a_crowded_partition_is_named(hot, crowded):
    partitions = ask(hot, f"?table={crowded}", "hot-partitions")["partitions"]
    named = [{member: one[member] for member in ("table", "index", "key") if member in one}
             for one in partitions]
    assert named == [
        {"table": crowded, "key": {"pk": {"S": "crowd"}}},
        {"table": crowded, "index": "by-year", "key": {"year": {"N": "1968"}}},
    ]
    assert all(one["reads_per_second"] > 0 for one in partitions)
    assert all(one["writes_per_second"] == 0 for one in partitions)
    shown = command(hot, crowded, "--partitions")
    assert shown.returncode == 0, shown.stderr
    first, second = shown.stdout.splitlines()[1:]
    assert first.endswith(f'{crowded} {{"pk":{{"S":"crowd"}}}}')
    assert second.endswith(f'{crowded}/by-year {{"year":{{"N":"1968"}}}}')


@pytest.mark.parametrize(
    "query, status, words",
    [
        ("?limit=0", 400, "limit: '0' is not a number from 1 to 1000"),
        ("?limit=1001", 400, "limit: '1001'"),
        ("?limit=x", 400, "limit: 'x'"),
        ("?tabel=t", 400, "there is no parameter 'tabel'; known are limit and table"),
        ("?table=absent", 404, "there is no table 'absent'"),
    ],
)
def test_a_wrong_question_is_told_so(hot, query, status, words):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(hot, query)
    assert refused.value.code == status
    assert words in refused.value.read().decode()


def test_the_command_says_what_is_wrong(hot):
    refused = command(hot, hot.films[:-1] + "x")
    assert refused.returncode == 1
    assert "there is no table" in refused.stderr
