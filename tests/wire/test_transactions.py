"""TransactWriteItems and TransactGetItems."""

import concurrent.futures
import uuid

import pytest

from conftest import unused_name
from expecting import invalid, item, plain, refused
from peers.sidecar import client


def put(table, condition=None, **attributes):
    request = {"TableName": table, "Item": item(**attributes)}
    if condition:
        request["ConditionExpression"] = condition
    return {"Put": request}


def test_every_action_in_one_transaction(ddb, make_table):
    one, two = make_table(), make_table()
    ddb.put_item(TableName=one, Item=item(pk="update", n=1))
    ddb.put_item(TableName=one, Item=item(pk="delete"))
    ddb.put_item(TableName=two, Item=item(pk="check", ok=1))
    ddb.transact_write_items(
        TransactItems=[
            put(two, pk="put", n=1),
            {
                "Update": {
                    "TableName": one,
                    "Key": item(pk="update"),
                    "UpdateExpression": "SET n = n + :one",
                    "ExpressionAttributeValues": {":one": plain(1)},
                }
            },
            {"Delete": {"TableName": one, "Key": item(pk="delete")}},
            {
                "ConditionCheck": {
                    "TableName": two,
                    "Key": item(pk="check"),
                    "ConditionExpression": "attribute_exists(ok)",
                }
            },
        ]
    )
    answer = ddb.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": table, "Key": item(pk=key)}}
            for table, key in ((two, "put"), (one, "update"), (one, "delete"))
        ]
    )
    assert answer["Responses"] == [
        {"Item": item(pk="put", n=1)},
        {"Item": item(pk="update", n=2)},
        {},
    ]


def test_one_failed_condition_cancels_all(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="there"))
    with refused(
        "TransactionCanceledException",
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed]",
    ) as refusal:
        ddb.transact_write_items(
            TransactItems=[
                put(table, pk="new"),
                put(table, "attribute_not_exists(pk)", pk="there", n=2),
            ]
        )
    assert refusal.response["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
    ]
    assert "Item" not in ddb.get_item(TableName=table, Key=item(pk="new"))
    assert ddb.get_item(TableName=table, Key=item(pk="there"))["Item"] == item(pk="there")


def test_the_failing_item_is_in_the_reasons_when_asked(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="there", n=7))
    action = put(table, "attribute_not_exists(pk)", pk="there")
    action["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    with refused("TransactionCanceledException") as refusal:
        ddb.transact_write_items(TransactItems=[action])
    assert refusal.response["CancellationReasons"][0]["Item"] == item(pk="there", n=7)


def test_a_token_makes_a_repeat_harmless(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="count", n=0))
    token = str(uuid.uuid4())
    request = {
        "ClientRequestToken": token,
        "TransactItems": [
            {
                "Update": {
                    "TableName": table,
                    "Key": item(pk="count"),
                    "UpdateExpression": "ADD n :one",
                    "ExpressionAttributeValues": {":one": plain(1)},
                }
            }
        ],
    }
    ddb.transact_write_items(**request)
    ddb.transact_write_items(**request)
    assert ddb.get_item(TableName=table, Key=item(pk="count"))["Item"]["n"] == plain(1)

    request["TransactItems"][0]["Update"]["ExpressionAttributeValues"] = {":one": plain(2)}
    with refused("IdempotentParameterMismatchException"):
        ddb.transact_write_items(**request)
    assert ddb.get_item(TableName=table, Key=item(pk="count"))["Item"]["n"] == plain(1)


@pytest.mark.service
def test_a_token_of_37_characters_is_refused(ddb, table):
    token = "x" * 37
    with invalid(
        f"1 validation error detected: Value '{token}' at 'clientRequestToken' failed to satisfy "
        "constraint: Member must have length less than or equal to 36"
    ):
        ddb.transact_write_items(ClientRequestToken=token, TransactItems=[put(table, pk="a")])


def test_two_actions_on_one_item_are_refused(ddb, table):
    with invalid("Transaction request cannot include multiple operations on one item"):
        ddb.transact_write_items(TransactItems=[put(table, pk="a"), put(table, pk="a", n=1)])


