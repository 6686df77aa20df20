"""What a bad number and a set with duplicates are answered with: it depends on the operation.

The words are those of the service as others recorded them in October 2026. Single writes keep the
words that they had before: tests/wire/test_bad_input.py.
"""

import pytest

from expecting import invalid, item

pytestmark = pytest.mark.service

PREFIX = "One or more parameter values were invalid: "
NOT_A_NUMBER = "The parameter cannot be converted to a numeric value"
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"

# A value, what reads of items say to it, what batches and transactions of writes say, and Scan.
WORDS = [
    ({"N": "abc"}, f"{NOT_A_NUMBER}: abc", f"{NOT_A_NUMBER}: abc"),
    ({"N": ""}, f"{NOT_A_NUMBER}: ", NOT_A_NUMBER),
    ({"N": "1e126"}, OVERFLOW, OVERFLOW),
    ({"N": "1e-131"}, UNDERFLOW, UNDERFLOW),
    ({"N": "1e2147483647"}, OVERFLOW, UNDERFLOW),
    (
        {"SS": ["b", "a", "b"]},
        PREFIX + 'Input collection ["a", "b", "b"] contains duplicates.',
        PREFIX + "Input collection [b, a, b] contains duplicates.",
    ),
    (
        {"BS": [b"\xff", b"\0", b"\0"]},
        PREFIX + 'Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
        PREFIX + "Input collection [/w==, AA==, AA==]of type BS contains duplicates.",
    ),
    (
        {"NS": ["2", "1", "2"]},
        PREFIX + "Input collection contains duplicates.",
        "Input collection contains duplicates",
    ),
]
EQUALS = {"ComparisonOperator": "EQ"}

of_reads = pytest.mark.parametrize(("value", "message"), [(value, read) for value, read, _ in WORDS])
of_batches = pytest.mark.parametrize(
    ("value", "message"), [(value, batch) for value, _, batch in WORDS]
)


@of_reads
def test_in_a_key_that_is_read(ddb, table, value, message):
    with invalid(message):
        ddb.get_item(TableName=table, Key={"pk": value})
    with invalid(message):
        ddb.batch_get_item(RequestItems={table: {"Keys": [{"pk": value}]}})


@of_reads
def test_in_a_query(ddb, table, value, message):
    by_key = {"TableName": table, "KeyConditionExpression": "pk = :p"}
    with invalid(message):
        ddb.query(**by_key, ExpressionAttributeValues={":p": value})
    with invalid(message):
        ddb.query(
            **by_key,
            FilterExpression="n = :v",
            ExpressionAttributeValues={":p": {"S": "a"}, ":v": value},
        )
    with invalid(message):
        ddb.query(
            **by_key,
            ExpressionAttributeValues={":p": {"S": "a"}},
            ExclusiveStartKey={"pk": value},
        )


@of_reads
def test_in_a_query_from_before_expressions(ddb, table, value, message):
    for key, other in (({"S": "a"}, value), (value, {"S": "a"})):
        with invalid(message):
            ddb.query(
                TableName=table,
                KeyConditions={"pk": {**EQUALS, "AttributeValueList": [key]}},
                QueryFilter={"n": {**EQUALS, "AttributeValueList": [other]}},
            )


def test_other_refusals_of_a_querys_value_name_the_value(ddb, table):
    with invalid(
        "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must "
        "contain exactly one of the supported datatypes for key :p"
    ):
        ddb.query(
            TableName=table,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {}},
        )


@of_batches
def test_in_a_batch_of_writes(ddb, table, value, message):
    for write in (
        {"PutRequest": {"Item": {"pk": {"S": "a"}, "n": value}}},
        {"DeleteRequest": {"Key": {"pk": value}}},
    ):
        with invalid(message):
            ddb.batch_write_item(RequestItems={table: [write]})
    assert ddb.scan(TableName=table)["Count"] == 0


@of_batches
def test_in_a_transaction(ddb, table, value, message):
    with invalid(message):
        ddb.transact_get_items(TransactItems=[{"Get": {"TableName": table, "Key": {"pk": value}}}])
    for action in (
        {"Put": {"TableName": table, "Item": {"pk": {"S": "a"}, "n": value}}},
        {"Delete": {"TableName": table, "Key": {"pk": value}}},
    ):
        with invalid(message):
            ddb.transact_write_items(TransactItems=[action])
    assert ddb.scan(TableName=table)["Count"] == 0


@of_batches
def test_in_a_transactions_expression(ddb, table, value, message):
    on_item = {"TableName": table, "ExpressionAttributeValues": {":v": value}}
    condition = {**on_item, "ConditionExpression": "attribute_not_exists(pk) OR n = :v"}
    for action in (
        {"Put": {**condition, "Item": item(pk="a")}},
        {"Update": {**on_item, "Key": item(pk="a"), "UpdateExpression": "SET n = :v"}},
        {"Delete": {**condition, "Key": item(pk="a")}},
        {"ConditionCheck": {**condition, "Key": item(pk="a")}},
    ):
        with invalid(f"ExpressionAttributeValues contains invalid value: {message} for key :v"):
            ddb.transact_write_items(TransactItems=[action])
    assert ddb.scan(TableName=table)["Count"] == 0


@of_batches
def test_in_a_scan(ddb, table, value, message):
    with invalid(f"ExpressionAttributeValues contains invalid value: {message} for key :v"):
        ddb.scan(
            TableName=table,
            FilterExpression="n = :v",
            ExpressionAttributeValues={":v": value},
        )
