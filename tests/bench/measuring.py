"""Runs `load` against a server."""

import json
import os
import subprocess
import time

from servers import CLIENT_CORE, ROOT, cpu_seconds

# They leave work behind, which must not count as the next one's.
WRITES = ["put", "update"]
LOAD = ROOT / "build/release/bench/load"


class WrongAnswers(Exception):
    """The server answered wrongly, or not at all; the text is what `load` says."""


class Load:
    """One run of `load`, under way.

    `first`: before all others on the clients' core, whose turns would else count as latency of the server's;
    as far as the user may ask for that. `behind`: it only has what others leave of that core. Where the disk
    interrupts it, the kernel ends the server's writes there and would wait for this one's turns.
    """

    def __init__(self, server, *flags, first=False, behind=False):
        assert not (first and behind)
        turn = ["chrt", "--idle", 0] if behind else []
        if first and os.geteuid() == 0:
            turn = ["chrt", "--fifo", 1]
        command = ["taskset", "-c", CLIENT_CORE, *turn, LOAD, "--port", server.port, "--pid", server.pid,
                   *server.flags, *flags]
        self.server = server
        self.run = subprocess.Popen([str(word) for word in command], text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def result(self):
        """What it found, as its JSON says, at its end."""
        found, errors = self.run.communicate()
        if self.run.returncode != 0:
            raise WrongAnswers(f"{self.server.name}: {errors.strip() or found.strip()}")
        return json.loads(found)

    def end(self):
        """Ends its time now; what it found till then."""
        self.run.terminate()
        return self.result()


def load(server, *flags, first=False):
    """What one run of `load` found, as its JSON says."""
    return Load(server, *flags, first=first).result()


def fill(server, keys):
    load(server, "--fill", "--keys", keys, "--connections", 16)


def fill_small(server, keys, *flags):
    """Items of some 120 bytes, in batches; then waits for what the server does behind them."""
    load(server, "--fill", "--op", "batch", "--keys", keys, "--connections", 4, *flags)
    settle(server)


def settle(*servers):
    """Waits until none of them does anything any more, a minute at most."""
    for _ in range(120):
        before = [cpu_seconds(server.pid) for server in servers]
        time.sleep(0.5)  # What they do in this time is what is looked at.
        if all(cpu_seconds(server.pid) - then < 0.025 for server, then in zip(servers, before)):
            return
