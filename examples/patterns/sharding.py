#!/usr/bin/python3
"""Write sharding: a hot key is spread over ten, which are read in parallel and put together again.

Votes: each goes to a counter of its candidate chosen at random, and the sum is the result. Events:
each goes to a shard by its id's hash, and the shards' queries are merged into one list by time.
"""

import concurrent.futures
import functools
import heapq
import random
import zlib

from boto3.dynamodb.conditions import Key

import fresh

SHARDS = 10
VOTES = {"anna": 60, "bert": 40}
EVENTS = 50


def vote(table, candidate):
    shard = random.randrange(SHARDS)
    table.update_item(
        Key={"pk": f"VOTES#{candidate}#{shard}", "sk": "COUNT"},
        UpdateExpression="ADD votes :one",
        ExpressionAttributeValues={":one": 1},
    )


def votes_in(table, candidate, shard):
    answer = table.get_item(
        Key={"pk": f"VOTES#{candidate}#{shard}", "sk": "COUNT"}, ConsistentRead=True
    )
    return int(answer.get("Item", {}).get("votes", 0))


def record(table, event, time):
    """The shard follows from the id, so that the event can be found again by it."""
    shard = zlib.crc32(event.encode()) % SHARDS
    table.put_item(Item={"pk": f"EVENTS#{shard}", "sk": f"{time:05d}#{event}"})


def events_in(table, low, high, shard):
    condition = Key("pk").eq(f"EVENTS#{shard}") & Key("sk").between(f"{low:05d}", f"{high:05d}~")
    return list(fresh.pages(table.query, KeyConditionExpression=condition))


def main():
    dynamodb = fresh.resource(__doc__)
    table = fresh.table(dynamodb, "example-sharding", "pk:S sk:S")
    with concurrent.futures.ThreadPoolExecutor(SHARDS) as threads:
        ballots = [name for name, votes in VOTES.items() for _ in range(votes)]
        list(threads.map(functools.partial(vote, table), ballots))
        print(f"{len(ballots)} votes by {SHARDS} threads")
        for candidate in VOTES:
            counts = threads.map(functools.partial(votes_in, table, candidate), range(SHARDS))
            print(f"{candidate}: {sum(counts)} votes")

        for number in range(EVENTS):
            record(table, f"event-{number}", number)
        shards = list(threads.map(functools.partial(events_in, table, 20, 24), range(SHARDS)))
        merged = heapq.merge(*shards, key=lambda item: item["sk"])
        print(f"{EVENTS} events; 20 to 24 from {SHARDS} shards:")
        for item in merged:
            print(" ", item["sk"], "from", item["pk"])


if __name__ == "__main__":
    main()
