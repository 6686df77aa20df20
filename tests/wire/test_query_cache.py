"""The query cache, as the header x-millrace-cache of Query and Scan tells it."""

import itertools
import random
import re
import threading
import urllib.request

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from botocore.config import Config

from conftest import definition, essence, unused_name
from expecting import item
from raw import Connection

pytestmark = pytest.mark.ours


@pytest.fixture
def table(sidecar):
    resource = boto3.resource(
        "dynamodb",
        endpoint_url=sidecar.endpoint,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 0}),
    )
    made = resource.create_table(**definition(unused_name()))
    yield made
    made.delete()


@pytest.fixture
def connection(sidecar):
    with Connection(sidecar.endpoint) as opened:
        yield opened


@pytest.fixture
def indexed(connection):
    """Three partitions `pk` of numbers `sk`; `local` sorts by `v` and holds keys alone, `all` has the
    partitions `v`."""
    request = definition(unused_name(), range_key="sk:N")
    request["AttributeDefinitions"].append({"AttributeName": "v", "AttributeType": "N"})

    def index(name, *keys, projection):
        schema = [{"AttributeName": key, "KeyType": role} for key, role in zip(keys, ("HASH", "RANGE"))]
        return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": projection}}

    request["LocalSecondaryIndexes"] = [index("local", "pk", "v", projection="KEYS_ONLY")]
    request["GlobalSecondaryIndexes"] = [index("all", "v", "sk", projection="ALL")]
    connection.call("CreateTable", request)
    for pk, sk in itertools.product("abc", range(8)):
        put(connection, request["TableName"], pk, sk, 0)
    yield request["TableName"]
    connection.call("DeleteTable", {"TableName": request["TableName"]})


def put(connection, table, pk, sk, n):
    connection.call(
        "PutItem", {"TableName": table, "Item": item(pk=pk, sk=sk, v=sk % 3, n=n, pad="x" * 1000)}
    )


def query_of(table, key, value, **more):
    return {
        "TableName": table,
        "KeyConditionExpression": "#k = :k",
        "ExpressionAttributeNames": {"#k": key},
        "ExpressionAttributeValues": item(**{":k": value}),
        **more,
    }


def words_of(answer):
    return answer["ResponseMetadata"]["HTTPHeaders"]["x-millrace-cache"].split(";")[0]


def test_a_page_hits_until_what_it_covers_changes(table):
    def query(key):
        return table.query(KeyConditionExpression=Key("pk").eq(key))

    for key in "ab":
        table.put_item(Item={"pk": key, "n": 1})
        assert words_of(query(key)) == "miss"
        assert words_of(query(key)) == "hit"
    assert words_of(table.scan()) == "miss"
    assert words_of(table.scan()) == "hit"
    table.put_item(Item={"pk": "a", "n": 2})
    assert words_of(query("b")) == "hit"
    for _ in range(2):
        assert query("a")["Items"] == [{"pk": "a", "n": 2}]
    assert words_of(query("a")) == "hit"
    assert sorted(found["n"] for found in table.scan()["Items"]) == [1, 2]


def test_every_page_of_a_walk_is_the_stores_byte_for_byte(connection, indexed):
    requests = [
        ("Query", query_of(indexed, "pk", "a", Limit=3)),
        ("Query", query_of(indexed, "pk", "a", Limit=3, ScanIndexForward=False)),
        ("Query", query_of(indexed, "pk", "b", IndexName="local", Limit=3)),
        ("Query", query_of(indexed, "pk", "b", IndexName="local", Select="ALL_ATTRIBUTES", Limit=3)),
        ("Query", query_of(indexed, "v", 1, IndexName="all", Limit=4)),
        ("Query", query_of(indexed, "v", 1, IndexName="all", Limit=4, ProjectionExpression="n")),
        ("Scan", {"TableName": indexed, "Limit": 5}),
        ("Scan", {"TableName": indexed, "IndexName": "all", "Limit": 5, "Select": "COUNT"}),
        ("Scan", {"TableName": indexed, "TotalSegments": 2, "Segment": 1}),
    ]
    for (operation, request), capacity in itertools.product(requests, ("NONE", "TOTAL", "INDEXES")):
        request = {**request, "ReturnConsumedCapacity": capacity}
        for page in itertools.count():
            answers = [
                connection.send(request, operation, **headers).check()
                for headers in ({}, {}, {"Cache_Control": "no-cache"})
            ]
            words = [answer.headers["x-millrace-cache"].split(";")[0] for answer in answers]
            # A page is kept once, whatever capacity is to be shown of it.
            assert words == ["miss" if capacity == "NONE" else "hit", "hit", "bypass"], request
            assert answers[0].status == 200, answers[0].body
            assert essence(answers[0]) == essence(answers[1]) == essence(answers[2])
            last_key = answers[0].json().get("LastEvaluatedKey")
            if last_key is None:
                break
            request = {**request, "ExclusiveStartKey": last_key}
        assert page > 0 or "Segment" in request


