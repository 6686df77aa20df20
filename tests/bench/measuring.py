"""Runs `load` against a server."""

import json
import os
import subprocess
import time

from servers import CLIENT_CORE, ROOT, SERVER_CORE, cpu_seconds

# They leave work behind, which must not count as the next one's.
WRITES = ["put", "update"]
LOAD = ROOT / "build/release/bench/load"
# Of both cores' time. With ten times as much a p99 is the host's, not the server's.
STOLEN_SHARE_MAX = 0.001
ROUNDS_TRIED_MAX = 4  # for each that is wanted


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


def stolen_seconds():
    """What the host of a virtual machine has taken of both cores' time so far: "steal" of proc_stat(5)."""
    cores = {f"cpu{core}" for core in (SERVER_CORE, CLIENT_CORE)}
    with open("/proc/stat") as stat:
        lines = [line.split() for line in stat]
    return sum(int(words[8]) for words in lines if words[0] in cores) / os.sysconf("SC_CLK_TCK")


def undisturbed(rounds, measure):
    """What `measure(i)` gave in that many rounds in which the host took next to nothing of the cores' time,
    and a text that says so. Rounds in which it did are left out, whatever they gave, and measured again; if
    there are not enough others, those that it disturbed least count.
    """
    found = []
    while (sum(share <= STOLEN_SHARE_MAX for share, _ in found) < rounds
           and len(found) < ROUNDS_TRIED_MAX * rounds):
        start, before = time.monotonic(), stolen_seconds()
        result = measure(len(found))
        share = (stolen_seconds() - before) / (2 * (time.monotonic() - start))
        found.append((share, result))
    kept = sorted(found, key=lambda pair: pair[0])[:rounds]
    return [result for _, result in kept], (
        f"rounds kept: {len(kept)} of {len(found)}, of whose time the host took at most {kept[-1][0]:.2%}")
