"""The Streams API: each change exactly once, in order per item, view types, switching."""

import collections
import concurrent.futures
import datetime

import pytest

from conftest import unused_name
from expecting import invalid, item, refused
from peers.process import wait_until
from peers.sidecar import client


def latest_arn(ddb, table):
    return ddb.describe_table(TableName=table)["Table"]["LatestStreamArn"]


def shards_of(streams, arn):
    found = []
    request = {"StreamArn": arn}
    while True:
        stream = streams.describe_stream(**request)["StreamDescription"]
        found += stream["Shards"]
        if "LastEvaluatedShardId" not in stream:
            return found
        request["ExclusiveStartShardId"] = stream["LastEvaluatedShardId"]


def iterator_of(streams, arn, shard, kind="TRIM_HORIZON", **more):
    return streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind, **more
    )["ShardIterator"]


def read(streams, iterator, **more):
    """Records from an iterator up to the first empty answer, or the shard's end."""
    found = []
    while iterator:
        answer = streams.get_records(ShardIterator=iterator, **more)
        found += answer["Records"]
        if not answer["Records"]:
            break
        iterator = answer.get("NextShardIterator")
    return found


def read_all(streams, arn):
    """All records of a stream, by shard."""
    return {
        shard["ShardId"]: read(streams, iterator_of(streams, arn, shard))
        for shard in shards_of(streams, arn)
    }


def records(streams, arn, count):
    """All records once there are `count`, in the order of their sequence numbers."""

    def enough():
        found = [record for shard in read_all(streams, arn).values() for record in shard]
        return found if len(found) >= count else None

    found = wait_until(enough, 10, f"{count} records")
    assert len(found) == count
    return sorted(found, key=lambda record: int(record["dynamodb"]["SequenceNumber"]))


def test_a_record_has_its_shape(ddb, streams, make_table):
    table = make_table(range_key="sk:N", view_type="NEW_AND_OLD_IMAGES")
    ddb.put_item(TableName=table, Item=item(pk="a", sk=1, x="old"))
    ddb.put_item(TableName=table, Item=item(pk="a", sk=1, x="new"))
    ddb.delete_item(TableName=table, Key=item(pk="a", sk=1))
    insert, modify, remove = records(streams, latest_arn(ddb, table), 3)
    assert [record["eventName"] for record in (insert, modify, remove)] == [
        "INSERT",
        "MODIFY",
        "REMOVE",
    ]
    assert modify["eventSource"] == "aws:dynamodb"
    assert modify["eventVersion"] == "1.1"
    assert len({record["eventID"] for record in (insert, modify, remove)}) == 3
    change = modify["dynamodb"]
    assert change["Keys"] == item(pk="a", sk=1)
    assert change["OldImage"] == item(pk="a", sk=1, x="old")
    assert change["NewImage"] == item(pk="a", sk=1, x="new")
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert change["SizeBytes"] > 0
    assert 21 <= len(change["SequenceNumber"]) <= 40
    age = datetime.datetime.now(datetime.timezone.utc) - change["ApproximateCreationDateTime"]
    assert abs(age) < datetime.timedelta(minutes=5)
    assert "OldImage" not in insert["dynamodb"]
    assert "NewImage" not in remove["dynamodb"]


@pytest.mark.parametrize(
    ("view_type", "images"),
    [
        ("KEYS_ONLY", {}),
        ("NEW_IMAGE", {"NewImage": item(pk="a", x="new")}),
        ("OLD_IMAGE", {"OldImage": item(pk="a", x="old")}),
        (
            "NEW_AND_OLD_IMAGES",
            {"NewImage": item(pk="a", x="new"), "OldImage": item(pk="a", x="old")},
        ),
    ],
)
def test_view_types(ddb, streams, make_table, view_type, images):
    table = make_table(view_type=view_type)
    ddb.put_item(TableName=table, Item=item(pk="a", x="old"))
    ddb.put_item(TableName=table, Item=item(pk="a", x="new"))
    change = records(streams, latest_arn(ddb, table), 2)[1]["dynamodb"]
    found = {name: change[name] for name in ("NewImage", "OldImage") if name in change}
    assert found == images
    assert change["Keys"] == item(pk="a")
    assert change["StreamViewType"] == view_type


def test_a_write_that_changes_nothing_makes_no_record(ddb, streams, make_table):
    table = make_table(view_type="NEW_AND_OLD_IMAGES")
    ddb.put_item(TableName=table, Item=item(pk="a", x=1))
    ddb.put_item(TableName=table, Item=item(pk="a", x=1))
    ddb.delete_item(TableName=table, Key=item(pk="nobody"))
    ddb.update_item(
        TableName=table,
        Key=item(pk="a"),
        UpdateExpression="SET x = :x",
        ExpressionAttributeValues={":x": {"N": "1.0"}},
    )
    ddb.put_item(TableName=table, Item=item(pk="a", x=2))
    assert len(records(streams, latest_arn(ddb, table), 2)) == 2


