"""Condition expressions on writes."""

import concurrent.futures

import pytest

from expecting import item, plain, refused
from peers.sidecar import client

EXISTING = item(pk="a", n=5, s="five", m={"x": 1}, l=[1, 2])

HOLDS = [
    "n = :five",
    "n <> :six",
    "n < :six",
    "n <= :five",
    "n > :four",
    "n >= :five",
    ":four < n",
    "m.x = :one",
    "l[1] > :one",
    "attribute_exists(s)",
    "attribute_exists(m.x)",
    "attribute_not_exists(t)",
    "attribute_not_exists(m.y)",
    "NOT n = :six",
    "n = :five AND s = :text",
    "n = :six OR s = :text",
    "not (n = :six or n = :four) and attribute_exists(pk)",
    "n = :six AND n = :six OR n = :five",
    "(n = :five)",
    "nothing <> :five",
]

FAILS = [
    "n = :six",
    "n <> :five",
    "n < :five",
    "n > :five",
    "n = :text",
    "n < :text",
    "nothing = :five",
    "nothing < :five",
    "m.y = :one",
    "l[7] = :one",
    "attribute_exists(t)",
    "attribute_not_exists(pk)",
    "NOT n = :five",
    "n = :five AND s = :five",
    "n = :five AND (s = :five OR n = :six)",
]

VALUES = {":one": 1, ":four": 4, ":five": 5, ":six": 6, ":text": "five"}


def conditional(expression):
    used = {name: plain(value) for name, value in VALUES.items() if name in expression}
    request = {"ConditionExpression": expression}
    if used:
        request["ExpressionAttributeValues"] = used
    return request


@pytest.fixture
def existing(ddb, table):
    ddb.put_item(TableName=table, Item=EXISTING)
    return table


@pytest.mark.parametrize("expression", HOLDS)
def test_a_condition_that_holds_lets_the_write_through(ddb, existing, expression):
    ddb.put_item(TableName=existing, Item=item(pk="a", done=1), **conditional(expression))
    assert ddb.get_item(TableName=existing, Key=item(pk="a"))["Item"] == item(pk="a", done=1)


@pytest.mark.parametrize("expression", FAILS)
def test_a_condition_that_fails_writes_nothing(ddb, existing, expression):
    with refused("ConditionalCheckFailedException", "The conditional request failed"):
        ddb.put_item(TableName=existing, Item=item(pk="a", done=1), **conditional(expression))
    assert ddb.get_item(TableName=existing, Key=item(pk="a"))["Item"] == EXISTING


def test_update_and_delete_take_conditions(ddb, existing):
    with refused("ConditionalCheckFailedException", "The conditional request failed"):
        ddb.delete_item(TableName=existing, Key=item(pk="a"), **conditional("n = :six"))
    with refused("ConditionalCheckFailedException", "The conditional request failed"):
        ddb.update_item(
            TableName=existing,
            Key=item(pk="a"),
            UpdateExpression="REMOVE s",
            **conditional("n = :six"),
        )
    assert ddb.get_item(TableName=existing, Key=item(pk="a"))["Item"] == EXISTING
    ddb.delete_item(TableName=existing, Key=item(pk="a"), **conditional("n = :five"))
    assert "Item" not in ddb.get_item(TableName=existing, Key=item(pk="a"))


def test_a_condition_on_an_absent_item_sees_no_attributes(ddb, table):
    ddb.put_item(
        TableName=table, Item=item(pk="new"), ConditionExpression="attribute_not_exists(pk)"
    )
    with refused("ConditionalCheckFailedException", "The conditional request failed"):
        ddb.delete_item(
            TableName=table, Key=item(pk="nobody"), ConditionExpression="attribute_exists(pk)"
        )


def test_concurrent_conditional_creations_let_one_through(endpoint, table):
    def create(number):
        try:
            client(endpoint).put_item(
                TableName=table,
                Item=item(pk="one", owner=number),
                ConditionExpression="attribute_not_exists(pk)",
            )
            return 1
        except Exception as error:
            assert "ConditionalCheckFailedException" in str(error)
            return 0

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 1
