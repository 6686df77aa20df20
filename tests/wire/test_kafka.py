"""The Kafka connector against a real broker."""

import collections
import json

import pytest

from conftest import definition
from expecting import item
from peers.kafka import Kafka
from peers.process import wait_until
from peers.sidecar import Sidecar
from raw import Connection

pytestmark = pytest.mark.ours

PARTITIONS = 4


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    broker = Kafka(tmp_path_factory.mktemp("kafka"), partitions=PARTITIONS).start()
    yield broker
    broker.stop()


@pytest.fixture
def feeding(kafka, tmp_path, request):
    """A sidecar whose table `films` goes to a topic of the test's own; ends by itself."""
    topic = request.node.name.replace("[", "-").replace("]", "")
    sidecar = Sidecar(
        tmp_path,
        {
            "connectors": [
                {
                    "name": "to-kafka",
                    "kind": "kafka",
                    "tables": ["films"],
                    "brokers": kafka.brokers,
                    "topic": topic,
                    "properties": {"linger.ms": 5},
                }
            ]
        },
    )
    sidecar.topic = topic
    sidecar.start()
    yield sidecar
    sidecar.kill()


def delivered(kafka, topic, count, seconds=30):
    """The messages of a topic once there are at least `count`."""

    def enough():
        found = kafka.messages(topic)
        return found if len(found) >= count else None

    return wait_until(enough, seconds, f"{count} messages in {topic}")


def murmur2(data):
    """The hash of Kafka's default partitioner (org.apache.kafka.common.utils.Utils.murmur2)."""
    mask = 0xFFFFFFFF
    m = 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def test_each_change_is_a_streams_record(kafka, feeding):
    with Connection(feeding.endpoint) as connection:
        connection.call("CreateTable", definition("films", range_key="sk:N"))
        key = item(pk="Zürich", sk=1.5)
        connection.call("PutItem", {"TableName": "films", "Item": {**key, "x": {"S": "old"}}})
        connection.call("PutItem", {"TableName": "films", "Item": {**key, "x": {"S": "new"}}})
        connection.call("DeleteItem", {"TableName": "films", "Key": key})
    found = delivered(kafka, feeding.topic, 3)
    assert len(found) == 3
    assert {message["key"] for message in found} == {
        json.dumps(key, ensure_ascii=False, separators=(",", ":"))
    }
    insert, modify, remove = (json.loads(message["payload"]) for message in found)
    kinds = [record["eventName"] for record in (insert, modify, remove)]
    assert kinds == ["INSERT", "MODIFY", "REMOVE"]
    assert modify["eventSource"] == "aws:dynamodb"
    assert modify["eventVersion"] == "1.1"
    assert modify["awsRegion"] == "us-east-1"
    assert modify["eventSourceARN"] == "arn:aws:dynamodb:us-east-1:000000000000:table/films"
    assert len({record["eventID"] for record in (insert, modify, remove)}) == 3
    change = modify["dynamodb"]
    assert change["Keys"] == key
    assert change["OldImage"] == {**key, "x": {"S": "old"}}
    assert change["NewImage"] == {**key, "x": {"S": "new"}}
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert change["SizeBytes"] > 0
    assert isinstance(change["ApproximateCreationDateTime"], (int, float))
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in (insert, modify, remove)]
    assert numbers == sorted(set(numbers))
    assert "OldImage" not in insert["dynamodb"]
    assert "NewImage" not in remove["dynamodb"]


def test_keys_keep_their_partition_and_their_order(kafka, feeding):
    keys, writes = 40, 10
    with Connection(feeding.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        for n in range(writes):
            for start in range(0, keys, 20):
                puts = [
                    {"PutRequest": {"Item": item(pk=f"k{number}", n=n)}}
                    for number in range(start, start + 20)
                ]
                connection.call("BatchWriteItem", {"RequestItems": {"films": puts}})
    found = delivered(kafka, feeding.topic, keys * writes)
    partitions = collections.defaultdict(set)
    values = collections.defaultdict(list)
    for message in found:
        partitions[message["key"]].add(message["partition"])
        image = json.loads(message["payload"])["dynamodb"]["NewImage"]
        values[message["key"]].append(int(image["n"]["N"]))
    assert len(partitions) == keys
    assert all(list(range(writes)) == sequence for sequence in values.values())
    assert len(set.union(*partitions.values())) == PARTITIONS
    for key, used in partitions.items():
        assert used == {(murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS}


def test_what_was_written_while_the_broker_was_away_arrives(tmp_path):
    broker = Kafka(tmp_path / "kafka")
    connector = {"name": "k", "kind": "kafka", "tables": ["films"], "brokers": broker.brokers}
    sidecar = Sidecar(tmp_path / "sidecar", {"connectors": [connector]}).start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        for n in range(50):
            connection.call("PutItem", {"TableName": "films", "Item": item(pk=f"k{n}")})
    broker.start()
    found = delivered(broker, "films", 50, seconds=60)
    assert len({message["key"] for message in found}) == 50
    sidecar.stop()
    broker.stop()


def test_a_restart_goes_on_where_it_was(kafka, feeding):
    with Connection(feeding.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        connection.call("PutItem", {"TableName": "films", "Item": item(pk="a", n=1)})
    delivered(kafka, feeding.topic, 1)
    assert feeding.stop() == 0
    feeding.start()
    with Connection(feeding.endpoint) as connection:
        connection.call("PutItem", {"TableName": "films", "Item": item(pk="a", n=2)})
    found = delivered(kafka, feeding.topic, 2)
    names = [json.loads(message["payload"])["eventName"] for message in found]
    assert names == ["INSERT", "MODIFY"]


def test_a_table_without_a_stream_feeds_too(kafka, feeding):
    """The connector reads an internal stream, which the table's switch does not touch."""
    with Connection(feeding.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        connection.call("PutItem", {"TableName": "films", "Item": item(pk="a")})
        table = connection.call("DescribeTable", {"TableName": "films"})["Table"]
        assert "StreamSpecification" not in table
    delivered(kafka, feeding.topic, 1)
