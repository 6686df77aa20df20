"""What goes on beside a load and what it does to that load's latency, in microseconds."""

import shutil
import statistics
import time

import measuring
from rows import few_rounds, row
from servers import Millrace, call, create_table

from peers.process import wait_until

CONNECTIONS = 16
BESIDE_SECONDS_MAX = 30  # of one measurement; what goes on longer is measured so long
TRANSACTIONS_SECONDS = 20  # beside transactions, which rest between
SECONDS_A_TRANSACTION = 4  # at most
DROP_SECONDS = 10  # behind a DeleteTable; nothing tells when all is gone
TTL_SECONDS = 60  # beside and alone: once a minute the hot set is written; both have it
OTHER = "other"          # the table of what goes on beside


def asked(server, operation, body):
    status, answer = call(server.port, operation, body)
    if status != 200:
        raise measuring.WrongAnswers(f"{operation}: {status} {answer}")


def read_beside_writes(options, folder):
    """p99 of GetItem, 1,000 a second from a process of their own, no cache, beside writers at full rate;
    held against these writers' median: no read waits for a flush. Then against the same without writers,
    which tells what is the machine's. Rounds that the host disturbed are left out where there are others.
    """
    with Millrace("read-beside-writes", folder, cache_bytes="0").start() as server:
        measuring.fill(server, options.keys)

        def measure(i):
            flags = ("--keys", options.keys, "--connections", CONNECTIONS, "--seed", i + 1)
            reader = ("--op", "get", "--rate", 1000, "--seconds", options.seconds, "--warmup",
                      options.seconds / 6, *flags)
            writers = measuring.Load(server, "--op", "put", "--seconds", 600, *flags)
            beside = measuring.load(server, *reader, first=True)
            writers = writers.end()
            measuring.settle(server)
            alone = measuring.load(server, *reader, first=True)
            return (beside["p99_us"], writers["p50_us"], alone["p99_us"]), (beside, alone)

        # The note's figures of all rounds come in this order.
        (beside, writers, alone), note = measuring.undisturbed(options, measure)
    yield row("read_beside_writes", beside, "writers' p50", writers, CONNECTIONS, note)
    yield row("read_beside_writes", beside, "alone", alone, CONNECTIONS, note)


class Puts:
    """PutItem at half of the server's best rate, in an open loop; the search for that rate warms up, and what the
    server does behind it is waited for.
    """

    def __init__(self, options, server):
        self.options = options
        self.server = server
        measuring.fill(server, options.keys)
        self.rate = measuring.load(server, "--op", "put", "--keys", options.keys, "--connections", CONNECTIONS,
                                   "--seconds", options.seconds)["rate"] / 2
        measuring.settle(server)

    def begin(self, seconds, seed):
        return measuring.Load(self.server, "--op", "put", "--keys", self.options.keys, "--connections",
                              CONNECTIONS, "--rate", self.rate, "--seconds", seconds, "--seed", seed,
                              first=True)

    def wait_until_under_way(self):
        def put():
            return self.server.metric("millrace_requests_total", operation="PutItem", status="200")

        before = put()
        wait_until(lambda: put() > before, 30, "the load is under way")

    def p99_us(self, seed, seconds):
        return self.begin(seconds, seed).result()["p99_us"]


