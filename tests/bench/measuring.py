"""Runs `load` against a server."""

import json
import os
import statistics
import subprocess
import time

from servers import CLIENT_CORE, ROOT, SERVER_CORE, cpu_seconds

# They leave work behind, which must not count as the next one's.
WRITES = ["put", "update"]
LOAD = ROOT / "build/release/bench/load"
# Of both cores' time: if it is all of one core's, half of what decides a p99. The kernel counts it in ticks of
# 10 ms, one of which is no more than that in two seconds.
STOLEN_SHARE_MAX = 0.0025
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
        self.begun, self.stolen = time.monotonic(), stolen_seconds()
        self.run = subprocess.Popen([str(word) for word in command], text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def result(self):
        """What it found, as its JSON says, at its end; and which part of both cores the host took meanwhile."""
        found, errors = self.run.communicate()
        if self.run.returncode != 0:
            raise WrongAnswers(f"{self.server.name}: {errors.strip() or found.strip()}")
        share = (stolen_seconds() - self.stolen) / (2 * (time.monotonic() - self.begun))
        return {**json.loads(found), "stolen_share": share}

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
    """What the host of a virtual machine has taken of both cores' time so far, by its own account: "steal" of
    proc_stat(5). A container may not show each core; then of all.
    """
    with open("/proc/stat") as stat:
        lines = [line.split() for line in stat]
    both = [line for line in lines if line[0] in (f"cpu{SERVER_CORE}", f"cpu{CLIENT_CORE}")]
    return sum(int(line[8]) for line in both or lines[:1]) / os.sysconf("SC_CLK_TCK")


def undisturbed(options, measure):
    """Medians of the figures of rounds that the host did not disturb, and a text that says how many there were
    and what those of all are.

    `measure(i)` returns the figures and the loads that gave them. A round is left out, whatever it gave, and
    another measured, if the host took more than STOLEN_SHARE_MAX in one of its loads; if there are not enough
    others, those that it disturbed least count. Only for rounds of seconds: it takes something in every minute.
    """
    rounds = []
    tries = options.rounds * (1 if options.small else ROUNDS_TRIED_MAX)
    while len(rounds) < tries and sum(share <= STOLEN_SHARE_MAX for share, _ in rounds) < options.rounds:
        figures, loads = measure(len(rounds))
        rounds.append((max(load["stolen_share"] for load in loads), figures))
    kept = sorted(rounds, key=lambda each: each[0])[:options.rounds]
    most = kept[-1][0]
    unmet = f", not the {STOLEN_SHARE_MAX:.2%} wanted" if most > STOLEN_SHARE_MAX else ""
    everything = ", ".join(f"{median:,.0f}" for median in medians(rounds))
    return medians(kept), (f"medians of {len(kept)} of {len(rounds)} rounds, in which the host took at most "
                           f"{most:.2%}{unmet}; of all rounds, in us: {everything}")


def medians(rounds):
    return [statistics.median(column) for column in zip(*(figures for _, figures in rounds))]
