"""Requests that are well-formed but wrong: the exact error, and nothing written."""

from decimal import Decimal

import pytest

from expecting import invalid, item, refused

PREFIX = "One or more parameter values were invalid: "


@pytest.fixture
def unwritten(ddb, table):
    """A table that must hold only its one item after the test."""
    before = item(pk="before", n=1, s="text")
    ddb.put_item(TableName=table, Item=before)
    yield table
    assert ddb.scan(TableName=table)["Items"] == [before]


def put(ddb, table, **attributes):
    ddb.put_item(TableName=table, Item={"pk": {"S": "a"}, **attributes})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {},
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            {"S": "a", "N": "1"},
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes",
        ),
        ({"N": ""}, "The parameter cannot be converted to a numeric value"),
        ({"N": "b"}, "The parameter cannot be converted to a numeric value: b"),
        ({"N": "1 2"}, "The parameter cannot be converted to a numeric value: 1 2"),
        ({"N": "0x10"}, "The parameter cannot be converted to a numeric value: 0x10"),
        ({"N": "NaN"}, "The parameter cannot be converted to a numeric value: NaN"),
        (
            {"N": "123456789012345678901234567890123456789"},
            "Attempting to store more than 38 significant digits in a Number",
        ),
        (
            {"N": "1e126"},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            {"N": "-1e126"},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            {"N": "1e-131"},
            "Number underflow. Attempting to store a number with magnitude smaller than supported "
            "range",
        ),
        ({"SS": []}, PREFIX + "An string set  may not be empty"),
        ({"NS": []}, PREFIX + "An number set  may not be empty"),
        ({"BS": []}, PREFIX + "Binary sets should not be empty"),
        ({"SS": ["a", "a"]}, PREFIX + "Input collection [a, a] contains duplicates."),
        ({"NS": ["1", "1.0"]}, "Input collection contains duplicates"),
        (
            {"BS": [b"b", b"b"]},
            PREFIX + "Input collection [Yg==, Yg==]of type BS contains duplicates.",
        ),
        ({"NULL": False}, PREFIX + "Null attribute value types must have the value of true"),
        (
            {"L": [{}]},
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            {"M": {"x": {"L": [{"N": "no"}]}}},
            "The parameter cannot be converted to a numeric value: no",
        ),
    ],
)
@pytest.mark.service
def test_wrong_values(ddb, unwritten, value, message):
    with invalid(message):
        put(ddb, unwritten, x=value)


@pytest.mark.parametrize("number", ["9.9999999999999999999999999999999999999E+125", "1E-130", "-1E-130"])
def test_the_extreme_numbers_are_stored(ddb, table, number):
    ddb.put_item(TableName=table, Item={"pk": {"S": "n"}, "n": {"N": number}})
    stored = ddb.get_item(TableName=table, Key=item(pk="n"))["Item"]["n"]["N"]
    assert Decimal(stored) == Decimal(number)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"x": {"S": "no key"}}, PREFIX + "Missing the key pk in the item"),
        ({"pk": {"N": "1"}}, PREFIX + "Type mismatch for key pk expected: S actual: N"),
        (
            {"pk": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            "cannot contain an empty string value. Key: pk",
        ),
        (
            {"pk": {"S": "x" * 2049}},
            PREFIX + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
    ],
)
@pytest.mark.service
def test_wrong_keys_of_items(ddb, unwritten, wrong, message):
    with invalid(message):
        ddb.put_item(TableName=unwritten, Item=wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "The provided key element does not match the schema"),
        ({"x": {"S": "a"}}, "The provided key element does not match the schema"),
        ({"pk": {"N": "1"}}, "The provided key element does not match the schema"),
        (
            {"pk": {"S": "a"}, "x": {"S": "a"}},
            "The provided key element does not match the schema",
        ),
        (
            {"pk": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            "cannot contain an empty string value. Key: pk",
        ),
        (
            {"pk": {"S": "x" * 2049}},
            PREFIX + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
    ],
)
@pytest.mark.service
def test_wrong_keys(ddb, unwritten, wrong, message):
    for call in (ddb.get_item, ddb.delete_item, ddb.update_item):
        with invalid(message):
            call(TableName=unwritten, Key=wrong)


