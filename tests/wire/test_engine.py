"""What bounds the node: its disk, its memory; and what test suites and operators do with it."""

import hashlib
import json
import os
import re
import socket
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from conftest import definition, index
from expecting import invalid, item
from peers.process import wait_until
from peers.sidecar import Sidecar
from raw import Connection
from test_process import run

pytestmark = pytest.mark.ours

MB = 1 << 20


@pytest.fixture
def start(tmp_path):
    """Starts a sidecar with settings and flags."""
    made = []

    def start(settings=None, flags=()):
        made.append(Sidecar(tmp_path / f"s{len(made)}", settings, flags).start())
        return made[-1]

    yield start
    for sidecar in made:
        sidecar.kill()


def post(sidecar, path):
    request = urllib.request.Request(f"http://{sidecar.admin}{path}", data=b"", method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, json.loads(answer.read())


def page(sidecar, path):
    with urllib.request.urlopen(f"http://{sidecar.admin}{path}", timeout=10) as answer:
        return answer.read().decode()


def code_of(error):
    return error.value.response["Error"]["Code"]


# In memory, and reset.


def test_in_memory_nothing_is_written(start):
    sidecar = start(flags=["--in-memory"])
    ddb = sidecar.client()
    ddb.create_table(**definition("films", view_type="NEW_IMAGE"))
    for n in range(200):
        ddb.put_item(TableName="films", Item=item(pk=f"k{n}", text="x" * 1000))
    assert ddb.get_item(TableName="films", Key=item(pk="k7"))["Item"] == item(pk="k7", text="x" * 1000)
    assert ddb.scan(TableName="films", Select="COUNT")["Count"] == 200
    assert not sidecar.data.exists()
    assert sidecar.stop() == 0
    assert sorted(path.name for path in sidecar.folder.iterdir()) == ["millrace.log", "millrace.yaml"]
    sidecar.start()
    assert ddb.list_tables()["TableNames"] == []


def test_in_memory_streams_work(start):
    sidecar = start({"in_memory": True})
    ddb, streams = sidecar.client(), sidecar.client("dynamodbstreams")
    ddb.create_table(**definition("films", view_type="NEW_IMAGE"))
    ddb.put_item(TableName="films", Item=item(pk="a"))
    (stream,) = streams.list_streams(TableName="films")["Streams"]
    shards = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    records = []
    for shard in shards:
        iterator = streams.get_shard_iterator(
            StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records += streams.get_records(ShardIterator=iterator)["Records"]
    assert [record["dynamodb"]["Keys"] for record in records] == [item(pk="a")]


def test_reset_removes_everything(start):
    sidecar = start({"in_memory": True}, flags=["--allow-reset"])
    ddb, streams = sidecar.client(), sidecar.client("dynamodbstreams")
    put = {"Put": {"TableName": "films", "Item": item(pk="a")}}
    for _ in range(3):
        with Connection(sidecar.endpoint) as connection:
            films = definition("films", view_type="NEW_IMAGE")
            connection.call("CreateTable", {**films, "DeletionProtectionEnabled": True})
        ddb.create_table(**definition("actors"))
        assert ddb.scan(TableName="films")["Count"] == 0
        # The same token each time: were it remembered, nothing would be put.
        ddb.transact_write_items(TransactItems=[put], ClientRequestToken="token")
        assert ddb.scan(TableName="films")["Count"] == 1
        assert post(sidecar, "/reset") == (200, {"tables": 2})
        assert ddb.list_tables()["TableNames"] == []
        assert streams.list_streams()["Streams"] == []
        with pytest.raises(ddb.exceptions.ResourceNotFoundException):
            ddb.get_item(TableName="films", Key=item(pk="a"))
    assert post(sidecar, "/reset") == (200, {"tables": 0})


def test_reset_is_refused_unless_allowed(start):
    sidecar = start({"in_memory": True})
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(sidecar, "/reset")
    assert refused.value.code == 403
    assert "--allow-reset" in json.load(refused.value)["error"]


# The disk.


def test_near_the_disk_budget_writes_that_grow_are_throttled(start):
    sidecar = start({"disk": {"bytes": "48MB"}})
    ddb = sidecar.client()
    ddb.create_table(**definition("films"), Tags=[{"Key": "tag", "Value": "t"}])
    with Connection(sidecar.endpoint) as connection:
        connection.call("UpdateTable", {"TableName": "films", "DeletionProtectionEnabled": True})
    count = 0
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        for count in range(1000):
            ddb.put_item(TableName="films", Item={**item(pk=f"k{count}"), "b": {"B": os.urandom(200000)}})
    assert code_of(refused) == "RequestLimitExceeded"
    assert refused.value.response["Error"]["Message"].startswith(
        "Throughput exceeds the current throughput limit for your account."
    )
    with Connection(sidecar.endpoint) as connection:
        request = {"TableName": "films", "Item": item(pk="more", t="x" * 100)}
        answer = connection.send(request, "PutItem")
    assert answer.status == 400
    (reason,) = answer.json()["ThrottlingReasons"]
    assert reason["reason"] == "TableWriteAccountLimitExceeded"
    assert reason["resource"].endswith(":table/films")
    assert count > 50
    used = sum(path.stat().st_size for path in sidecar.data.rglob("*") if path.is_file())
    assert used < 48 * MB
    assert "throttled" in page(sidecar, "/readyz")
    assert "millrace_disk_level 1" in page(sidecar, "/metrics")
    # A timer looks at the disk for the log.
    log = sidecar.folder / "millrace.log"
    wait_until(lambda: "event=disk" in log.read_text(), 10, "the log tells it", sidecar.process)

    assert ddb.get_item(TableName="films", Key=item(pk="k3"))["Item"]["pk"] == {"S": "k3"}
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        ddb.update_item(
            TableName="films",
            Key=item(pk="k3"),
            UpdateExpression="SET more = :m",
            ExpressionAttributeValues={":m": {"S": "m"}},
        )
    assert code_of(refused) == "RequestLimitExceeded"
    some = {"PutRequest": {"Item": {**item(pk="new"), "b": {"B": b"x" * 1000}}}}
    answer = ddb.batch_write_item(
        RequestItems={"films": [some, {"DeleteRequest": {"Key": item(pk="k4")}}]}
    )
    assert answer["UnprocessedItems"] == {"films": [some]}
    assert "Item" not in ddb.get_item(TableName="films", Key=item(pk="k4"))
    # Definitions are no other than items: a table's tags go, and none come.
    arn = ddb.describe_table(TableName="films")["Table"]["TableArn"]
    for grows in (
        lambda: ddb.create_table(**definition("more")),
        lambda: ddb.tag_resource(ResourceArn=arn, Tags=[{"Key": "more", "Value": "m"}]),
        lambda: ddb.update_time_to_live(
            TableName="films", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
        ),
        lambda: ddb.update_table(
            TableName="films",
            BillingMode="PROVISIONED",
            ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        ),
        lambda: ddb.transact_write_items(
            TransactItems=[
                {
                    "ConditionCheck": {
                        "TableName": "films",
                        "Key": item(pk="k3"),
                        "ConditionExpression": "attribute_exists(pk)",
                    }
                }
            ],
            ClientRequestToken="kept",
        ),
    ):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            grows()
        assert code_of(refused) == "RequestLimitExceeded"
    ddb.untag_resource(ResourceArn=arn, TagKeys=["tag"])
    for token in ("kept", "again, with nothing to delete"):
        ddb.transact_write_items(
            TransactItems=[{"Delete": {"TableName": "films", "Key": item(pk="k5")}}],
            ClientRequestToken=token,
        )
    with Connection(sidecar.endpoint) as connection:
        connection.call("UpdateTable", {"TableName": "films", "DeletionProtectionEnabled": False})
    # What makes an item smaller, and a write that changes nothing, are as good as a deletion.
    ddb.put_item(TableName="films", Item=item(pk="k3"))
    for n in range(count):
        ddb.delete_item(TableName="films", Key=item(pk=f"k{n}"))

    def grows_again():
        try:
            ddb.put_item(TableName="films", Item={**item(pk="again"), "b": {"B": os.urandom(200000)}})
            return True
        except botocore.exceptions.ClientError:
            return False

    wait_until(grows_again, 60, "there is room again", sidecar.process)
    assert page(sidecar, "/readyz") == "ready\n"


def test_a_disk_budget_holds_under_writes_and_deletions(start):
    """Segments are trimmed and recycled, and tables compacted, within the budget."""
    sidecar = start({"disk": {"bytes": "64MB"}})
    ddb = sidecar.client()
    ddb.create_table(**definition("films"))
    for n in range(1500):
        ddb.put_item(TableName="films", Item={**item(pk=f"k{n % 20}"), "b": {"B": os.urandom(100000)}})
    used = sum(path.stat().st_size for path in sidecar.data.rglob("*") if path.is_file())
    assert used < 64 * MB


# The memory.


def throttled(answer):
    return answer.status == 400 and answer.json()["__type"].endswith("#ThrottlingException")


def test_answers_that_nobody_reads_are_bounded(start):
    sidecar = start({"memory": {"bytes": "16MB"}, "cache": {"bytes": "64MB"}})
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        for n in range(3):
            connection.call("PutItem", {"TableName": "films", "Item": item(pk=f"k{n}", t="x" * 390000)})
        body = json.dumps({"RequestItems": {"films": {"Keys": [item(pk=f"k{n}") for n in range(3)]}}})
        head = (
            "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.BatchGetItem\r\n"
            f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        readers = []
        try:
            for _ in range(20):
                reader = socket.create_connection(("127.0.0.1", sidecar.port))
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                # More than the kernel's buffers take.
                reader.sendall((head + body).encode() * 8)
                readers.append(reader)
            wait_until(
                lambda: throttled(connection.send({"TableName": "films"}, "DescribeTable")),
                20,
                "a request is throttled",
                sidecar.process,
            )
        finally:
            for reader in readers:
                reader.close()
        wait_until(
            lambda: connection.send({"TableName": "films"}, "DescribeTable").status == 200,
            20,
            "requests are served again",
            sidecar.process,
        )


def test_requests_that_are_being_received_are_bounded(start):
    sidecar = start({"memory": {"bytes": "16MB"}})
    head = (
        "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.BatchWriteItem\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {10 * MB}\r\n\r\n"
    )
    address = ("127.0.0.1", sidecar.port)
    with (
        socket.create_connection(address, timeout=10) as first,
        socket.create_connection(address, timeout=10) as second,
    ):
        # It is told to go on once it is counted.
        first.sendall(head.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n").encode())
        assert first.recv(4096).startswith(b"HTTP/1.1 100 ")
        second.sendall(head.encode() + b"{")
        assert b"#ThrottlingException" in second.recv(4096)


def test_a_scan_takes_no_more_memory_than_a_page(start):
    sidecar = start({"memory": {"bytes": "64MB"}, "cache": {"bytes": "1MB"}})
    ddb = sidecar.client()
    ddb.create_table(**definition("films"))
    for n in range(120):
        ddb.put_item(TableName="films", Item=item(pk=f"k{n}", t="x" * 300000))

    # Pages of table files, which LevelDB maps, are the kernel's to take back.
    def resident():
        for line in open(f"/proc/{sidecar.process.pid}/status"):
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024

    before = resident()
    pages, last = 0, {}
    while last is not None:
        answer = ddb.scan(TableName="films", FilterExpression="attribute_not_exists(t)", **last)
        assert answer["Count"] == 0
        assert answer["ScannedCount"] <= 4
        pages += 1
        last = (
            {"ExclusiveStartKey": answer["LastEvaluatedKey"]} if "LastEvaluatedKey" in answer else None
        )
    assert pages >= 30
    assert resident() - before < 24 * MB


# millrace check.


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def filled(start):
    """A stopped sidecar whose folder holds tables, an index and a stream."""
    sidecar = start()
    ddb = sidecar.client()
    films = definition("films", view_type="NEW_AND_OLD_IMAGES")
    films["AttributeDefinitions"].append({"AttributeName": "year", "AttributeType": "N"})
    films["GlobalSecondaryIndexes"] = [
        {
            "IndexName": "by-year",
            "KeySchema": [{"AttributeName": "year", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]
    ddb.create_table(**films)
    for n in range(300):
        ddb.put_item(TableName="films", Item=item(pk=f"k{n}", year=1900 + n % 100, t="x" * 500))
    ddb.delete_item(TableName="films", Key=item(pk="k1"))
    return sidecar


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_check_finds_a_sound_folder_sound_and_changes_nothing(filled, end):
    getattr(filled, end)()
    before = hashes(filled.data)
    told = run("check", "--data", filled.data)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "no damage found" in told.stdout
    report = json.loads(run("check", "--data", filled.data, "--json").stdout)
    assert report["sound"] is True
    assert report["tables"] == 1
    assert report["items"] == 299
    assert report["index_entries"] == 299
    assert report["last_lsn"] - report["first_lsn"] >= 300
    assert report["findings"] == []
    assert hashes(filled.data) == before
    filled.start()


def test_check_names_damage_in_the_log(filled):
    filled.kill()
    (segment, *_) = sorted((filled.data / "log").glob("*.log"))
    content = bytearray(segment.read_bytes())
    content[20000] ^= 1
    segment.write_bytes(content)
    before = hashes(filled.data)
    told = run("check", "--data", filled.data)
    assert told.returncode == 1
    assert "DAMAGED: log:" in told.stdout
    assert segment.name in told.stdout
    report = json.loads(run("check", "--data", filled.data, "--json").stdout)
    assert report["sound"] is False
    assert report["findings"][0]["part"] == "log"
    assert hashes(filled.data) == before


def test_check_names_damage_in_a_table(filled):
    filled.stop()
    table = max((filled.data / "tables").glob("*.ldb"), key=lambda path: path.stat().st_size)
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(content)
    told = run("check", "--data", filled.data)
    assert told.returncode == 1
    assert told.stdout.count("DAMAGED: ") == 1, "the walks that come by do not tell it again"
    assert "DAMAGED: tables:" in told.stdout
    assert table.name in told.stdout


def test_check_refuses_what_is_no_folder_or_in_use(filled, tmp_path):
    told = run("check", "--data", filled.data)
    assert told.returncode == 2
    assert "in use by process" in told.stderr
    told = run("check", "--data", tmp_path / "absent")
    assert told.returncode == 2
    assert "FORMAT" in told.stderr
    assert not (tmp_path / "absent").exists()


def test_a_damaged_table_block_is_an_error_and_an_alarm(filled):
    filled.stop()
    for table in (filled.data / "tables").glob("*.ldb"):
        content = bytearray(table.read_bytes())
        content[len(content) // 2] ^= 1
        table.write_bytes(content)
    filled.start()
    ddb = filled.client()
    failed = 0
    for n in range(2, 300):
        try:
            found = ddb.get_item(TableName="films", Key=item(pk=f"k{n}"))
            assert found["Item"]["pk"] == {"S": f"k{n}"}, "damage is never an absence"
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "InternalServerError"
            failed += 1
    assert failed > 0
    assert f"millrace_damaged_reads_total {failed}" in page(filled, "/metrics")
    assert "event=damage" in (filled.folder / "millrace.log").read_text()


def test_a_log_ahead_of_the_clock_is_told(start):
    sidecar = start(flags=["--allow-stream-control"])
    log = sidecar.folder / "millrace.log"
    ddb = sidecar.client()
    ddb.create_table(**definition("films"))
    for by, told in ("30s", False), ("4h", True):
        sidecar.control("clock/advance", by=by)
        ddb.put_item(TableName="films", Item=item(pk=by))
        assert sidecar.stop() == 0
        sidecar.start()  # Without what the clock was set ahead.
        assert ("event=clock " in log.read_text()) == told
    (seconds,) = re.findall(r"level=warning event=clock message=.* seconds=(\d+)", log.read_text())
    assert 3 * 3600 < int(seconds) <= 4 * 3600


# What one transaction may change.


def test_a_transaction_whose_index_entries_are_too_much_together_is_refused(start):
    """A hundred items of which 25 indexes hold a list whose encoding is twice what it counts."""
    ddb = start().client()
    table = definition("big", range_key="sk:S")
    table["AttributeDefinitions"].append({"AttributeName": "k", "AttributeType": "S"})
    table["GlobalSecondaryIndexes"] = [
        index(f"gsi{n}", ["k"], projection="INCLUDE", attributes=["big"]) for n in range(20)
    ]
    table["LocalSecondaryIndexes"] = [
        index(f"lsi{n}", ["pk"], ["k"], projection="INCLUDE", attributes=["big"]) for n in range(5)
    ]
    ddb.create_table(**table)
    big = {"L": [{"S": ""}] * 40_800}
    keys = [item(pk="p", sk=str(n)) for n in range(100)]
    for key in keys:
        ddb.put_item(TableName="big", Item={**key, **item(k="old"), "big": big})
    update = {"UpdateExpression": "SET k = :k", "ExpressionAttributeValues": item(**{":k": "new"})}
    actions = [{"Update": {"TableName": "big", "Key": key, **update}} for key in keys]
    with invalid(
        "The transaction's items, as they are and as they would be, and their index entries take "
        "more than 192 MB together"
    ):
        ddb.transact_write_items(TransactItems=actions)
    ddb.transact_write_items(TransactItems=actions[:50])
    got = [ddb.get_item(TableName="big", Key=key)["Item"]["k"] for key in (keys[0], keys[99])]
    assert got == [{"S": "new"}, {"S": "old"}]
