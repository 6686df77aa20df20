"""What is measured of the sidecar alone: start, idle memory, and what stream, cache and connector cost."""

import http.client
import shutil
import statistics
import time

import measuring
from servers import Millrace, Process, cpu_seconds, monotonic_ms, pinned, resident_mb

from peers.process import wait_until


def row(bench, ours, peer=None, theirs=None, connections=None):
    ratio = ours / theirs if theirs else None
    return {"bench": bench, "peer": peer, "connections": connections, "ours": ours,
            "theirs": theirs, "ratio": ratio}


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
        server.process.start(pinned(server.command()), cwd=server.folder)
        while not first_answer(server.port):
            if server.process.ended() or monotonic_ms() - begin > 30000:
                raise measuring.WrongAnswers(f"start_ms: {server.process.describe()}")
            time.sleep(0.0002)  # between two looks
        taken.append(monotonic_ms() - begin)
        server.stop()
        shutil.rmtree(server.folder)
    yield row("start_ms", statistics.median(taken))


def idle_rss_mb(options, folder):
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


ROWS = {"start_ms": start_ms, "idle_rss_mb": idle_rss_mb, "fanout_cpu": fanout_cpu}
