"""What a stream costs its table's writers, and how quickly it is read over HTTP."""

import http.client
import json
import os
import re
import statistics
import time

import measuring
from rows import few_rounds, row
from servers import CLIENT_CORE, TABLE, Millrace, call

CONNECTIONS = [16, 64]
ITEM_BYTES = 200
BATCH = 25


class Reader:
    """Reads all shards of a stream from their horizon on one connection, and counts records."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self.arn = self.ask("ListStreams", {"TableName": TABLE})["Streams"][0]["StreamArn"]

    def send(self, operation, body):
        self.connection.request("POST", "/", json.dumps(body), {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDBStreams_20120810.{operation}",
        })
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise measuring.WrongAnswers(f"{operation}: {answer.status} {text[:500]}")
        return text

    def ask(self, operation, body):
        return json.loads(self.send(operation, body))

    def count(self):
        described = self.ask("DescribeStream", {"StreamArn": self.arn})["StreamDescription"]
        return sum(self.count_shard(shard["ShardId"]) for shard in described["Shards"])

    def count_shard(self, shard):
        iterator = self.ask("GetShardIterator", {
            "StreamArn": self.arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"})["ShardIterator"]
        records = 0
        while True:
            # Not parsed: the server is to be the limit.
            page = self.send("GetRecords", {"ShardIterator": iterator})
            found = page.count(b'{"eventID":')
            if found == 0:
                return records
            records += found
            iterator = re.search(rb'"NextShardIterator":"([^"]+)"', page)[1].decode()


def fill_items(server, count):
    value = "v" * (ITEM_BYTES - len("id") - 10 - len("v"))
    for first in range(0, count, BATCH):
        puts = [{"PutRequest": {"Item": {"id": {"S": f"{key:010}"}, "v": {"S": value}}}}
                for key in range(first, first + BATCH)]
        status, answer = call(server.port, "BatchWriteItem", {"RequestItems": {TABLE: puts}})
        if status != 200 or answer["UnprocessedItems"]:
            raise measuring.WrongAnswers(f"BatchWriteItem: {status} {answer}")


def stream_read(options, folder):
    """Records of 200 bytes a second, by GetRecords over HTTP on one connection."""
    count = options.keys // BATCH * BATCH
    rates = []
    everywhere = os.sched_getaffinity(0)
    with Millrace("stream-read", folder, stream=True).start() as server:
        fill_items(server, count)
        reader = Reader(server)
        os.sched_setaffinity(0, {CLIENT_CORE})
        try:
            for _ in range(few_rounds(options)):
                begin = time.monotonic()
                found = reader.count()
                rates.append(found / (time.monotonic() - begin))
                if found != count:
                    raise measuring.WrongAnswers(f"the stream has {found} records of {count}")
        finally:
            os.sched_setaffinity(0, everywhere)
    yield row("stream_read", statistics.median(rates), connections=1)


def put_with_stream(options, folder):
    """PutItem of 1.2 KB a second into a table with a stream (new and old images); held against one
    without.
    """
    with Millrace("with", folder, stream=True).start() as with_stream, \
            Millrace("without", folder).start() as without:
        for server in (with_stream, without):
            measuring.fill(server, options.keys)
        for connections in CONNECTIONS[:1 if options.small else None]:
            rates = {with_stream: [], without: []}
            for i in range(options.rounds):
                for server in (with_stream, without) if i % 2 == 0 else (without, with_stream):
                    rates[server].append(measuring.load(
                        server, "--op", "put", "--keys", options.keys, "--connections", connections,
                        "--seconds", options.seconds, "--warmup", options.seconds / 6,
                        "--seed", options.seed + i)["rate"])
            yield row("put_with_stream", statistics.median(rates[with_stream]), "without",
                      statistics.median(rates[without]), connections)


ROWS = {"stream_read": stream_read, "put_with_stream": put_with_stream}
