"""The change log keeps only what somebody needs, also behind a stream that pins it."""

import json
import subprocess
import urllib.request

import pytest

from conftest import definition
from expecting import item
from peers.process import wait_until
from peers.sidecar import Sidecar, binary
from raw import Connection
from test_streams import latest_arn, read_all

pytestmark = pytest.mark.ours

MB = 1 << 20


def used(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def metric(sidecar, name):
    with urllib.request.urlopen(f"http://{sidecar.admin}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def put(connection, table, **attributes):
    """Written in the end: near the disk budget writes wait for room."""
    request = {"TableName": table, "Item": item(**attributes)}

    def written():
        answer = connection.send(request, "PutItem").check()
        throttled = b"Throughput" in answer.body or b"LimitExceeded" in answer.body
        assert answer.status == 200 or throttled, answer.body
        return answer.status == 200

    wait_until(written, 20, "a write is accepted")


def test_a_quiet_stream_does_not_keep_a_busy_tables_bytes(tmp_path):
    sidecar = Sidecar(tmp_path, {"disk": {"bytes": "96MB"}}).start()
    try:
        ddb, streams = sidecar.client(), sidecar.client("dynamodbstreams")
        ddb.create_table(**definition("busy"))
        ddb.create_table(**definition("quiet", view_type="NEW_IMAGE"))
        filler = "x" * (300 << 10)
        writes = 500
        with Connection(sidecar.endpoint) as connection:
            for number in range(writes):
                put(connection, "busy", pk=f"k{number % 4}", v=f"{number}" + filler)
                if number % 5 == 0:
                    put(connection, "quiet", pk=f"k{number % 7}", n=number)
        assert metric(sidecar, "millrace_log_bytes_total") > 140 * MB
        wait_until(lambda: used(sidecar.data) < 50 * MB, 20, "the folder is small")

        def numbers():
            shards = read_all(streams, latest_arn(ddb, "quiet")).values()
            records = sorted(
                (record["dynamodb"] for shard in shards for record in shard),
                key=lambda record: int(record["SequenceNumber"]),
            )
            return [int(record["NewImage"]["n"]["N"]) for record in records]

        assert numbers() == list(range(0, writes, 5))
        assert metric(sidecar, "millrace_log_rewritten_segments_total") > 10
        before = metric(sidecar, "millrace_log_rewritten_bytes_before_total")
        assert metric(sidecar, "millrace_log_rewritten_bytes_after_total") < before / 4

        sidecar.kill()
        sidecar.start()
        assert numbers() == list(range(0, writes, 5))
        # What is no more is told, not passed over.
        first = min(int(path.name[:20]) for path in (sidecar.data / "log").glob("*.log"))
        url = f"http://{sidecar.admin}/v1/changes?table=busy&from={first}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert "error" in json.loads(answer.readline())
    finally:
        sidecar.stop()
    told = subprocess.run(
        [binary(), "check", "--data", sidecar.data, "--json"], capture_output=True, timeout=60
    )
    report = json.loads(told.stdout)
    assert report["sound"] and told.returncode == 0, report
    assert report["rewritten_segments"] > 10, report
