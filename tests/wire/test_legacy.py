"""Parameters from before expressions, as old clients and object mappers send them."""

import pytest

from expecting import invalid, item, plain, refused
from peers.process import wait_until

INVALID = "One or more parameter values were invalid: "


@pytest.fixture
def film(ddb, table):
    """A table and the key of an item with attributes of several types."""
    key = item(pk="film")
    ddb.put_item(
        TableName=table,
        Item=item(pk="film", title="Heat", year=1995, minutes=170, tags=["crime", "drama"])
        | {"cast": {"SS": ["Pacino", "De Niro"]}},
    )
    return {"TableName": table, "Key": key}


def condition(operator, *values):
    return {"ComparisonOperator": operator, "AttributeValueList": [plain(value) for value in values]}


def failed():
    return refused("ConditionalCheckFailedException", "The conditional request failed")


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("title", condition("EQ", "Heat")),
        ("title", condition("NE", "Ronin")),
        ("absent", condition("NE", "Ronin")),
        ("year", condition("LT", 1996)),
        ("year", condition("LE", 1995)),
        ("year", condition("GT", 1994)),
        ("year", condition("GE", 1995)),
        ("year", condition("BETWEEN", 1995, 1995)),
        ("year", condition("IN", 1, 1995)),
        ("title", condition("BEGINS_WITH", "He")),
        ("title", condition("CONTAINS", "ea")),
        ("cast", condition("CONTAINS", "Pacino")),
        ("tags", condition("CONTAINS", "crime")),
        ("title", condition("NOT_CONTAINS", "xx")),
        ("title", {"ComparisonOperator": "NOT_NULL"}),
        ("absent", {"ComparisonOperator": "NULL"}),
        ("absent", {"Exists": False}),
        ("title", {"Exists": True, "Value": plain("Heat")}),
        ("year", {"ComparisonOperator": "LT", "Value": plain(1996)}),
    ],
)
def test_expected_that_holds(ddb, film, attribute, expected):
    ddb.put_item(
        TableName=film["TableName"], Item=item(pk="film", n=1), Expected={attribute: expected}
    )
    assert ddb.get_item(**film)["Item"] == item(pk="film", n=1)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("title", condition("EQ", 1995)),
        ("title", condition("LT", 1995)),
        ("absent", condition("NOT_CONTAINS", "x")),
        ("absent", condition("EQ", "x")),
        ("cast", condition("IN", "Pacino")),
        ("title", {"Exists": False}),
        ("title", {"Value": plain("Ronin")}),
    ],
)
@pytest.mark.parametrize("operation", ["update_item", "delete_item"])
def test_expected_that_fails(ddb, film, operation, attribute, expected):
    before = ddb.get_item(**film)["Item"]
    with failed():
        getattr(ddb, operation)(**film, Expected={attribute: expected})
    assert ddb.get_item(**film)["Item"] == before


def test_expected_conditions_are_joined(ddb, film):
    both = {"title": {"Value": plain("Heat")}, "year": {"Value": plain(1)}}
    with failed():
        ddb.update_item(**film, Expected=both)
    with failed():
        ddb.update_item(**film, Expected=both, ConditionalOperator="AND")
    ddb.update_item(**film, Expected=both, ConditionalOperator="OR")
    with invalid("ConditionalOperator cannot be used without Filter or Expected"):
        ddb.update_item(**film, ConditionalOperator="OR")
    with invalid("ConditionalOperator can only be used when Filter or Expected has two or more elements"):
        ddb.update_item(**film, Expected={"title": {"Exists": False}}, ConditionalOperator="OR")


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({}, "Value must be provided when Exists is null for Attribute: a"),
        ({"Exists": True}, "Value must be provided when Exists is true for Attribute: a"),
        (
            {"Exists": False, "Value": plain("x")},
            "Value cannot be used when Exists is false for Attribute: a",
        ),
        (
            {"Exists": True, "ComparisonOperator": "EQ"},
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            {"ComparisonOperator": "GE"},
            "Value or AttributeValueList must be used with ComparisonOperator: GE for Attribute: a",
        ),
        (
            {"Value": plain("x"), "AttributeValueList": [plain("x")]},
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (
            {"AttributeValueList": [plain("x")]},
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (condition("EQ"), "Invalid number of argument(s) for the EQ ComparisonOperator"),
        (condition("BETWEEN", 1), "Invalid number of argument(s) for the BETWEEN ComparisonOperator"),
        (condition("NULL", 1), "Invalid number of argument(s) for the NULL ComparisonOperator"),
        (condition("IN", 1, "x"), "AttributeValues inside AttributeValueList must be of same type"),
        (condition("LT", True), "ComparisonOperator LT is not valid for BOOL AttributeValue type"),
        (condition("BEGINS_WITH", 1), "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"),
        (condition("CONTAINS", [1]), "ComparisonOperator CONTAINS is not valid for L AttributeValue type"),
    ],
)
def test_expected_that_makes_no_sense(ddb, film, expected, message):
    with invalid(INVALID + message):
        ddb.delete_item(**film, Expected={"a": expected})


