"""The examples of targets, as their README says: a receiver on HTTP and a worker on ZeroMQ."""

import pathlib

import pytest

from conftest import definition
from expecting import item
from peers.process import Process, free_port, wait_until
from peers.sidecar import Sidecar
from raw import Connection

pytestmark = pytest.mark.ours

TARGETS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "targets"


def test_both_are_told_every_change(tmp_path):
    web, changes, acknowledgements = (free_port() for _ in range(3))
    settings = (TARGETS / "targets.yaml").read_text()
    for default, port in (("8080", web), ("5557", changes), ("5558", acknowledgements)):
        assert settings.count(f":{default}") == 1
        settings = settings.replace(f":{default}", f":{port}")
    receiver = Process("receive.py", tmp_path / "receiver.log")
    worker = Process("work.py", tmp_path / "worker.log")
    receiver.start(["/usr/bin/python3", TARGETS / "receive.py", "--port", str(web)])
    worker.start([
        "/usr/bin/python3", TARGETS / "work.py",
        "--changes", f"tcp://127.0.0.1:{changes}",
        "--acknowledgements", f"tcp://127.0.0.1:{acknowledgements}",
    ])
    sidecar = Sidecar(tmp_path)
    sidecar.config.write_text(
        f"listen: 127.0.0.1:{sidecar.port}\nadmin: {sidecar.admin}\ndata: {sidecar.data}\n" + settings
    )
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        for n in range(20):
            connection.call("PutItem", {"TableName": "films", "Item": item(pk=f"k{n}")})
    for program in (receiver, worker):
        def told():
            return program.tail(100).count("INSERT") == 20

        wait_until(told, 30, f"{program.name} tells every change", program)
        lsns = [int(line.split()[0]) for line in program.tail(100).splitlines()]
        assert len(set(lsns)) == 20
    assert sidecar.stop() == 0
    worker.kill()
    receiver.kill()