@pytest.mark.service
def test_names_and_values_may_be_given_where_no_expression_is(ddb, table):
    names, values = {"#a": "a"}, {":a": plain(1)}
    for action in (
        {"Put": {"TableName": table, "Item": item(pk="a")}},
        {"Delete": {"TableName": table, "Key": item(pk="a")}},
    ):
        for members in action.values():
            members["ExpressionAttributeNames"] = names
            members["ExpressionAttributeValues"] = values
        ddb.transact_write_items(TransactItems=[action])
        get = {"TableName": table, "Key": item(pk="a"), "ExpressionAttributeNames": names}
        found = ddb.transact_get_items(TransactItems=[{"Get": get}])["Responses"]
        assert found == ([{"Item": item(pk="a")}] if "Put" in action else [{}])
    conditional = put(table, "attribute_not_exists(pk)", pk="a")
    conditional["Put"]["ExpressionAttributeNames"] = names
    with invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}"):
        ddb.transact_write_items(TransactItems=[conditional])
    get["ProjectionExpression"] = "b"
    with invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}"):
        ddb.transact_get_items(TransactItems=[{"Get": get}])


@pytest.mark.service
def test_100_actions_fit_and_101_do_not(ddb, table):
    ddb.transact_write_items(TransactItems=[put(table, pk=f"k{n}") for n in range(100)])
    assert ddb.scan(TableName=table)["Count"] == 100
    with refused("ValidationException") as refusal:
        ddb.transact_write_items(TransactItems=[put(table, pk=f"l{n}") for n in range(101)])
    assert refusal.message.endswith(
        "at 'transactItems' failed to satisfy constraint: "
        "Member must have length less than or equal to 100"
    )


@pytest.mark.service
def test_an_empty_transaction_is_refused(ddb):
    message = (
        "1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )
    with invalid(message):
        ddb.transact_write_items(TransactItems=[])
    with invalid(message):
        ddb.transact_get_items(TransactItems=[])


def test_an_unknown_table_is_refused(ddb, table):
    with refused("ResourceNotFoundException"):
        ddb.transact_write_items(TransactItems=[put(table, pk="a"), put(unused_name(), pk="a")])
    assert ddb.scan(TableName=table)["Count"] == 0


@pytest.mark.service
def test_a_wrong_item_cancels_with_its_reason(ddb, table):
    with refused(
        "TransactionCanceledException",
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ValidationError]",
    ) as refusal:
        ddb.transact_write_items(TransactItems=[put(table, pk="a"), put(table, other="no key")])
    assert refusal.response["CancellationReasons"][1] == {
        "Code": "ValidationError",
        "Message": "One or more parameter values were invalid: Missing the key pk in the item",
    }
    assert ddb.scan(TableName=table)["Count"] == 0


@pytest.mark.service
def test_the_first_wrong_item_is_the_only_reason(ddb, table):
    """Neither later items nor conditions are looked at."""
    condition = put(table, pk="a")
    condition["Put"]["ConditionExpression"] = "attribute_exists(pk)"
    with refused("TransactionCanceledException") as refusal:
        ddb.transact_write_items(
            TransactItems=[condition, put(table, pk=1), put(table, other="no key")]
        )
    reasons = [reason["Code"] for reason in refusal.response["CancellationReasons"]]
    assert reasons == ["None", "ValidationError", "None"]


def test_readers_see_all_of_a_transaction_or_nothing(endpoint, ddb, table):
    rounds = 60

    def write():
        writer = client(endpoint)
        for n in range(1, rounds + 1):
            writer.transact_write_items(
                TransactItems=[put(table, pk="left", n=n), put(table, pk="right", n=n)]
            )

    ddb.transact_write_items(TransactItems=[put(table, pk="left", n=0), put(table, pk="right", n=0)])
    gets = [{"Get": {"TableName": table, "Key": item(pk=key)}} for key in ("left", "right")]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            try:
                both = ddb.transact_get_items(TransactItems=gets)["Responses"]
            except ddb.exceptions.TransactionCanceledException:
                continue  # A conflict: nothing was read.
            assert both[0]["Item"]["n"] == both[1]["Item"]["n"]
        writing.result()
    assert ddb.get_item(TableName=table, Key=item(pk="left"))["Item"]["n"] == plain(rounds)


@pytest.mark.ours
def test_a_foreign_arn_is_told_after_the_syntax_of_all_actions(ddb, table):
    foreign = "arn:aws:dynamodb:eu-north-1:000000000000:table/elsewhere"
    actions = [put(foreign, pk="a"), put(table, "a = ", pk="b")]
    with refused("ValidationException") as refusal:
        ddb.transact_write_items(TransactItems=actions)
    assert refusal.message.startswith("Invalid ConditionExpression: Syntax error")
    with invalid(f"1 validation error detected: Invalid AWS region in '{foreign}'"):
        ddb.transact_write_items(TransactItems=actions[:1])
