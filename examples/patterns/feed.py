#!/usr/bin/python3
"""A social network as an adjacency list: each item is a node of the graph, or an edge between two.

| what            | pk        | sk               |
|-----------------|-----------|------------------|
| user            | USER#name | USER#name        |
| follows         | USER#name | FOLLOWS#name     |
| post            | USER#name | POST#time        |
| like            | POST#id   | LIKE#name        |
| line of a feed  | FEED#name | time#author      |

The index `inverted` has the two keys swapped, so it walks the same edges backwards.
"""

from boto3.dynamodb.conditions import Key

import fresh


def follow(table, follower, followed):
    table.put_item(Item={"pk": f"USER#{follower}", "sk": f"FOLLOWS#{followed}"})


def followers(table, name):
    edges = fresh.pages(
        table.query,
        IndexName="inverted",
        KeyConditionExpression=Key("sk").eq(f"FOLLOWS#{name}"),
    )
    return [edge["pk"].removeprefix("USER#") for edge in edges]


def follows(table, name):
    edges = fresh.pages(
        table.query,
        KeyConditionExpression=Key("pk").eq(f"USER#{name}") & Key("sk").begins_with("FOLLOWS#"),
    )
    return [edge["sk"].removeprefix("FOLLOWS#") for edge in edges]


def publish(table, author, time, text):
    """Writes the post, and a line into the feed of everybody who follows its author."""
    table.put_item(Item={"pk": f"USER#{author}", "sk": f"POST#{time}", "text": text})
    with table.batch_writer() as batch:
        for reader in followers(table, author):
            batch.put_item({"pk": f"FEED#{reader}", "sk": f"{time}#{author}", "text": text})


def like(table, name, post):
    """A user's second like of the same post changes nothing."""
    try:
        table.put_item(
            Item={"pk": f"POST#{post}", "sk": f"LIKE#{name}"},
            ConditionExpression="attribute_not_exists(pk)",
        )
        return True
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        return False


def newest(table, name, count):
    """The feed, newest first, without touching the authors' posts."""
    return table.query(
        KeyConditionExpression=Key("pk").eq(f"FEED#{name}"), ScanIndexForward=False, Limit=count
    )["Items"]


def main():
    dynamodb = fresh.resource(__doc__)
    table = fresh.table(dynamodb, "example-feed", "pk:S sk:S", inverted="sk:S pk:S")
    for name in ("anna", "bert", "carl", "dora"):
        table.put_item(Item={"pk": f"USER#{name}", "sk": f"USER#{name}"})
    for follower, followed in (
        ("anna", "bert"), ("anna", "carl"), ("bert", "anna"), ("dora", "bert"), ("dora", "carl"),
    ):
        follow(table, follower, followed)
    print("anna follows", *follows(table, "anna"))
    print("bert is followed by", *followers(table, "bert"))

    publish(table, "bert", "2026-03-01T09:00", "Good morning!")
    publish(table, "carl", "2026-03-01T09:05", "Coffee?")
    publish(table, "bert", "2026-03-01T09:10", "Always.")
    for line in newest(table, "anna", 2):
        time, author = line["sk"].split("#")
        print(f"anna's feed: {time} {author}: {line['text']}")
    print("carl's feed:", len(newest(table, "carl", 2)), "lines")

    post = "bert#2026-03-01T09:00"
    for name in ("anna", "dora", "anna"):
        print(f"{name} likes it:", "counted" if like(table, name, post) else "was counted already")
    likes = table.query(KeyConditionExpression=Key("pk").eq(f"POST#{post}"), Select="COUNT")
    print("likes:", likes["Count"])
    liked = table.query(IndexName="inverted", KeyConditionExpression=Key("sk").eq("LIKE#dora"))
    print("dora likes", *(edge["pk"] for edge in liked["Items"]))


if __name__ == "__main__":
    main()