def test_batches_and_transactions_are_in_the_stream(ddb, streams, make_table):
    table = make_table(view_type="NEW_IMAGE")
    ddb.batch_write_item(
        RequestItems={table: [{"PutRequest": {"Item": item(pk=f"b{n}")}} for n in range(5)]}
    )
    ddb.transact_write_items(
        TransactItems=[{"Put": {"TableName": table, "Item": item(pk=f"t{n}")}} for n in range(5)]
    )
    found = records(streams, latest_arn(ddb, table), 10)
    keys = sorted(record["dynamodb"]["Keys"]["pk"]["S"] for record in found)
    assert keys == sorted([f"b{n}" for n in range(5)] + [f"t{n}" for n in range(5)])


def test_concurrent_changes_come_once_and_in_order_per_item(endpoint, ddb, streams, make_table):
    table = make_table(view_type="NEW_AND_OLD_IMAGES")
    items, writes = 20, 25

    def write(worker):
        own = client(endpoint)
        for _ in range(writes):
            for number in range(worker, items, 4):
                own.update_item(
                    TableName=table,
                    Key=item(pk=f"k{number}"),
                    UpdateExpression="ADD n :one",
                    ExpressionAttributeValues={":one": {"N": "1"}},
                )

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    arn = latest_arn(ddb, table)
    records(streams, arn, items * writes)
    seen = collections.defaultdict(list)
    for found in read_all(streams, arn).values():
        sequence = [int(record["dynamodb"]["SequenceNumber"]) for record in found]
        assert sequence == sorted(set(sequence))
        for record in found:
            change = record["dynamodb"]
            seen[change["Keys"]["pk"]["S"]].append(int(change["NewImage"]["n"]["N"]))
    assert seen == {f"k{number}": list(range(1, writes + 1)) for number in range(items)}


@pytest.mark.ours
def test_a_stream_has_four_open_shards_that_share_the_items(ddb, streams, make_table):
    table = make_table(view_type="KEYS_ONLY")
    for number in range(200):
        ddb.put_item(TableName=table, Item=item(pk=f"k{number}"))
    arn = latest_arn(ddb, table)
    found = shards_of(streams, arn)
    assert len(found) == 4
    for shard in found:
        assert 28 <= len(shard["ShardId"]) <= 65
        assert shard["ShardId"].startswith("shardId-")
        assert "StartingSequenceNumber" in shard["SequenceNumberRange"]
        assert "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    by_shard = read_all(streams, arn)
    assert sum(map(len, by_shard.values())) == 200
    assert all(by_shard.values())


@pytest.mark.ours
def test_describe_stream_pages(ddb, streams, make_table):
    arn = latest_arn(ddb, make_table(view_type="KEYS_ONLY"))
    first = streams.describe_stream(StreamArn=arn, Limit=3)["StreamDescription"]
    assert len(first["Shards"]) == 3
    second = streams.describe_stream(
        StreamArn=arn, ExclusiveStartShardId=first["LastEvaluatedShardId"]
    )["StreamDescription"]
    assert len(second["Shards"]) == 1
    assert "LastEvaluatedShardId" not in second