def put_beside_transactions(options, folder):
    """p99 of PutItem at half of full rate, beside one client that sends transactions of 4 MB back to back;
    held against the same without it.
    """
    seconds = options.seconds if options.small else TRANSACTIONS_SECONDS
    beside, alone = [], []
    with Millrace("put-beside-transactions", folder).start() as server:
        create_table(server.port, table=OTHER)
        puts = Puts(options, server)
        # Until what the server keeps of them has its memory: on a virtual machine that may take long.
        measuring.load(server, "--op", "transact", "--table", OTHER, "--keys", 100, "--connections", 1,
                       "--seconds", options.seconds)
        for i in range(few_rounds(options)):
            measuring.settle(server)
            alone.append(puts.p99_us(i + 1, seconds))
            before = transactions_committed(server)
            transactions = measuring.Load(server, "--op", "transact", "--table", OTHER, "--keys", 100,
                                          "--connections", 1, "--seconds", 600, "--seed", i + 1, behind=True)
            wait_until(lambda: transactions_committed(server) > before, 30, "a transaction is committed")
            beside.append(puts.p99_us(i + 1, seconds))
            if transactions_committed(server) < before + max(1, seconds // SECONDS_A_TRANSACTION):
                raise measuring.WrongAnswers("hardly a transaction was committed beside the puts")
            transactions.end()
    yield row("put_beside_transactions", statistics.median(beside), "alone", statistics.median(alone),
              CONNECTIONS)


def transactions_committed(server):
    return server.metric("millrace_requests_total", operation="TransactWriteItems", status="200") or 0


def items_beside(options):
    return 2500 if options.small else 1_000_000


def put_beside_work(name, options, folder, begin, ended, load_flags=(), seconds=BESIDE_SECONDS_MAX):
    """p99 of PutItem at half of full rate while the server works on a table of a million small items:
    `begin(server)` sets it to work and `ended(server)` says whether it is done. Beside this the load runs
    for `seconds` at most, and alone for as long: its own flushes and compactions come every few seconds.
    """
    beside, alone = [], []
    for i in range(few_rounds(options)):
        with Millrace(f"{name}-{i}", folder).start() as server:
            create_table(server.port, table=OTHER)
            puts = Puts(options, server)
            measuring.fill_small(server, items_beside(options), "--table", OTHER, *load_flags)
            alone.append(puts.p99_us(1, options.seconds if options.small else seconds))
            load = puts.begin(600, 2)
            puts.wait_until_under_way()
            begin(server)
            start = time.monotonic()
            while not ended(server) and time.monotonic() - start < seconds:
                time.sleep(0.25)  # Between two looks, which are load too.
            beside.append(load.end()["p99_us"])
        shutil.rmtree(server.folder)
    yield row(name, statistics.median(beside), "alone", statistics.median(alone), CONNECTIONS)


def put_beside_backfill(options, folder):
    """p99 of PutItem at half of full rate, while an index over a million items is filled; against that
    alone.
    """

    def begin(server):
        asked(server, "UpdateTable", {
            "TableName": OTHER,
            "AttributeDefinitions": [{"AttributeName": "g", "AttributeType": "S"}],
            "GlobalSecondaryIndexUpdates": [{"Create": {
                "IndexName": "by-g", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"}}}]})

    def ended(server):
        table = call(server.port, "DescribeTable", {"TableName": OTHER})[1]["Table"]
        return all(index["IndexStatus"] == "ACTIVE" for index in table["GlobalSecondaryIndexes"])

    yield from put_beside_work("put_beside_backfill", options, folder, begin, ended)


def put_beside_drop(options, folder):
    """p99 of PutItem at half of full rate, in the ten seconds after DeleteTable of a million items;
    against that alone.
    """

    def begin(server):
        asked(server, "DeleteTable", {"TableName": OTHER})

    yield from put_beside_work("put_beside_drop", options, folder, begin, lambda _: False,
                               seconds=options.seconds if options.small else DROP_SECONDS)


def changes_but_puts(server):
    puts = server.metric("millrace_requests_total", operation="PutItem", status="200")
    return server.metric("millrace_changes_total") - puts


def put_beside_ttl(options, folder):
    """p99 of PutItem at half of full rate, while a million items that have expired are deleted; against
    that alone.
    """
    expiring = {"TableName": OTHER,
                "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True}}

    before = []

    def begin(server):
        before[:] = [changes_but_puts(server)]
        asked(server, "UpdateTimeToLive", expiring)

    def ended(server):
        return changes_but_puts(server) >= before[0] + items_beside(options)

    yield from put_beside_work("put_beside_ttl", options, folder, begin, ended,
                               ("--expires", int(time.time()) - 3600), seconds=TTL_SECONDS)


ROWS = {
    "read_beside_writes": read_beside_writes,
    "put_beside_transactions": put_beside_transactions,
    "put_beside_backfill": put_beside_backfill,
    "put_beside_drop": put_beside_drop,
    "put_beside_ttl": put_beside_ttl,
}
