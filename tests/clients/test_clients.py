"""The SDKs of other languages against the real binary, over a path that fails them once in a while.

Each program does the same: it creates a table and waits for it, puts and reads an item of every type,
fails a condition, writes a batch, pages through a query and a scan, updates, deletes, and runs two
transactions. It is an ordinary program and knows nothing of the faults: its SDK has to retry.
"""

import os
import pathlib
import subprocess


import pytest
from peers import maven, npm
from rough_path import RoughPath

HERE = pathlib.Path(__file__).resolve().parent
FAULTS = {
    "UpdateItem": "drop_request",
    "DeleteItem": "throttle",
    "TransactWriteItems": "drop_answer",
}
STEPS = ["create", "writeAndRead", "writeOrders", "queryAndPage", "change", "transact"]


def javascript():
    folder = HERE / "javascript"
    return ["node", folder / "client.js"], {"NODE_PATH": str(npm.modules(folder))}


def java():
    folder = HERE / "java"
    jars = maven.jars("sdk-java", folder / "pom.xml")
    return ["java", *maven.SMALL_JVM, "-cp", f"{jars}/*", folder / "Client.java"], {}


@pytest.mark.parametrize("language", [javascript, java])
def test_an_application(sidecar, language):
    command, environment = language()
    table = f"orders-{language.__name__}"
    with RoughPath(sidecar.port, FAULTS) as path:
        told = subprocess.run(
            [*map(str, command), path.endpoint, table],
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.split() == STEPS
    assert path.seen.count("UpdateItem") == 2
    assert path.seen.count("DeleteItem") == 2
    assert path.seen.count("TransactWriteItems") == 3  # The lost answer's, its retry, the cancelled one.
    check_table(sidecar.client(), table)


def check_table(ddb, table):
    """Every retried write took effect once, the cancelled transaction not at all."""
    items = ddb.scan(TableName=table)["Items"]
    cents = {
        int(item["number"]["N"]): int(item["cents"]["N"])
        for item in items
        if item["customer"]["S"] == "bert"
    }
    assert cents == {number: number * 100 for number in range(1, 60)} | {1: 111, 2: 201}
    assert {item["customer"]["S"] for item in items} == {"anna", "bert", "carl"}
    ddb.delete_table(TableName=table)
