"""Shards that split, merge, roll over and are trimmed, as a consumer of the Streams API sees it."""

import urllib.error
import urllib.request

import pytest
from test_streams import iterator_of, latest_arn, read, shards_of

from conftest import definition, unused_name
from expecting import item, refused
from peers.sidecar import Sidecar
from raw import Connection

pytestmark = pytest.mark.ours


class Controlled(Sidecar):
    """A sidecar whose shards and clock the tests change."""

    def __init__(self, folder):
        super().__init__(folder, flags=["--allow-stream-control"])

    def refusal(self, path, **parameters):
        with pytest.raises(urllib.error.HTTPError) as raised:
            self.control(path, **parameters)
        return raised.value.code, raised.value.read().decode()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    running = Controlled(tmp_path_factory.mktemp("shards")).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ddb(node):
    return node.client()


@pytest.fixture(scope="module")
def streams(node):
    return node.client("dynamodbstreams")


@pytest.fixture
def table(ddb):
    name = unused_name()
    ddb.create_table(**definition(name, view_type="NEW_IMAGE"))
    yield name
    ddb.delete_table(TableName=name)


def put(ddb, table, number, **more):
    ddb.put_item(TableName=table, Item=item(pk=f"k{number}", **more))


def fill(ddb, table, generation, items=40):
    for number in range(items):
        put(ddb, table, number, n=generation)


def end_of(shard):
    return shard["SequenceNumberRange"].get("EndingSequenceNumber")


def open_shards(streams, arn):
    return [shard for shard in shards_of(streams, arn) if not end_of(shard)]


def keys_of(records):
    return [
        (record["dynamodb"]["Keys"]["pk"]["S"], int(record["dynamodb"]["NewImage"]["n"]["N"]))
        for record in records
    ]


def children_of(node, arn, parent):
    """boto3 of this age knows no ShardFilter."""
    request = {"StreamArn": arn, "ShardFilter": {"Type": "CHILD_SHARDS", "ShardId": parent}}
    with Connection(node.endpoint) as connection:
        answer = connection.call("DynamoDBStreams_20120810.DescribeStream", request)
    return answer["StreamDescription"]["Shards"]


def consume(streams, arn):
    """All records as a consumer takes them that reads a shard once its parent has been read."""
    shards = {shard["ShardId"]: shard for shard in shards_of(streams, arn)}
    done, found = set(), []
    while len(done) < len(shards):
        ready = [
            shard
            for name, shard in shards.items()
            if name not in done
            and (shard.get("ParentShardId") not in shards or shard["ParentShardId"] in done)
        ]
        assert ready, "shards that wait for each other"
        for shard in reversed(ready):
            found += read_to_end(streams, iterator_of(streams, arn, shard))
            done.add(shard["ShardId"])
    return found


def read_to_end(streams, iterator, empty_most=3):
    found, empty = [], 0
    while iterator and empty < empty_most:
        answer = streams.get_records(ShardIterator=iterator)
        found += answer["Records"]
        empty = 0 if answer["Records"] else empty + 1
        iterator = answer.get("NextShardIterator")
    return found


