"""Measures the sidecar beside its peers: alternating rounds, medians, ratios.

Rates of different runs do not compare, since the machine changes under them: only the ratio of two servers
measured in turn, in one run, says something. Both are pinned to one core and the load generator to another.
"""

import argparse
import inspect
import json
import pathlib
import shutil
import statistics
import sys
import time

import beside_rows
import measuring
import page_rows
import retention_rows
import rows
import sidecar_rows
import size_rows
import stream_rows
from servers import PEERS, ROOT, Millrace, Skipped

DYNAMODB_PEERS = ["dynalite", "dynoxide", "dynamodb_local"]

# bench: (operation of `load`, cache of ours, peers)
BENCHES = {
    "getitem_hit": ("get", "512MB", ["redis", "nginx_static", *DYNAMODB_PEERS]),
    "getitem_miss": ("get", "0", ["redis", *DYNAMODB_PEERS]),
    "putitem_durable": ("put", "512MB", ["redis_aof_always", *DYNAMODB_PEERS]),
    "updateitem_hot": ("update", "512MB", ["redis_aof_always", *DYNAMODB_PEERS]),
}
ROWS = {**sidecar_rows.ROWS, **beside_rows.ROWS, **size_rows.ROWS, **stream_rows.ROWS,
        **page_rows.ROWS, **retention_rows.ROWS}
SMALL_PEERS = ["redis", "redis_aof_always", "nginx_static"]


def parse():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run.sh",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Builds a release and measures it beside its peers. A full run takes over an hour.",
        epilog="rows of the sidecar alone, each a --bench:\n" + "\n".join(
            f"  {name}\n      {inspect.cleandoc(measure.__doc__).replace(chr(10), chr(10) + '      ')}"
            for name, measure in ROWS.items()))
    parser.add_argument("--bench", action="append", choices=[*BENCHES, *ROWS],
                        help="only this one; may be repeated")
    parser.add_argument("--peer", action="append", choices=[*PEERS], help="only this one; may be repeated")
    parser.add_argument("--connections", action="append", type=int, help="instead of 16 and 64")
    parser.add_argument("--rounds", type=int, default=7,
                        help="alternations of ours and theirs; of some rows more are tried (7)")
    parser.add_argument("--seconds", type=float, default=3, help="of one measurement (3)")
    parser.add_argument("--keys", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="the rows, an object a line")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/bench-data",
                        help="folder for data, on a real disk (build/bench-data)")
    parser.add_argument("--small", action="store_true",
                        help="tiny numbers and Debian's peers only: shows that it works, measures nothing")
    options = parser.parse_args()
    if options.small:
        options.rounds, options.seconds, options.keys = 1, 0.3, 1000
        options.connections = options.connections or [16]
        options.peer = options.peer or SMALL_PEERS
        options.bench = options.bench or [*BENCHES, *(name for name in ROWS if name != "fanout_cpu")]
    options.bench = options.bench or [*BENCHES, *ROWS]
    options.peer = options.peer or [*PEERS]
    options.connections = options.connections or [16, 64]
    return options


class Board:
    """Collects rows; prints each as it comes, and writes them to the file."""

    def __init__(self, options):
        self.file = options.json.open("w") if options.json else None
        self.failed = False
        print(f"{'bench':<23} {'peer':<17} {'conns':>5} {'ours':>11} {'theirs':>11} {'ratio':>6} "
              f"{'CPU us: ours':>12} {'theirs':>8}  {'p99 us: ours':>12} {'theirs':>8}", flush=True)

    def add(self, row, cpu=(None, None), p99=(None, None)):
        def number(value, width, digits=0):
            return f"{value:>{width},.{digits}f}" if value is not None else " " * (width - 1) + "-"

        # Rates are whole; times, sizes and CPU have parts.
        digits = 0 if row["bench"] in BENCHES else 2
        print(f"{row['bench']:<23} {row['peer'] or '-':<17} {row['connections'] or '-':>5} "
              f"{number(row['ours'], 11, digits)} {number(row['theirs'], 11, digits)} "
              f"{number(row['ratio'], 6, 2)} {number(cpu[0], 12, 1)} {number(cpu[1], 8, 1)}  "
              f"{number(p99[0], 12)} {number(p99[1], 8)}", flush=True)
        if row["note"]:
            self.note(row["note"], failure=False)
        if self.file:
            self.file.write(json.dumps(row) + "\n")
            self.file.flush()

    def note(self, text, failure=True):
        self.failed |= failure
        print(f"  {text}", flush=True)


def compare(options, bench, ours, peer, connections):
    """One row: rounds in turn, ours first in one and theirs first in the next."""
    operation = BENCHES[bench][0]
    found = {ours: [], peer: []}
    for i in range(options.rounds):
        for server in (ours, peer) if i % 2 == 0 else (peer, ours):
            static = server.name == "nginx_static"
            if operation in measuring.WRITES:
                measuring.settle(ours, peer)
            found[server].append(measuring.load(
                server, "--op", "static" if static else operation, "--keys", options.keys,
                "--connections", connections, "--seconds", options.seconds,
                "--warmup", options.seconds / 6, "--seed", options.seed + i))

    def median(server, field):
        return statistics.median(run[field] for run in found[server])

    rate, theirs = median(ours, "rate"), median(peer, "rate")
    both = (ours, peer)
    return (rows.row(bench, rate, peer.name, theirs, connections),
            [median(s, "server_cpu_us") for s in both], [median(s, "p99_us") for s in both])


class Ours:
    """The sidecars that benches compare with: one for each size of cache, filled once."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.started = {}

    def get(self, cache_bytes):
        if cache_bytes not in self.started:
            server = Millrace(f"millrace-cache-{cache_bytes}", self.folder, cache_bytes).start()
            self.started[cache_bytes] = server
            measuring.fill(server, self.options.keys)
            measuring.settle(server)
            # Who reads an item first waits until it is rendered: that is no hit yet.
            measuring.load(server, "--op", "get", "--keys", self.options.keys, "--connections", 16,
                           "--seconds", 2 * self.options.seconds)
        return self.started[cache_bytes]

    def stop(self):
        for server in self.started.values():
            server.stop()


def run_peer(options, board, ours, name, folder):
    """All rows of one peer, which runs no longer than they take."""
    benches = [b for b in options.bench if b in BENCHES and name in BENCHES[b][2]]
    if not benches:
        return
    peer = PEERS[name](folder)
    try:
        peer.start()
        if name != "nginx_static":
            measuring.fill(peer, options.keys)
        for bench in benches:
            for connections in options.connections:
                try:
                    board.add(*compare(options, bench, ours.get(BENCHES[bench][1]), peer, connections))
                except measuring.WrongAnswers as error:
                    board.note(f"{bench} beside {name} failed: {error}")
    finally:
        peer.stop()


def main():
    options = parse()
    folder = options.work.resolve() / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    board = Board(options)
    ours = Ours(options, folder)
    try:
        for name in options.peer:
            try:
                run_peer(options, board, ours, name, folder)
            except Skipped as reason:
                board.note(f"{name} skipped: {reason}", failure=False)
            except AssertionError as error:  # a server did not get ready
                board.note(f"{name} failed: {error}")
    finally:
        ours.stop()
    for name in options.bench:
        if name in ROWS:
            try:
                for row in ROWS[name](options, folder):
                    board.add(row)
            except (measuring.WrongAnswers, AssertionError) as error:
                board.note(f"{name} failed: {error}")
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if board.failed else 0


if __name__ == "__main__":
    sys.exit(main())
