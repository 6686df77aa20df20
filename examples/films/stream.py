#!/usr/bin/python3
"""Reads a table's whole stream and checks that each change is there once, in order per item.

Ends with status 1 and the first difference when it is not so. Nothing may write meanwhile, the stream
must be as old as the table, and its view type must be NEW_AND_OLD_IMAGES.
"""

import argparse
import collections
import json
import sys

import boto3


class Broken(Exception):
    """The stream is not what the table's history must have been."""


def shards(streams, arn):
    request = {"StreamArn": arn}
    while True:
        stream = streams.describe_stream(**request)["StreamDescription"]
        yield from stream["Shards"]
        if "LastEvaluatedShardId" not in stream:
            return
        request["ExclusiveStartShardId"] = stream["LastEvaluatedShardId"]


def records(streams, arn, shard):
    """All records of a shard up to now: to its end, or to the first empty answer of an open one."""
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while iterator:
        answer = streams.get_records(ShardIterator=iterator)
        yield from answer["Records"]
        if not answer["Records"]:
            return
        iterator = answer.get("NextShardIterator")


def parents_first(all_shards):
    """An item's changes move from a shard to its children, so parents are read first."""
    by_id = {shard["ShardId"]: shard for shard in all_shards}
    ordered = {}

    def visit(shard):
        parent = by_id.get(shard.get("ParentShardId"))
        if parent:
            visit(parent)
        ordered[shard["ShardId"]] = shard

    for shard in all_shards:
        visit(shard)
    return list(ordered.values())


def text(key):
    return json.dumps(key, sort_keys=True, ensure_ascii=False, default=repr)


def check_stream(streams, arn):
    """Returns the last image of each item by its key, and how many changes of each kind there are."""
    last = {}
    seen = set()
    kinds = collections.Counter()
    found = parents_first(list(shards(streams, arn)))
    for shard in found:
        previous = -1
        count = 0
        for record in records(streams, arn, shard):
            change = record["dynamodb"]
            number = int(change["SequenceNumber"])
            if number <= previous:
                raise Broken(f"{shard['ShardId']}: {number} comes after {previous}")
            previous = number
            if record["eventID"] in seen:
                raise Broken(f"{shard['ShardId']}: {record['eventID']} comes twice")
            seen.add(record["eventID"])
            key = text(change["Keys"])
            if change.get("OldImage") != last.get(key):
                raise Broken(f"{shard['ShardId']}: {number} of {key} does not follow the change before")
            last[key] = change.get("NewImage")
            kinds[record["eventName"]] += 1
            count += 1
        print(f"{shard['ShardId']}  {count} changes")
    return last, kinds


def check_table(dynamodb, table, last):
    """The table must hold exactly the last images."""
    schema = dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
    names = [element["AttributeName"] for element in schema]
    expected = {key: image for key, image in last.items() if image is not None}
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            key = text({name: item[name] for name in names})
            if expected.pop(key, None) != item:
                raise Broken(f"the table's item {key} is not its last image in the stream")
    for key in expected:
        raise Broken(f"{key} is in the stream, but not in the table")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--endpoint-url", default="http://127.0.0.1:8000")
    arguments.add_argument("--table", default="films")
    options = arguments.parse_args()

    dynamodb = boto3.client("dynamodb", endpoint_url=options.endpoint_url)
    streams = boto3.client("dynamodbstreams", endpoint_url=options.endpoint_url)
    arn = dynamodb.describe_table(TableName=options.table)["Table"]["LatestStreamArn"]
    try:
        last, kinds = check_stream(streams, arn)
        check_table(dynamodb, options.table, last)
    except Broken as difference:
        sys.exit(f"not so: {difference}")
    total = sum(kinds.values())
    detail = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    print(f"{total} changes ({detail}) of {len(last)} items: each exactly once, in order per item")


if __name__ == "__main__":
    main()