def test_bounds_of_between_are_in_order(ddb, film):
    with invalid(
        "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
    ):
        ddb.delete_item(**film, Expected={"a": condition("BETWEEN", 10, 9)})


@pytest.mark.service
def test_operators_that_the_model_does_not_know(ddb, film):
    with invalid(
        "1 validation error detected: Value 'eq' at 'expected.a.member.comparisonOperator' failed to "
        "satisfy constraint: Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, NOT_CONTAINS, "
        "EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]"
    ):
        ddb.delete_item(**film, Expected={"a": {"ComparisonOperator": "eq"}})


@pytest.mark.service
def test_attribute_updates(ddb, film):
    answer = ddb.update_item(
        **film,
        AttributeUpdates={
            "title": {"Value": plain("Heat!")},
            "year": {"Action": "ADD", "Value": plain(1)},
            "seen": {"Action": "ADD", "Value": plain(1)},
            "minutes": {"Action": "DELETE"},
            "cast": {"Action": "DELETE", "Value": {"SS": ["Pacino"]}},
            "tags": {"Action": "ADD", "Value": plain(["noir"])},
        },
        ReturnValues="ALL_NEW",
    )
    assert answer["Attributes"] == item(
        pk="film", title="Heat!", year=1996, seen=1, tags=["crime", "drama", "noir"]
    ) | {"cast": {"SS": ["De Niro"]}}


@pytest.mark.service
def test_attribute_updates_of_an_absent_item(ddb, table):
    ddb.update_item(TableName=table, Key=item(pk="a"), AttributeUpdates={"x": {"Action": "DELETE"}})
    assert "Item" not in ddb.get_item(TableName=table, Key=item(pk="a"))
    ddb.update_item(TableName=table, Key=item(pk="a"), AttributeUpdates={})
    assert ddb.get_item(TableName=table, Key=item(pk="a"))["Item"] == item(pk="a")


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (
            {"a": {"Action": "ADD"}},
            INVALID + "Only DELETE action is allowed when no attribute value is specified",
        ),
        ({"cast": {"Action": "ADD", "Value": plain(1)}}, "Type mismatch for attribute to update"),
        (
            {"pk": {"Value": plain("b")}},
            INVALID + "Cannot update attribute pk. This attribute is part of the key",
        ),
    ],
)
def test_attribute_updates_that_are_refused(ddb, film, update, message):
    with invalid(message):
        ddb.update_item(**film, AttributeUpdates=update)


@pytest.mark.service
def test_attribute_updates_of_types_without_the_action(ddb, film):
    with invalid(INVALID + "ADD action is not supported for the type S"):
        ddb.update_item(**film, AttributeUpdates={"a": {"Action": "ADD", "Value": plain("x")}})
    with invalid(INVALID + "DELETE action with value is not supported for the type N"):
        ddb.update_item(**film, AttributeUpdates={"a": {"Action": "DELETE", "Value": plain(1)}})


@pytest.fixture
def orders(ddb, ranged):
    for number in range(1, 6):
        ddb.put_item(TableName=ranged, Item=item(pk="a", sk=number, v=number * 10))
    return {"TableName": ranged, "KeyConditions": {"pk": condition("EQ", "a")}}


def sort_keys(answer):
    return [int(found["sk"]["N"]) for found in answer["Items"]]


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        (condition("EQ", 2), [2]),
        (condition("LT", 3), [1, 2]),
        (condition("LE", 3), [1, 2, 3]),
        (condition("GT", 3), [4, 5]),
        (condition("GE", 3), [3, 4, 5]),
        (condition("BETWEEN", 2, 4), [2, 3, 4]),
    ],
)
def test_key_conditions(ddb, orders, sort, found):
    orders["KeyConditions"]["sk"] = sort
    assert sort_keys(ddb.query(**orders)) == found
    assert sort_keys(ddb.query(**orders, ScanIndexForward=False)) == found[::-1]


def test_key_conditions_page(ddb, orders):
    page = ddb.query(**orders, Limit=2)
    assert sort_keys(page) == [1, 2]
    page = ddb.query(**orders, ExclusiveStartKey=page["LastEvaluatedKey"])
    assert sort_keys(page) == [3, 4, 5]


