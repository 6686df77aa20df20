"""The program: configuration, its data folder, damage, restart, and the end."""

import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest

from conftest import definition
from expecting import item
from peers import sidecar as peer
from peers.process import NotReady, wait_until
from peers.sidecar import Sidecar
from raw import Connection

pytestmark = pytest.mark.ours


@pytest.fixture
def sidecar(tmp_path):
    """A sidecar that is not started yet."""
    made = Sidecar(tmp_path)
    yield made
    made.kill()


def run(*words, seconds=20):
    return subprocess.run(
        [str(peer.binary()), *map(str, words)], capture_output=True, text=True, timeout=seconds
    )


def test_help_names_the_flags():
    told = run("--help")
    assert told.returncode == 0
    for flag in ("--config", "--data", "--listen", "--admin", "--cache-bytes", "--durability"):
        assert flag in told.stdout


def test_an_unknown_flag_ends_with_2():
    assert run("--nonsense").returncode == 2


def test_a_mistyped_command_ends_with_2():
    told = run("cache", "flsh")
    assert told.returncode == 2
    assert "did you mean 'flush'?" in told.stderr


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("listen: 127.0.0.1:8000\nlissen: 1\n", 2, "lissen"),
        ("listen: nowhere\n", 1, "listen"),
        ("threads: many\n", 1, "threads"),
        ("durability: sometimes\n", 1, "durability"),
        ("cache:\n  bytes: lots\n", 2, "bytes"),
        ("connectors:\n  - name: a\n    kind: carrier-pigeon\n", 3, "carrier-pigeon"),
        ("connectors:\n  - name: a\n    kind: kafka\n    tables: [t]\n", None, "brokers"),
        ("listen: [1, 2\n", None, ""),
    ],
)
def test_a_mistake_in_the_configuration_is_told_with_its_place(tmp_path, text, line, word):
    config = tmp_path / "mistaken.yaml"
    config.write_text(text)
    told = run("--config", config, "--data", tmp_path / "data")
    assert told.returncode == 2
    assert "mistaken.yaml" in told.stderr
    assert word in told.stderr
    if line:
        assert f":{line}" in told.stderr or f"line {line}" in told.stderr


@pytest.mark.parametrize("flag", ["--data", "--listen", "--config", "--cache-bytes"])
def test_an_empty_value_is_not_the_default(tmp_path, flag):
    for words in ([flag, ""], [f"{flag}="]):
        told = run("--in-memory", *words)
        assert told.returncode == 2
        assert f"{flag}: it has an empty value" in told.stderr


def test_a_missing_configuration_file_ends_with_2(tmp_path):
    told = run("--config", tmp_path / "absent.yaml")
    assert told.returncode == 2
    assert "absent.yaml" in told.stderr


def test_other_addresses_than_loopback_need_the_flag(tmp_path):
    told = run("--listen", "0.0.0.0:18000", "--data", tmp_path / "data")
    assert told.returncode == 2
    assert "--insecure-no-auth" in told.stderr


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--in-memory"], "--data names a folder"),
        (["--cache-bytes", "60000GB"], "cache.bytes 61440000MB + "),
    ],
)
def test_what_cannot_be_meant_is_refused_and_leaves_nothing_behind(tmp_path, flags, words):
    told = run("--data", tmp_path / "data", *flags)
    assert told.returncode == 2
    assert words in told.stderr
    assert not (tmp_path / "data").exists()


def test_a_folder_keeps_its_region_and_account(sidecar):
    def arn():
        with Connection(sidecar.endpoint) as connection:
            return connection.call("DescribeTable", {"TableName": "films"})["Table"]["TableArn"]

    sidecar.flags = ["--region", "eu-west-3", "--account", "123456789012"]
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
    assert arn() == "arn:aws:dynamodb:eu-west-3:123456789012:table/films"
    sidecar.stop()
    sidecar.flags = ["--region", "us-east-1"]
    sidecar.launch()
    assert sidecar.process.wait(20) == 2
    for words in ("eu-west-3", "us-east-1", "leave --region"):
        assert words in sidecar.process.tail(10)
    sidecar.flags = []
    sidecar.start()
    assert arn() == "arn:aws:dynamodb:eu-west-3:123456789012:table/films"