def test_describe_stream_tells_the_table(ddb, streams, make_table):
    table = make_table(range_key="sk:N", view_type="OLD_IMAGE")
    arn = latest_arn(ddb, table)
    stream = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    assert stream["StreamArn"] == arn
    assert stream["TableName"] == table
    assert stream["StreamStatus"] == "ENABLED"
    assert stream["StreamViewType"] == "OLD_IMAGE"
    assert stream["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert arn.endswith("/stream/" + stream["StreamLabel"])


def test_list_streams_of_a_table(ddb, streams, make_table):
    table = make_table(view_type="KEYS_ONLY")
    make_table(view_type="KEYS_ONLY")
    listed = streams.list_streams(TableName=table)["Streams"]
    assert [stream["StreamArn"] for stream in listed] == [latest_arn(ddb, table)]
    assert listed[0]["TableName"] == table


def find_shard(streams, arn, count):
    """The shard that holds `count` records, and these."""
    for shard in shards_of(streams, arn):
        found = read(streams, iterator_of(streams, arn, shard))
        if len(found) == count:
            return shard, found
    raise AssertionError("no shard has all of them")


def test_the_kinds_of_iterator(ddb, streams, make_table):
    table = make_table(view_type="NEW_IMAGE")

    def put(n):
        ddb.put_item(TableName=table, Item=item(pk="a", n=n))

    for n in range(4):
        put(n)
    arn = latest_arn(ddb, table)
    records(streams, arn, 4)
    shard, found = find_shard(streams, arn, 4)
    third = found[2]["dynamodb"]["SequenceNumber"]
    latest = iterator_of(streams, arn, shard, "LATEST")
    at = iterator_of(streams, arn, shard, "AT_SEQUENCE_NUMBER", SequenceNumber=third)
    after = iterator_of(streams, arn, shard, "AFTER_SEQUENCE_NUMBER", SequenceNumber=third)
    put(4)
    records(streams, arn, 5)

    def values(iterator):
        return [int(one["dynamodb"]["NewImage"]["n"]["N"]) for one in read(streams, iterator)]

    assert values(latest) == [4]
    assert values(at) == [2, 3, 4]
    assert values(after) == [3, 4]


def test_limit_and_next_iterator(ddb, streams, make_table):
    table = make_table(view_type="NEW_IMAGE")
    for n in range(5):
        ddb.put_item(TableName=table, Item=item(pk="a", n=n))
    arn = latest_arn(ddb, table)
    records(streams, arn, 5)
    shard, _ = find_shard(streams, arn, 5)
    iterator = iterator_of(streams, arn, shard)
    sizes = []
    while True:
        answer = streams.get_records(ShardIterator=iterator, Limit=2)
        assert answer["NextShardIterator"]
        if not answer["Records"]:
            break
        sizes.append(len(answer["Records"]))
        iterator = answer["NextShardIterator"]
    assert sizes == [2, 2, 1]


def test_an_iterator_can_be_read_again(ddb, streams, make_table):
    table = make_table(view_type="NEW_IMAGE")
    ddb.put_item(TableName=table, Item=item(pk="a"))
    arn = latest_arn(ddb, table)
    records(streams, arn, 1)
    shard, _ = find_shard(streams, arn, 1)
    iterator = iterator_of(streams, arn, shard)
    assert read(streams, iterator) == read(streams, iterator) != []


def test_a_disabled_stream_ends_and_stays_readable(ddb, streams, make_table):
    table = make_table(view_type="NEW_IMAGE")
    ddb.put_item(TableName=table, Item=item(pk="first"))
    old = latest_arn(ddb, table)
    ddb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    ddb.put_item(TableName=table, Item=item(pk="unseen"))
    ddb.update_table(
        TableName=table,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    ddb.put_item(TableName=table, Item=item(pk="second"))
    new = latest_arn(ddb, table)
    assert new != old
    assert [one["dynamodb"]["Keys"] for one in records(streams, old, 1)] == [item(pk="first")]
    assert [one["dynamodb"]["Keys"] for one in records(streams, new, 1)] == [item(pk="second")]
    wait_until(
        lambda: streams.describe_stream(StreamArn=old)["StreamDescription"]["StreamStatus"]
        == "DISABLED",
        20,
        "the old stream is disabled",
    )
    for shard in shards_of(streams, old):
        assert "EndingSequenceNumber" in shard["SequenceNumberRange"]
        iterator = iterator_of(streams, old, shard)
        while iterator:  # Ends: a closed shard gives no iterator past its end.
            iterator = streams.get_records(ShardIterator=iterator).get("NextShardIterator")


@pytest.mark.service
def test_wrong_requests_are_refused(ddb, streams, make_table):
    table = make_table(view_type="KEYS_ONLY")
    arn = latest_arn(ddb, table)
    shard = shards_of(streams, arn)[0]
    absent = arn.replace(table, unused_name())
    with refused("ResourceNotFoundException"):
        streams.describe_stream(StreamArn=absent)
    with refused("ResourceNotFoundException"):
        iterator_of(streams, arn, {"ShardId": "shardId-00000000000000000000-00000000"})
    with refused("ValidationException"):
        streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="SOMEWHERE"
        )
    with refused("ValidationException"):
        iterator_of(streams, arn, shard, "AT_SEQUENCE_NUMBER")
    with refused("ValidationException"):
        streams.get_records(ShardIterator="nonsense")
    iterator = iterator_of(streams, arn, shard)
    tampered = iterator[:-4] + ("AAAA" if iterator[-4:] != "AAAA" else "BBBB")
    with refused("ValidationException"):
        streams.get_records(ShardIterator=tampered)
    with refused("ValidationException"):
        streams.get_records(ShardIterator=iterator, Limit=1001)
    with invalid(
        "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 100"
    ):
        streams.list_streams(Limit=101)