@pytest.mark.service
def test_key_conditions_on_an_index(ddb, make_table):
    table = make_table(range_key="sk:N")
    ddb.update_table(
        TableName=table,
        AttributeDefinitions=[
            {"AttributeName": "g", "AttributeType": "S"},
            {"AttributeName": "h", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "byG",
                    "KeySchema": [
                        {"AttributeName": "g", "KeyType": "HASH"},
                        {"AttributeName": "h", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    ddb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    for number in range(4):
        ddb.put_item(TableName=table, Item=item(pk="a", sk=number, g="x", h=f"h{number}"))
    wanted = {"g": condition("EQ", "x"), "h": condition("BEGINS_WITH", "h")}
    request = {"TableName": table, "IndexName": "byG", "KeyConditions": wanted}
    def active():
        described = ddb.describe_table(TableName=table)["Table"]
        return all(i["IndexStatus"] == "ACTIVE" for i in described["GlobalSecondaryIndexes"])

    wait_until(active, 30, "the index is active")
    assert sort_keys(ddb.query(**request)) == [0, 1, 2, 3]


@pytest.mark.service
@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({}, "Conditions can be of length 1 or 2 only"),
        ({"sk": condition("EQ", 1)}, "Query condition missed key schema element: pk"),
        ({"pk": condition("GT", "a")}, "Query key condition not supported"),
        (
            {"pk": condition("NE", "a")},
            "Attempted conditional constraint is not an indexable operation",
        ),
        (
            {"pk": condition("EQ", "a"), "sk": condition("IN", 1)},
            "Attempted conditional constraint is not an indexable operation",
        ),
        (
            {"pk": condition("EQ", 1)},
            INVALID + "Condition parameter type does not match schema type",
        ),
        (
            {"pk": condition("EQ", "a"), "v": condition("EQ", 1)},
            "Query condition missed key schema element: sk",
        ),
    ],
)
def test_key_conditions_that_no_key_answers(ddb, ranged, conditions, message):
    with invalid(message):
        ddb.query(TableName=ranged, KeyConditions=conditions)


def test_filters(ddb, orders):
    answer = ddb.query(**orders, QueryFilter={"v": condition("GE", 30)})
    assert sort_keys(answer) == [3, 4, 5]
    assert (answer["Count"], answer["ScannedCount"]) == (3, 5)
    either = {"v": condition("LT", 20), "absent": {"ComparisonOperator": "NOT_NULL"}}
    assert sort_keys(ddb.query(**orders, QueryFilter=either)) == []
    assert sort_keys(ddb.query(**orders, QueryFilter=either, ConditionalOperator="OR")) == [1]
    scan = ddb.scan(TableName=orders["TableName"], ScanFilter={"sk": condition("BETWEEN", 2, 3)})
    assert sort_keys(scan) == [2, 3]
    with invalid(
        "QueryFilter can only contain non-primary key attributes: Primary key attribute: sk"
    ):
        ddb.query(**orders, QueryFilter={"sk": condition("EQ", 1)})


def test_attributes_to_get(ddb, film):
    wanted = ["title", "absent", "cast"]
    selected = item(title="Heat") | {"cast": {"SS": ["De Niro", "Pacino"]}}
    table = film["TableName"]
    found = [
        ddb.get_item(**film, AttributesToGet=wanted)["Item"],
        ddb.scan(TableName=table, AttributesToGet=wanted)["Items"][0],
        ddb.query(
            TableName=table, KeyConditions={"pk": condition("EQ", "film")}, AttributesToGet=wanted
        )["Items"][0],
        ddb.batch_get_item(
            RequestItems={table: {"Keys": [film["Key"]], "AttributesToGet": wanted}}
        )["Responses"][table][0],
    ]
    for one in found:
        one["cast"]["SS"].sort()
        assert one == selected


@pytest.mark.service
def test_attributes_to_get_that_are_refused(ddb, film):
    with invalid(INVALID + "Duplicate value in attribute name: a"):
        ddb.get_item(**film, AttributesToGet=["a", "b", "a"])
    with invalid(
        "1 validation error detected: Value '[]' at 'attributesToGet' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    ):
        ddb.get_item(**film, AttributesToGet=[])


def test_old_and_new_do_not_meet(ddb, film):
    mixed = "Can not use both expression and non-expression parameters in the same request: "
    with invalid(
        mixed + "Non-expression parameters: {AttributeUpdates, Expected} "
        "Expression parameters: {UpdateExpression, ConditionExpression}"
    ):
        ddb.update_item(
            **film,
            AttributeUpdates={"a": {"Value": plain(1)}},
            Expected={"a": {"Exists": False}},
            UpdateExpression="SET b = :b",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":b": plain(1)},
        )
    with invalid(
        mixed + "Non-expression parameters: {AttributesToGet, KeyConditions} "
        "Expression parameters: {KeyConditionExpression}"
    ):
        ddb.query(
            TableName=film["TableName"],
            AttributesToGet=["a"],
            KeyConditions={"pk": condition("EQ", "a")},
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": plain("a")},
        )


def test_old_and_new_do_not_meet_in_a_batch_of_tables(ddb, film, make_table):
    other = make_table()
    with refused("ValidationException"):
        ddb.batch_get_item(
            RequestItems={
                film["TableName"]: {"Keys": [film["Key"]], "ProjectionExpression": "pk"},
                other: {"Keys": [film["Key"]], "AttributesToGet": ["pk"]},
            }
        )