def test_in_memory_the_region_is_as_configured(tmp_path):
    made = Sidecar(tmp_path, {"in_memory": True, "region": "eu-west-3"}).start()
    with urllib.request.urlopen(made.endpoint, timeout=5) as answer:
        assert answer.read().startswith(b"healthy: dynamodb.eu-west-3.")
    assert made.stop() == 0


def test_a_command_on_the_data_port_says_so(sidecar):
    sidecar.start()
    for words in (["tail", "films"], ["subscribe", "mail", "--exec", "cat"], ["cache", "flush"]):
        told = run(*words[:2], "--admin", f"127.0.0.1:{sidecar.port}", *words[2:])
        assert told.returncode == 1
        assert "does not look like the administrative port" in told.stderr


def test_who_subscribes_to_what_is_not_there_is_told_what_creates_it(sidecar):
    sidecar.start()
    told = run("subscribe", "mail", "--admin", sidecar.admin, "--exec", "cat")
    assert told.returncode == 1
    assert "there is no subscription 'mail' (--table or --all-tables creates one)" in told.stderr


def test_sigterm_drains_and_ends_with_0(sidecar):
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        assert sidecar.stop() == 0


def test_while_it_drains_it_says_so(sidecar):
    sidecar.start()

    def get(path):
        try:
            with urllib.request.urlopen(f"http://{sidecar.admin}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    body = b"{}"
    with socket.create_connection(("127.0.0.1", sidecar.port), 10) as client:
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n"
            b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n" + body[:1]
        )
        # One whose answer tells that the bytes before were read.
        with Connection(sidecar.endpoint) as connection:
            connection.call("ListTables", {})
        sidecar.process.signal(signal.SIGTERM)
        wait_until(lambda: get("/readyz") == (503, "stopping\n"), 10, "it says that it stops")
        assert get("/v1/cache/hot-keys") == (503, "stopping\n")
        assert get("/v1/cache/hot-partitions") == (503, "stopping\n")
        assert get("/livez")[0] == 200
        assert "# TYPE" in get("/metrics")[1]
        client.sendall(body[1:])
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert sidecar.process.wait(20) == 0