@pytest.mark.service
def test_keys_of_the_longest_allowed_size(ddb, make_table):
    table = make_table("pk:S", "sk:S")
    ddb.put_item(TableName=table, Item=item(pk="x" * 2048, sk="y" * 1024))
    with invalid(
        PREFIX + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
    ):
        ddb.put_item(TableName=table, Item=item(pk="x", sk="y" * 1025))
    assert ddb.scan(TableName=table)["Count"] == 1


# A size is the sum of names and values: pk + a + big + the text.
LARGEST = 400 * 1024 - len("pk") - len("a") - len("big")


def test_the_largest_item_fits(ddb, table):
    put(ddb, table, big={"S": "x" * LARGEST})
    found = ddb.get_item(TableName=table, Key=item(pk="a"))["Item"]["big"]["S"]
    assert len(found) == LARGEST


def test_an_item_over_400_kb(ddb, unwritten):
    with invalid("Item size has exceeded the maximum allowed size"):
        put(ddb, unwritten, big={"S": "x" * (LARGEST + 1)})
    with invalid("Item size to update has exceeded the maximum allowed size"):
        ddb.update_item(
            TableName=unwritten,
            Key=item(pk="before"),
            UpdateExpression="SET big = :big",
            ExpressionAttributeValues={":big": {"S": "x" * 409_600}},
        )


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "Invalid UpdateExpression: The expression can not be empty;"),
        (
            "INVALID SYNTAX HERE",
            'Invalid UpdateExpression: Syntax error; token: "INVALID", near: "INVALID SYNTAX"',
        ),
        ("SET a", 'Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "a"'),
        ("SET a = :n SET b = :n", 'Invalid UpdateExpression: The "SET" section can only be used once '
         "in an update expression;"),
        (
            "SET a = :n, a = :m",
            "Invalid UpdateExpression: Two document paths overlap with each other; must remove or "
            "rewrite one of these paths; path one: [a], path two: [a]",
        ),
        (
            "SET a.b = :n, a[1] = :m",
            "Invalid UpdateExpression: Two document paths conflict with each other; must remove or "
            "rewrite one of these paths; path one: [a, b], path two: [a, [1]]",
        ),
        (
            "SET year = :n",
            "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: year",
        ),
        (
            "SET a = :unknown",
            "Invalid UpdateExpression: An expression attribute value used in expression is not "
            "defined; attribute value: :unknown",
        ),
        (
            "SET #unknown = :n",
            "Invalid UpdateExpression: An expression attribute name used in the document path is not "
            "defined; attribute name: #unknown",
        ),
        ("SET a = nothing", "The provided expression refers to an attribute that does not exist in "
         "the item"),
        ("SET a = s + :n", "An operand in the update expression has an incorrect data type"),
        ("ADD s :n", "An operand in the update expression has an incorrect data type"),
        ("SET nothing.x = :n", "The document path provided in the update expression is invalid for "
         "update"),
        (
            "ADD a :s",
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: "
            "ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "SET a = wrong(b)",
            "Invalid UpdateExpression: Invalid function name; function: wrong",
        ),
        ("SET pk = :s", PREFIX + "Cannot update attribute pk. This attribute is part of the key"),
        ("REMOVE pk", PREFIX + "Cannot update attribute pk. This attribute is part of the key"),
    ],
)
def test_broken_update_expressions(ddb, unwritten, expression, message):
    values = {
        name: value
        for name, value in {":n": {"N": "1"}, ":m": {"N": "2"}, ":s": {"S": "x"}}.items()
        if name in expression
    }
    request = {"ExpressionAttributeValues": values} if values else {}
    with invalid(message):
        ddb.update_item(
            TableName=unwritten, Key=item(pk="before"), UpdateExpression=expression, **request
        )


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "The expression can not be empty;"),
        ("n = ", 'Syntax error; token: "<EOF>", near: "= "'),
        ("n = :n AND", 'Syntax error; token: "<EOF>", near: "AND"'),
        ("(n = :n", 'Syntax error; token: "<EOF>", near: ":n"'),
        ("n == :n", 'Syntax error; token: "=", near: "== :n"'),
        ("n = :n AND year = :n", "Attribute name is a reserved keyword; reserved keyword: year"),
        ("n = :m", "An expression attribute value used in expression is not defined; "
         "attribute value: :m"),
        ("#n = :n", "An expression attribute name used in the document path is not defined; "
         "attribute name: #n"),
        ("exists(n) AND n = :n", "Invalid function name; function: exists"),
        ("attribute_exists(n, s) AND n = :n", "Incorrect number of operands for operator or function; "
         "operator or function: attribute_exists, number of operands: 2"),
        ("attribute_exists(:n)", "Operator or function requires a document path; "
         "operator or function: attribute_exists"),
    ],
)
def test_broken_condition_expressions(ddb, unwritten, expression, message):
    request = {}
    if ":n" in expression:
        request["ExpressionAttributeValues"] = {":n": {"N": "1"}}
    with invalid("Invalid ConditionExpression: " + message):
        ddb.put_item(
            TableName=unwritten, Item=item(pk="a"), ConditionExpression=expression, **request
        )


