"""What a node takes for what its log retains, and for shards that nobody writes or reads."""

import os
import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor

import measuring
from rows import row
from servers import Millrace, call, monotonic_ms, resident_mb

from peers.process import wait_until


def descriptors(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def start_ms(server):
    """From the start of the process to ready, after an orderly stop: three times, the median."""
    taken = []
    for _ in range(3):
        server.process.stop()
        begin = monotonic_ms()
        server.launch()
        wait_until(server.ready, 60, "the server is ready", server.process)
        taken.append(monotonic_ms() - begin)
    return statistics.median(taken)


def retained(options, folder):
    """One table whose stream keeps all that is written, 1,000 items written over and over: resident memory (MB)
    with 4 GB of log against 0.5 GB, descriptors too; and from the start after an orderly stop to ready (ms).
    """
    sizes = (40e6, 5e6) if options.small else (4e9, 0.5e9)
    memory, files, started = [], [], []
    for log_bytes in sizes:
        with Millrace(f"retained-{log_bytes:.0f}", folder, cache_bytes="16MB", stream=True,
                      settings={"memory": {"bytes": "64MB"}}).start() as server:
            writers = measuring.Load(server, "--op", "put", "--keys", 1000, "--connections", 16,
                                     "--seconds", 600)
            wait_until(lambda: server.metric("millrace_log_bytes_total") >= log_bytes, 300,
                       "the log has grown", server.process)
            writers.end()
            measuring.settle(server)
            kept = sum(path.stat().st_size for path in (server.folder / "data/log").glob("*.log"))
            if kept < log_bytes:
                raise measuring.WrongAnswers(f"of {log_bytes:.0f} bytes the log retains {kept}")
            memory.append(resident_mb(server.pid))
            files.append(descriptors(server))
            started.append(start_ms(server))
        shutil.rmtree(server.folder)
    yield row("retained_rss_mb", memory[0], "an eighth", memory[1], 16)
    yield row("retained_files", files[0], "an eighth", files[1], 16)
    yield row("retained_start_ms", started[0], "an eighth", started[1], 16)


def create_tables(server, count, stream):
    def create(number):
        body = {"TableName": f"table{number}", "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
        if stream:
            body["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        status, answer = call(server.port, "CreateTable", body)
        if status != 200:
            raise measuring.WrongAnswers(f"CreateTable: {status} {answer}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(count)))


def idle_shards(options, folder):
    """2,500 tables whose streams have four shards each, against the same tables without streams, after a start:
    resident memory (MB), descriptors, and from the start after an orderly stop to ready (ms).
    """
    tables = 25 if options.small else 2500
    memory, files, started = [], [], []
    for stream in (True, False):
        with Millrace(f"idle-shards-{stream}", folder, cache_bytes="16MB", table=False).start() as server:
            create_tables(server, tables, stream)
            started.append(start_ms(server))
            measuring.settle(server)
            memory.append(resident_mb(server.pid))
            files.append(descriptors(server))
        shutil.rmtree(server.folder)
    yield row("idle_shards_rss_mb", memory[0], "no streams", memory[1])
    yield row("idle_shards_files", files[0], "no streams", files[1])
    yield row("idle_shards_start_ms", started[0], "no streams", started[1])


ROWS = {"retained": retained, "idle_shards": idle_shards}
