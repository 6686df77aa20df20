"""Of the sidecar alone: start, recovery, idle memory, and what stream, cache and connector cost."""

import http.client
import json
import shutil
import statistics
import subprocess
import time

import measuring
from rows import few_rounds, row
from servers import CLIENT_CORE, ROOT, Millrace, Process, cpu_seconds, monotonic_ms, resident_mb

from peers.process import wait_until


def first_answer(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except OSError:
        return False
    finally:
        connection.close()


def start_ms(options, folder):
    """From the start of the process, its data folder empty, to its first answer."""
    taken = []
    for i in range(2 if options.small else 10):
        server = Millrace(f"start-{i}", folder, table=False)
        begin = monotonic_ms()
        server.launch()
        while not first_answer(server.port):
            if server.process.ended() or monotonic_ms() - begin > 30000:
                raise measuring.WrongAnswers(f"start_ms: {server.process.describe()}")
            time.sleep(0.0002)  # between two looks
        taken.append(monotonic_ms() - begin)
        server.stop()
        shutil.rmtree(server.folder)
    yield row("start_ms", statistics.median(taken))


def uncovered_mb(server):
    """What of the log no checkpoint covers."""
    log_bytes = server.metric("millrace_log_bytes_total")
    changes = server.metric("millrace_changes_total")
    behind = server.metric("millrace_durable_lsn") - server.metric("millrace_checkpoint_lsn")
    return min(behind / changes, 1) * log_bytes * 1e-6  # Without a checkpoint it is all.


def recovery_1gb(options, folder):
    """From the start of the process to ready, after kill -9 amid writes that made 1 GB of log; beside it
    what of the log no checkpoint covered, in MB.
    """
    log_bytes = 10e6 if options.small else 1e9
    taken, behind = [], []
    for i in range(1 if options.small else 3):
        server = Millrace(f"recovery-{i}", folder).start()
        writers = measuring.Load(server, "--op", "put", "--connections", 16, "--seconds", 600)
        wait_until(lambda: server.metric("millrace_log_bytes_total") >= log_bytes, 300,
                   "the log has grown", server.process)
        behind.append(uncovered_mb(server))
        server.stop()
        writers.run.wait()  # It fails with the server.
        begin = monotonic_ms()
        server.launch()
        wait_until(server.ready, 60, "the server is ready", server.process)
        taken.append((monotonic_ms() - begin) / 1e3)
        server.stop()
        shutil.rmtree(server.folder)
    yield row("recovery_1gb", statistics.median(taken), "uncovered MB", statistics.median(behind), 16)


def idle_rss_mb(options, folder):
    """Resident memory of a process that holds no table, three seconds after its start."""
    server = Millrace("idle", folder, cache_bytes="64MB", table=False).start()
    time.sleep(0.2 if options.small else 3)  # Idle is what is measured.
    yield row("idle_rss_mb", resident_mb(server.pid))
    server.stop()


def cpu_per_write_us(server, rate, seconds, seed):
    """All the process's CPU over a steady load, what it does behind the answers included."""
    before = cpu_seconds(server.pid)
    result = measuring.load(server, "--op", "put", "--connections", 16, "--rate", rate, "--seconds",
                            seconds, "--seed", seed)
    return (cpu_seconds(server.pid) - before) * 1e6 / result["requests"]


def fanout_cpu(options, folder):
    """CPU per write with stream, cache and Kafka connector over that without, at the same steady rate
    (half of the fuller one's best, so that nothing is put off); then the connector's lag after a minute.
    """
    from peers.kafka import Kafka

    broker = Kafka(folder / "kafka").start()
    settings = {"connectors": [{"name": "kafka", "kind": "kafka", "brokers": broker.brokers,
                                "topic": "bench", "from": "latest"}]}
    bare = Millrace("bare", folder, cache_bytes="0").start()
    full = Millrace("full", folder, cache_bytes="512MB", settings=settings, stream=True).start()
    # Both are filled and warm before anything counts.
    best = 0
    for server in (bare, full):
        measuring.fill(server, options.keys)
        best = measuring.load(server, "--op", "put", "--connections", 16, "--seconds",
                              1 if options.small else 5)["rate"]
    rate, seconds = best / 2, 1 if options.small else 8

    def caught_up():
        lag = full.metric("millrace_connector_lag_seconds", connector="kafka")
        return lag is not None and lag < 0.5

    with_all, without = [], []
    for i in range(1 if options.small else 7):
        wait_until(caught_up, 120, "the connector has caught up")
        with_all.append(cpu_per_write_us(full, rate, seconds, i + 1))
        without.append(cpu_per_write_us(bare, rate, seconds, i + 1))
    yield row("fanout_cpu", statistics.median(with_all), "without", statistics.median(without), 16)

    measuring.load(full, "--op", "put", "--connections", 16, "--rate", rate, "--seconds",
                   2 if options.small else 60)
    yield row("connector_lag_s", full.metric("millrace_connector_lag_seconds", connector="kafka"),
              connections=16)
    full.stop()
    bare.stop()
    broker.stop()


def handler_latency(options, folder):
    """From the answer to a write to its change at a reader of another connection, at 2,000 writes a second in
    an open loop: p50, then p99, in microseconds, of a member of a subscription; held against /v1/changes.
    """
    found = {"subscription": [], "changes": []}
    with Millrace("delivery", folder).start() as server:
        for _ in range(few_rounds(options)):
            for reader, flags in (("subscription", []), ("changes", ["--changes"])):
                command = ["taskset", "-c", CLIENT_CORE, ROOT / "build/release/bench/delivery", "--port",
                           server.port, "--admin", server.admin_port, "--seconds", options.seconds, *flags]
                run = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                                     timeout=options.seconds + 60)
                if run.returncode != 0:
                    raise measuring.WrongAnswers(f"handler_latency: {run.stderr.strip()}")
                found[reader].append(json.loads(run.stdout))

    def median(reader, field):
        return statistics.median(each[field] for each in found[reader])

    for name, field in (("handler_latency", "p50_us"), ("handler_latency_p99", "p99_us")):
        yield row(name, median("subscription", field), "/v1/changes", median("changes", field))


ROWS = {"handler_latency": handler_latency, "start_ms": start_ms, "recovery_1gb": recovery_1gb, "idle_rss_mb": idle_rss_mb,
        "fanout_cpu": fanout_cpu}