def test_an_expression_over_4_kb(ddb, unwritten):
    too_large = "Expression: Expression size has exceeded the maximum allowed size;"
    condition = "attribute_exists(" + "a" * 4096 + ")"
    with invalid(f"Invalid Condition{too_large} expression size: {len(condition)}"):
        put_if(ddb, unwritten, condition)
    with invalid(f"Invalid Filter{too_large} expression size: {len(condition)}"):
        ddb.scan(TableName=unwritten, FilterExpression=condition)
    # Of an update and of a projection the service does not say how large they are.
    with invalid(f"Invalid Update{too_large}"):
        ddb.update_item(
            TableName=unwritten, Key=item(pk="a"), UpdateExpression="REMOVE " + "a" * 4096
        )
    with invalid(f"Invalid Projection{too_large}"):
        ddb.get_item(TableName=unwritten, Key=item(pk="a"), ProjectionExpression="a" * 4097)


def test_parentheses_that_nest_too_deep_are_refused(ddb, unwritten):
    with refused("ValidationException"):
        put_if(ddb, unwritten, "(" * 2000 + "attribute_exists(a)" + ")" * 2000)


def put_if(ddb, table, expression):
    ddb.put_item(TableName=table, Item=item(pk="a"), ConditionExpression=expression)


def test_names_and_values_must_be_used_and_have_an_expression(ddb, unwritten):
    with invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"):
        ddb.put_item(
            TableName=unwritten,
            Item=item(pk="a"),
            ConditionExpression="attribute_exists(#a)",
            ExpressionAttributeNames={"#a": "a", "#b": "b"},
        )
    with invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"):
        ddb.put_item(
            TableName=unwritten,
            Item=item(pk="a"),
            ConditionExpression="a = :a",
            ExpressionAttributeValues={":a": {"N": "1"}, ":b": {"N": "1"}},
        )


@pytest.mark.service
def test_values_without_an_expression(ddb, unwritten):
    with invalid(
        "ExpressionAttributeValues can only be specified when using expressions: "
        "ConditionExpression is null"
    ):
        ddb.put_item(
            TableName=unwritten,
            Item=item(pk="a"),
            ExpressionAttributeValues={":a": {"N": "1"}},
        )
    with invalid("ExpressionAttributeNames can only be specified when using expressions"):
        ddb.put_item(
            TableName=unwritten, Item=item(pk="a"), ExpressionAttributeNames={"#a": "a"}
        )


@pytest.mark.service
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"TableName": ""},
            "1 validation error detected: Value '' at 'tableName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            {"TableName": "bad table!@#"},
            "1 validation error detected: Value 'bad table!@#' at 'tableName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
        (
            {"ReturnConsumedCapacity": "hi"},
            "1 validation error detected: Value 'hi' at 'returnConsumedCapacity' failed to satisfy "
            "constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]",
        ),
        (
            {"ReturnValues": "hi"},
            "1 validation error detected: Value 'hi' at 'returnValues' failed to satisfy constraint: "
            "Member must satisfy enum value set: "
            "[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
        ),
        ({"ReturnValues": "UPDATED_NEW"}, "ReturnValues can only be ALL_OLD or NONE"),
    ],
)
def test_wrong_parameters(ddb, unwritten, change, message):
    with invalid(message):
        ddb.put_item(**{"TableName": unwritten, "Item": item(pk="a"), **change})