def test_a_split_shard_ends_and_its_children_name_it(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    fill(ddb, table, 1)
    parent = open_shards(streams, arn)[1]
    before = iterator_of(streams, arn, parent)
    answer = node.control("streams/split", table=table, shard=parent["ShardId"])
    assert answer["streamArn"] == arn
    assert len(answer["openShards"]) == 5
    fill(ddb, table, 2)
    closed = next(one for one in shards_of(streams, arn) if one["ShardId"] == parent["ShardId"])
    assert end_of(closed)
    children = [
        one for one in shards_of(streams, arn) if one.get("ParentShardId") == parent["ShardId"]
    ]
    assert len(children) == 2
    for child in children:
        assert not end_of(child)
        assert child["ShardId"] > parent["ShardId"]
        assert child["SequenceNumberRange"]["StartingSequenceNumber"] >= end_of(closed)
    of_parent = keys_of(read_to_end(streams, before))
    assert of_parent and {generation for _, generation in of_parent} == {1}
    of_children = [
        keys_of(read(streams, iterator_of(streams, arn, child))) for child in children
    ]
    assert all(of_children)
    assert sorted(key for key, _ in sum(of_children, [])) == sorted(key for key, _ in of_parent)


def test_child_shards_are_asked_for_by_their_parent(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    parent = open_shards(streams, arn)[0]["ShardId"]
    assert children_of(node, arn, parent) == []
    answer = node.control("streams/split", table=table, shard=parent)
    children = {
        one["shardId"] for one in answer["openShards"] if one.get("parentShardId") == parent
    }
    node.control("streams/rollover", table=table)
    found = children_of(node, arn, parent)
    assert {shard["ShardId"] for shard in found} == children, "the immediate ones"


def test_a_rollover_keeps_order_and_loses_nothing(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    for generation in range(4):
        fill(ddb, table, generation)
        node.control("streams/rollover", table=table)
    assert len(open_shards(streams, arn)) == 4
    assert len(shards_of(streams, arn)) == 20
    found = keys_of(consume(streams, arn))
    for number in range(40):
        assert [n for key, n in found if key == f"k{number}"] == [0, 1, 2, 3]


def test_describe_stream_pages_over_generations_of_shards(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    for _ in range(3):
        node.control("streams/rollover", table=table)
    whole = [shard["ShardId"] for shard in shards_of(streams, arn)]
    assert whole == sorted(whole)
    paged, start = [], {}
    while True:
        page = streams.describe_stream(StreamArn=arn, Limit=3, **start)["StreamDescription"]
        paged += [shard["ShardId"] for shard in page["Shards"]]
        if "LastEvaluatedShardId" not in page:
            break
        start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}
    assert paged == whole


def test_a_merge_that_could_be_read_out_of_order_is_refused(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    one, other = (shard["ShardId"] for shard in open_shards(streams, arn)[:2])
    answer = node.control("streams/merge", table=table, shard=one, **{"with": other})
    assert len(answer["openShards"]) == 3
    fill(ddb, table, 1)
    one, other = (shard["shardId"] for shard in answer["openShards"][:2])
    code, body = node.refusal("streams/merge", table=table, shard=one, **{"with": other})
    assert code == 400
    assert "neither shard can be merged into the other" in body
    assert len(keys_of(consume(streams, arn))) == 40


def test_siblings_merge_again(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    fill(ddb, table, 1)
    parent = open_shards(streams, arn)[2]["ShardId"]
    answer = node.control("streams/split", table=table, shard=parent)
    low, high = [one for one in answer["openShards"] if one.get("parentShardId") == parent]
    node.control("streams/merge", table=table, shard=low["shardId"], **{"with": high["shardId"]})
    fill(ddb, table, 2)
    found = keys_of(consume(streams, arn))
    for number in range(40):
        assert [n for key, n in found if key == f"k{number}"] == [1, 2]
    for gone in (low, high):
        found = children_of(node, arn, gone["shardId"])
        assert len(found) == 1, "a consumer of either finds the merged one"


def test_what_is_trimmed_is_refused_or_passed_over(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    for n in range(3):
        put(ddb, table, 0, n=n)
    shard = next(one for one in shards_of(streams, arn) if read(streams, iterator_of(streams, arn, one)))
    first = streams.get_records(ShardIterator=iterator_of(streams, arn, shard), Limit=1)
    second = streams.get_records(ShardIterator=first["NextShardIterator"], Limit=1)["Records"][0]
    number = second["dynamodb"]["SequenceNumber"]
    node.control("streams/trim", table=table, through=number)
    assert keys_of(read(streams, iterator_of(streams, arn, shard))) == [("k0", 2)]
    with refused("TrimmedDataAccessException"):
        streams.get_records(ShardIterator=first["NextShardIterator"])
    with refused("TrimmedDataAccessException"):
        iterator_of(streams, arn, shard, "AT_SEQUENCE_NUMBER", SequenceNumber=number)


def test_iterators_expire(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    shard = open_shards(streams, arn)[0]
    iterator = iterator_of(streams, arn, shard)
    node.control("streams/expire-iterators")
    with refused("ExpiredIteratorException"):
        streams.get_records(ShardIterator=iterator)
    fresh = iterator_of(streams, arn, shard)
    assert streams.get_records(ShardIterator=fresh)["NextShardIterator"]
    node.control("clock/advance", by="16m")
    with refused("ExpiredIteratorException"):
        streams.get_records(ShardIterator=fresh)


def test_records_and_shards_go_after_a_day(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    put(ddb, table, 0, n=1)
    parents = {shard["ShardId"] for shard in open_shards(streams, arn)}
    node.control("streams/rollover", table=table)
    node.control("clock/advance", by="23h")
    put(ddb, table, 0, n=2)
    assert keys_of(consume(streams, arn)) == [("k0", 1), ("k0", 2)]
    node.control("clock/advance", by="2h")
    assert keys_of(consume(streams, arn)) == [("k0", 2)]
    left = {shard["ShardId"] for shard in shards_of(streams, arn)}
    assert left and not left & parents
    with refused("ResourceNotFoundException"):
        iterator_of(streams, arn, {"ShardId": min(parents)})


def test_shards_are_what_they_were_after_a_restart(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    fill(ddb, table, 1)
    node.control("streams/split", table=table, shard=open_shards(streams, arn)[0]["ShardId"])
    node.control("streams/rollover", table=table)
    fill(ddb, table, 2)
    before = shards_of(streams, arn)
    records = consume(streams, arn)
    node.kill()
    node.start()
    assert shards_of(streams, arn) == before
    assert consume(streams, arn) == records


def test_mistakes_are_named(node, ddb, streams, table):
    arn = latest_arn(ddb, table)
    shard = open_shards(streams, arn)[0]["ShardId"]
    for path, parameters, code, message in [
        ("streams/split", {}, 400, "name the stream's table"),
        ("streams/split", {"table": "nobody"}, 404, "there is no table 'nobody'"),
        ("streams/split", {"table": table}, 400, "name a shard"),
        ("streams/split", {"table": table, "shard": "s"}, 404, "has no shard 's'"),
        ("streams/split", {"table": table, "shrad": shard}, 400, "did you mean 'shard'"),
        ("streams/split", {"table": table, "shard": shard, "at": "x"}, 400, "'x' is no hash"),
        ("streams/split", {"table": table, "shard": shard, "at": 0}, 400, "one part empty"),
        ("streams/trim", {"table": table, "through": "7"}, 400, "no sequence number"),
        ("clock/advance", {"by": "-1h"}, 400, "not a duration"),
        ("clock/advance", {}, 400, "by how much"),
    ]:
        got, body = node.refusal(path, **parameters)
        assert (got, message in body) == (code, True), body
    ddb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    assert node.refusal("streams/rollover", table=table)[0] == 404


@pytest.mark.parametrize("path", ["clock/advance?by=1s", "streams/trim?table=t"])
def test_what_is_not_allowed_is_refused(sidecar, path):
    request = urllib.request.Request(f"http://{sidecar.admin}/v1/{path}", method="POST")
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=10)
    assert raised.value.code == 403
    assert "--allow-stream-control" in raised.value.read().decode()
