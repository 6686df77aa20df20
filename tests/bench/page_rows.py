"""What the query cache gives to pages, and what it costs writes; what checked hits cost."""

import contextlib
import shutil
import statistics

import measuring
from rows import row
from servers import Millrace, create_table


def median_rates(options, connections, *runs):
    """The median rate of each of `runs` (server, operation, keys), measured in turn, the other way round in
    every second round.
    """
    rates = [[] for _ in runs]
    for i in range(options.rounds):
        in_turn = list(zip(rates, runs))
        for found, (server, operation, keys) in in_turn if i % 2 == 0 else reversed(in_turn):
            if operation in measuring.WRITES:
                measuring.settle(*(run[0] for run in runs))
            found.append(measuring.load(
                server, "--op", operation, "--keys", keys, "--connections", connections,
                "--seconds", options.seconds, "--warmup", options.seconds / 3,
                "--seed", options.seed + i)["rate"])
    return [statistics.median(found) for found in rates]


def query_hit(options, folder):
    """Pages of ten small items of one partition, from a random key of 10,000 on, which the query cache has;
    against getitem_hit.
    """
    pages, keys = min(options.keys, 10_000), options.keys
    with Millrace("query-hit", folder, table=False).start() as query, \
            Millrace("getitem-hit", folder).start() as get:
        create_table(query.port, keys=("p", "id"))
        measuring.fill_small(query, pages)
        measuring.fill(get, keys)
        for connections in options.connections or (16, 64):
            # So that each page has been asked for.
            measuring.load(query, "--op", "query", "--keys", pages, "--connections", connections,
                           "--seconds", options.seconds)
            ours, theirs = median_rates(options, connections, (query, "query", pages), (get, "get", keys))
            yield row("query_hit", ours, "getitem_hit", theirs, connections)
    shutil.rmtree(query.folder)
    shutil.rmtree(get.folder)


def put_through_caches(options, folder):
    """Rate of PutItem with item and query cache, against without."""
    with Millrace("caches", folder).start() as caches, \
            Millrace("no-caches", folder, cache_bytes="0").start() as none:
        for server in (caches, none):
            measuring.fill(server, options.keys)
        ours, theirs = median_rates(options, 64, (caches, "put", options.keys), (none, "put", options.keys))
    yield row("put_through_caches", ours, "no caches", theirs, 64)
    shutil.rmtree(caches.folder)
    shutil.rmtree(none.folder)


def checked_hits(options, folder):
    """Rate of getitem_hit where one hit in 10,000, as by default, in 100, and each is held against the
    store, against none.
    """
    parts = [0, 0.0001, 0.01, 1]
    with contextlib.ExitStack() as running:
        servers = [
            running.enter_context(Millrace(
                f"checked-{part}", folder, settings={"cache": {"verify": part}}).start())
            for part in parts
        ]
        for server in servers:
            measuring.fill(server, options.keys)
        for connections in options.connections or (16, 64):
            none, *rates = median_rates(
                options, connections, *((server, "get", options.keys) for server in servers))
            for part, rate in zip(parts[1:], rates):
                yield row(f"checked_hits_{part}", rate, "none checked", none, connections)
    for server in servers:
        shutil.rmtree(server.folder)


ROWS = {"query_hit": query_hit, "put_through_caches": put_through_caches, "checked_hits": checked_hits}