def test_strong_reads_go_past_it(table):
    table.put_item(Item={"pk": "a"})
    for _ in range(2):
        answer = table.query(KeyConditionExpression=Key("pk").eq("a"), ConsistentRead=True)
        assert words_of(answer) == "bypass"
        assert words_of(table.scan(ConsistentRead=True)) == "bypass"
    assert words_of(table.scan()) == "miss"


def test_cache_control_goes_past_it(connection, table):
    request = {"TableName": table.name}
    for headers, words in (({}, "miss"), ({}, "hit"), ({"Cache_Control": "no-cache"}, "bypass")):
        answer = connection.send(request, "Scan", **headers).check()
        assert re.fullmatch(
            rf"{words}; lsn=\d+" + ("; why=no-cache" if words == "bypass" else ""),
            answer.headers["x-millrace-cache"],
        )


def test_no_clients_lsn_falls_whatever_it_reads(sidecar, indexed):
    """Two clients read all that there is in every way while another writes; what was acknowledged is seen."""
    reads = [
        ("GetItem", {"TableName": indexed, "Key": item(pk="a", sk=0)}),
        ("GetItem", {"TableName": indexed, "Key": item(pk="a", sk=0), "ConsistentRead": True}),
        ("BatchGetItem", {"RequestItems": {indexed: {"Keys": [item(pk="a", sk=0)]}}}),
        ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": indexed, "Key": item(pk="a", sk=0)}}]}),
        ("Query", query_of(indexed, "pk", "a")),
        ("Query", query_of(indexed, "pk", "a", ConsistentRead=True)),
        ("Query", query_of(indexed, "v", 0, IndexName="all")),
        ("Query", query_of(indexed, "pk", "a", IndexName="local", Select="ALL_ATTRIBUTES")),
        ("Scan", {"TableName": indexed}),
        ("Scan", {"TableName": indexed, "IndexName": "all"}),
    ]
    written, failures, done = [0], [], threading.Event()

    def read(seed):
        chooser, last, kinds = random.Random(seed), 0, set()
        with Connection(sidecar.endpoint) as connection:
            while not done.is_set():
                operation, request = chooser.choice(reads)
                before = written[0]
                answer = connection.send(request, operation).check()
                words = answer.headers["x-millrace-cache"]
                lsn = int(re.search(r"lsn=(\d+)", words)[1])
                # The counters of pk=a, sk=0, the one item that changes, and of others, which are 0.
                newest = max(int(n) for n in re.findall(rb'"n":\{"N":"(\d+)"\}', answer.body))
                if lsn < last or newest < before:
                    failures.append((seed, operation, words, last, newest, before))
                last = lsn
                kinds.add((operation, words.split(";")[0]))
        for expected in itertools.product(("GetItem", "Query"), ("hit", "bypass")):
            if expected not in kinds:
                failures.append((seed, expected, "has not been met"))

    readers = [threading.Thread(target=read, args=(seed,)) for seed in (1, 2)]
    for reader in readers:
        reader.start()
    with Connection(sidecar.endpoint) as connection:
        for n in range(1, 600):
            put(connection, indexed, "a", 0, n)
            written[0] = n
            # So that pages are also found.
            for _ in range(3):
                connection.call("Query", query_of(indexed, "pk", "a"))
    done.set()
    for reader in readers:
        reader.join()
    assert not failures, failures[:5]


def test_its_metrics_count_hits_and_misses_of_queries_and_scans(sidecar, connection, table):
    def counts():
        with urllib.request.urlopen(f"http://{sidecar.admin}/metrics", timeout=5) as page:
            text = page.read().decode()
        names = ("QueryCacheHits", "QueryCacheMisses", "ScanCacheHits", "ScanCacheMisses")
        return [int(re.search(rf"^{name} (\d+)$", text, re.MULTILINE)[1]) for name in names]

    before = counts()
    for _ in range(3):
        connection.call("Query", query_of(table.name, "pk", "a"))
    for _ in range(2):
        connection.call("Scan", {"TableName": table.name})
    assert [now - then for now, then in zip(counts(), before)] == [2, 1, 1, 1]
