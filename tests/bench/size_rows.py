"""What the size of a table does to the latency of reads, in microseconds."""

import contextlib
import shutil
import statistics

import measuring
from rows import few_rounds, row
from servers import Millrace, create_table

CONNECTIONS = 16


def ten_million(options, folder):
    """p99 of GetItem, 5,000 a second at random, no cache, on 10,000,000 small items; against 100,000, in turn.
    Rounds that the host disturbed are left out where there are others.
    """
    sizes = (2500, 250) if options.small else (10_000_000, 100_000)
    with contextlib.ExitStack() as running:
        servers = [running.enter_context(Millrace(f"items-{items}", folder, cache_bytes="0").start())
                   for items in sizes]
        for server, items in zip(servers, sizes):
            measuring.fill_small(server, items)

        def measure(i):
            loads = {}
            pairs = list(zip(servers, sizes))
            for server, items in pairs if i % 2 == 0 else reversed(pairs):
                # Half of the time warms up.
                loads[items] = measuring.load(
                    server, "--op", "get", "--keys", items, "--connections", CONNECTIONS, "--rate", 5000,
                    "--seconds", options.seconds, "--warmup", options.seconds, "--seed", i + 1)
            return [loads[items]["p99_us"] for items in sizes], loads.values()

        (many, few), note = measuring.undisturbed(options, measure)
    for server in servers:
        shutil.rmtree(server.folder)
    yield row("ten_million", many, "100,000", few, CONNECTIONS, note)


def query_page(options, folder):
    """p50 of one client's pages of Query and of Scan from a random key on, of 10 and of 100 items, no cache, in
    a table of 1,000,000 items, all of one partition; against one of 10,000.
    """
    sizes = (2500, 250) if options.small else (1_000_000, 10_000)
    pages = [(operation, page) for operation in ("query", "scan") for page in (10, 100)]
    p50 = []
    for items in sizes:
        with Millrace(f"pages-{items}", folder, cache_bytes="0", table=False).start() as server:
            create_table(server.port, keys=("p", "id"))
            measuring.fill_small(server, items)
            p50.append({
                (operation, page): statistics.median(
                    measuring.load(server, "--op", operation, "--page", page, "--keys", items,
                                   "--connections", 1, "--seconds", options.seconds, "--warmup", options.seconds / 6,
                                   "--seed", i + 1)["p50_us"]
                    for i in range(few_rounds(options)))
                for operation, page in pages})
        shutil.rmtree(server.folder)
    for operation, page in pages:
        yield row(f"{operation}_page_{page}", p50[0][operation, page], "10,000", p50[1][operation, page], 1)


ROWS = {"ten_million": ten_million, "query_page": query_page}
