#!/usr/bin/python3
"""Users and groups, many to many, asked from both sides.

An item is one membership, its key the user and the group. The global index `members` turns it
around, the local index `by_time` sorts a user's groups by when they were joined. Each group's item,
with the user "-", counts its members, in the transaction that adds or removes one.
"""

from boto3.dynamodb.conditions import Key

import fresh

MEMBERS_MAX = 3


def count(table, group, change, condition, values):
    return {
        "Update": {
            "TableName": table.name,
            "Key": {"user": "-", "group": group},
            "UpdateExpression": "ADD members :change",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {":change": change, **values},
        }
    }


def join(table, user, group, day):
    """Why it did not work, or None."""
    membership = {
        "Put": {
            "TableName": table.name,
            "Item": {"user": user, "group": group, "joined": day},
            "ConditionExpression": "attribute_not_exists(joined)",
        }
    }
    room = "attribute_not_exists(members) OR members < :most"
    client = table.meta.client
    try:
        client.transact_write_items(
            TransactItems=[membership, count(table, group, 1, room, {":most": MEMBERS_MAX})]
        )
    except client.exceptions.TransactionCanceledException as error:
        member, full = (reason["Code"] for reason in error.response["CancellationReasons"])
        if member == "ConditionalCheckFailed":
            return "is a member already"
        if full == "ConditionalCheckFailed":
            return "the group is full"
        raise


def leave(table, user, group):
    membership = {
        "Delete": {
            "TableName": table.name,
            "Key": {"user": user, "group": group},
            "ConditionExpression": "attribute_exists(joined)",
        }
    }
    table.meta.client.transact_write_items(
        TransactItems=[membership, count(table, group, -1, "members > :none", {":none": 0})]
    )


def groups_of(table, user, index=None):
    on = {"IndexName": index} if index else {}
    found = fresh.pages(table.query, KeyConditionExpression=Key("user").eq(user), **on)
    return [item["group"] for item in found]


def members_of(table, group):
    # "-" sorts before every name, so the group's own item is left out.
    found = fresh.pages(
        table.query,
        IndexName="members",
        KeyConditionExpression=Key("group").eq(group) & Key("user").gt("-"),
    )
    return [item["user"] for item in found]


def main():
    dynamodb = fresh.resource(__doc__)
    table = fresh.table(
        dynamodb,
        "example-groups",
        "user:S group:S",
        members="group:S user:S",
        by_time="user:S joined:S",
    )
    for user, group, day in (
        ("anna", "chess", "2026-03-09"),
        ("anna", "choir", "2026-01-15"),
        ("bert", "chess", "2026-02-01"),
        ("carl", "chess", "2026-02-20"),
        ("carl", "choir", "2026-02-21"),
        ("carl", "rowing", "2026-02-01"),
    ):
        join(table, user, group, day)
    print("anna's groups:", *groups_of(table, "anna"))
    print("anna's groups by time:", *groups_of(table, "anna", "by_time"))
    print("members of chess:", *members_of(table, "chess"))
    print("dora to chess:", join(table, "dora", "chess", "2026-03-10"))
    print("bert to chess:", join(table, "bert", "chess", "2026-03-10"))

    leave(table, "bert", "chess")
    print("bert leaves chess; dora joins:", join(table, "dora", "chess", "2026-03-11") or "done")
    print("members of chess:", *members_of(table, "chess"))
    group = table.get_item(Key={"user": "-", "group": "chess"})["Item"]
    print("counted:", group["members"])


if __name__ == "__main__":
    main()