def test_tail_ends_in_order_when_the_sidecar_does(sidecar):
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        tail = subprocess.Popen(
            [str(peer.binary()), "tail", "films", "--json", "--from", "trim_horizon", "--admin",
             sidecar.admin],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with tail:
            connection.call("PutItem", {"TableName": "films", "Item": item(pk="first")})
            assert "first" in tail.stdout.readline()
            for n in range(300):
                connection.call("PutItem", {"TableName": "films", "Item": item(pk=f"k{n}")})
            assert sidecar.stop() == 0
            lines, told = tail.communicate(timeout=20)
    assert len(lines.splitlines()) == 300
    assert (tail.returncode, told) == (0, "")


def test_in_a_folder_of_others_nothing_is_left(sidecar):
    sidecar.data.mkdir()
    (sidecar.data / "theirs").write_text("theirs")
    told = run("--config", sidecar.config)
    assert told.returncode != 0
    assert "theirs" in told.stderr
    assert [entry.name for entry in sidecar.data.iterdir()] == ["theirs"]


def test_sigint_ends_with_0(sidecar):
    sidecar.start()
    sidecar.process.signal(signal.SIGINT)
    assert sidecar.process.wait(20) == 0


def test_the_administrative_port(sidecar):
    sidecar.start()

    def get(path):
        with urllib.request.urlopen(f"http://{sidecar.admin}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()

    assert get("/livez")[0] == 200
    assert get("/readyz")[0] == 200
    status, metrics = get("/metrics")
    assert status == 200
    assert "# TYPE" in metrics
    with pytest.raises(urllib.error.HTTPError) as refused:
        get("/nowhere")
    assert refused.value.code == 404


def test_tables_and_items_survive_a_restart(sidecar):
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films", view_type="NEW_IMAGE"))
        for n in range(100):
            connection.call("PutItem", {"TableName": "films", "Item": item(pk=f"k{n}", n=n)})
        described = connection.call("DescribeTable", {"TableName": "films"})
    for end in (sidecar.stop, sidecar.kill):
        end()
        sidecar.start()
        with Connection(sidecar.endpoint) as connection:
            assert connection.call("DescribeTable", {"TableName": "films"})["Table"].items() >= {
                key: value
                for key, value in described["Table"].items()
                if key in ("TableId", "TableArn", "LatestStreamArn", "KeySchema")
            }.items()
            found = connection.call("Scan", {"TableName": "films"})
            assert found["Count"] == 100


def test_a_second_process_on_the_folder_is_told_who_holds_it(sidecar, tmp_path):
    sidecar.start()
    second = Sidecar(tmp_path / "second", {"data": str(sidecar.data)})
    second.launch()
    assert second.process.wait(20) not in (0, None)
    assert str(sidecar.process.pid) in second.process.tail()
    with Connection(sidecar.endpoint) as connection:
        assert connection.send({}, "ListTables").status == 200


def log_segments(data):
    """The log's segment files, oldest first: each is named by its first LSN in 20 digits."""
    found = sorted(data.rglob("[0-9]" * 20 + ".log"))
    assert found, sorted(data.rglob("*"))
    return found


def test_a_damaged_log_is_refused_by_segment_and_offset(sidecar):
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        for n in range(200):
            connection.call(
                "PutItem", {"TableName": "films", "Item": item(pk=f"k{n}", text="needle" * 20)}
            )
    sidecar.kill()
    for segment in log_segments(sidecar.data):
        content = segment.read_bytes()
        position = content.find(b"needle")
        if position >= 0:
            break
    else:
        raise AssertionError("no segment holds the items")
    with segment.open("r+b") as file:
        file.seek(position)
        file.write(b"N")
    sidecar.launch()
    assert sidecar.process.wait(20) not in (0, None)
    told = sidecar.process.tail(10)
    assert segment.name in told
    # The frame begins before its item.
    assert any(position - 4096 < int(number) < position for number in re.findall(r"\d+", told))


@pytest.mark.parametrize("descriptors", ["256:4096", "512:512"])
def test_idle_connections_leave_descriptors_to_the_log(sidecar, descriptors):
    sidecar.process.start(
        ["prlimit", f"--nofile={descriptors}", peer.binary(), "--config", sidecar.config]
    )
    wait_until(sidecar.ready, 30, "the sidecar is ready", sidecar.process)
    ddb = sidecar.client()
    ddb.create_table(**definition("idle"))
    idle = [socket.create_connection(("127.0.0.1", sidecar.port)) for _ in range(600)]
    # More than the first segment's megabyte.
    for number in range(12):
        ddb.put_item(TableName="idle", Item={"pk": {"S": str(number)}, "v": {"S": "v" * 390_000}})
    for connection in idle:
        connection.close()
    assert len(list((sidecar.data / "log").glob("*.log"))) > 1


def test_a_torn_last_write_is_cut_off(sidecar):
    """Rubbish after the last frame is what a crash leaves, not damage."""
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        connection.call("CreateTable", definition("films"))
        connection.call("PutItem", {"TableName": "films", "Item": item(pk="kept", text="needle")})
    sidecar.kill()
    segment = next(one for one in reversed(log_segments(sidecar.data)) if b"needle" in one.read_bytes())
    content = segment.read_bytes()
    end = len(content.rstrip(b"\0"))
    with segment.open("r+b") as file:
        file.seek((end + 4096) // 4096 * 4096)
        file.write(os.urandom(700))
    sidecar.start()
    with Connection(sidecar.endpoint) as connection:
        found = connection.call("GetItem", {"TableName": "films", "Key": item(pk="kept")})
        assert found["Item"] == item(pk="kept", text="needle")


def test_a_newer_format_is_refused_by_name(sidecar):
    sidecar.start()
    sidecar.stop()
    format_file = sidecar.data / "FORMAT"
    text = format_file.read_text()
    assert text.startswith("millrace-format 2\n")
    format_file.write_text(text.replace("millrace-format 2\n", "millrace-format 987\n"))
    sidecar.launch()
    assert sidecar.process.wait(20) not in (0, None)
    assert "987" in sidecar.process.tail(10)


def test_a_taken_port_is_told(sidecar, tmp_path):
    sidecar.start()
    for key, port in (("listen", sidecar.port), ("admin", sidecar.admin_port)):
        second = Sidecar(tmp_path / key, {key: f"127.0.0.1:{port}"})
        second.launch()
        assert second.process.wait(20) == 1
        told = second.process.tail(10)
        assert f"--{key}: cannot listen on 127.0.0.1:{port}" in told
        assert "stop it, or name another port" in told


def test_a_start_is_quick(sidecar):
    """The mark is 50 ms; this bound only catches a start that waits for something."""
    sidecar.start()
    sidecar.stop()
    started = time.monotonic()
    sidecar.launch()
    wait_until(sidecar.ready, 10, "the sidecar is ready", sidecar.process)
    assert time.monotonic() - started < 2


def heap_flags(process):
    """The kernel's flags of the heap's memory, as proc(5) names them."""
    text = pathlib.Path(f"/proc/{process.pid}/smaps").read_text()
    return re.search(r"\[heap\]\n(?:\w+: .*\n)*?VmFlags: (.*)", text)[1].split()


@pytest.mark.parametrize("tunables", [None, "glibc.malloc.tcache_count=9"])
def test_memory_is_in_huge_pages_where_programs_may_ask_for_them(tmp_path, tunables):
    asked = "[madvise]" in pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    made = Sidecar(tmp_path, env={"GLIBC_TUNABLES": tunables} if tunables else {}).start()
    assert ("hg" in heap_flags(made.process)) == asked
    assert pathlib.Path(f"/proc/{made.process.pid}/comm").read_text() == "millrace\n"
    assert made.stop() == 0


def test_an_operator_may_do_without_huge_pages(tmp_path):
    made = Sidecar(tmp_path, env={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}).start()
    assert "hg" not in heap_flags(made.process)
    assert made.stop() == 0


def test_a_program_with_rights_of_its_own_starts():
    """As one that may listen on port 80: the C library takes no tunables from who starts it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(peer.binary(), folder)
        rights = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
        try:
            os.setxattr(program, "security.capability", rights)
        except PermissionError:
            pytest.skip("here nobody, or root alone, may give a program rights of its own")
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, user=65534
        )
    assert (told.returncode, told.stderr) == (0, "")


def test_a_link_gives_the_process_its_name(tmp_path):
    link = tmp_path / "prod"
    link.symlink_to(peer.binary())
    made = Sidecar(tmp_path)
    made.process.start([link, "--config", made.config])
    wait_until(made.ready, 30, "the sidecar is ready", made.process)
    assert pathlib.Path(f"/proc/{made.process.pid}/comm").read_text() == "prod\n"
    assert made.stop() == 0


def test_a_loader_may_be_named(tmp_path):
    made = Sidecar(tmp_path)
    loader = re.search(rb"/lib[^\0]*/ld-[^\0]+", peer.binary().read_bytes())[0].decode()
    made.process.start([loader, peer.binary(), "--config", made.config])
    wait_until(made.ready, 30, "the sidecar is ready", made.process)
    assert made.stop() == 0


def test_not_ready_is_told_when_the_program_ends(tmp_path):
    """The tests' own waiting: a program that ends is not waited for."""
    broken = Sidecar(tmp_path, flags=["--nonsense"])
    with pytest.raises(NotReady):
        broken.start()
