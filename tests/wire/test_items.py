"""PutItem, GetItem, UpdateItem, DeleteItem: what is stored, and ReturnValues."""

import pytest

from expecting import invalid, item, plain
from raw import Connection

EVERY_TYPE = {
    "pk": {"S": "every type"},
    "string": {"S": "Zürich 🚋"},
    "empty": {"S": ""},
    "number": {"N": "-12.5"},
    "binary": {"B": b"\x00\xff"},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "null": {"NULL": True},
    "list": {"L": [{"S": "a"}, {"L": []}, {"M": {}}]},
    "map": {"M": {"a": {"M": {"b": {"N": "1"}}}}},
    "strings": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.5"]},
    "binaries": {"BS": [b"a", b"b"]},
}


def get(ddb, table, **key):
    return ddb.get_item(TableName=table, Key=item(**key), ConsistentRead=True).get("Item")


def sorted_sets(attributes):
    return {
        name: {kind: sorted(value) if kind in ("SS", "NS", "BS") else value}
        for name, attribute in attributes.items()
        for kind, value in attribute.items()
    }


def test_every_type_comes_back(ddb, table):
    ddb.put_item(TableName=table, Item=EVERY_TYPE)
    assert sorted_sets(get(ddb, table, pk="every type")) == sorted_sets(EVERY_TYPE)


def test_an_absent_item_is_an_empty_answer(ddb, table):
    answer = ddb.get_item(TableName=table, Key=item(pk="nobody"))
    assert "Item" not in answer


def test_put_replaces_the_whole_item(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", x=1))
    ddb.put_item(TableName=table, Item=item(pk="a", y=2))
    assert get(ddb, table, pk="a") == item(pk="a", y=2)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("007", "7"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("1.50", "1.5"),
        ("+3", "3"),
        (".5", "0.5"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
        ("-123.456e-2", "-1.23456"),
    ],
)
def test_numbers_are_exact_and_canonical(ddb, table, written, read):
    ddb.put_item(TableName=table, Item={"pk": {"S": "n"}, "n": {"N": written}})
    assert get(ddb, table, pk="n")["n"] == {"N": read}


@pytest.mark.parametrize("key", [{"N": "-1.5"}, {"B": b"\x00\x01"}, {"S": "ключ"}])
def test_keys_of_each_type(ddb, make_table, key):
    kind = next(iter(key))
    table = make_table(f"pk:{kind}")
    ddb.put_item(TableName=table, Item={"pk": key, "x": {"S": "y"}})
    assert ddb.get_item(TableName=table, Key={"pk": key})["Item"]["x"] == {"S": "y"}


def test_equal_numbers_are_the_same_key(ddb, make_table):
    table = make_table("pk:N")
    ddb.put_item(TableName=table, Item={"pk": {"N": "10"}, "x": {"S": "first"}})
    ddb.put_item(TableName=table, Item={"pk": {"N": "1e1"}, "x": {"S": "second"}})
    assert ddb.get_item(TableName=table, Key={"pk": {"N": "10.0"}})["Item"]["x"] == {"S": "second"}
    assert ddb.scan(TableName=table)["Count"] == 1


def test_put_returns_the_old_item_when_asked(ddb, table):
    assert "Attributes" not in ddb.put_item(
        TableName=table, Item=item(pk="a", x=1), ReturnValues="ALL_OLD"
    )
    answer = ddb.put_item(TableName=table, Item=item(pk="a", x=2), ReturnValues="ALL_OLD")
    assert answer["Attributes"] == item(pk="a", x=1)
    assert "Attributes" not in ddb.put_item(TableName=table, Item=item(pk="a", x=3))


@pytest.mark.service
def test_put_cannot_return_new_values(ddb, table):
    with invalid("ReturnValues can only be ALL_OLD or NONE"):
        ddb.put_item(TableName=table, Item=item(pk="a"), ReturnValues="ALL_NEW")


def test_delete_returns_the_old_item_when_asked(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", x=1))
    answer = ddb.delete_item(TableName=table, Key=item(pk="a"), ReturnValues="ALL_OLD")
    assert answer["Attributes"] == item(pk="a", x=1)
    assert get(ddb, table, pk="a") is None
    assert "Attributes" not in ddb.delete_item(
        TableName=table, Key=item(pk="a"), ReturnValues="ALL_OLD"
    )


def update(ddb, table, expression, names=None, values=None, key="a", **more):
    request = {
        "TableName": table,
        "Key": item(pk=key),
        "UpdateExpression": expression,
        **more,
    }
    if names:
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = {
            name: value if isinstance(value, dict) else plain(value)
            for name, value in values.items()
        }
    return ddb.update_item(**request).get("Attributes")


def test_update_creates_a_missing_item(ddb, table):
    update(ddb, table, "SET x = :x", values={":x": 1})
    assert get(ddb, table, pk="a") == item(pk="a", x=1)


def test_set_remove_and_add_in_one_update(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", old="x", count=1, size="big"))
    update(
        ddb,
        table,
        "SET #s = :small REMOVE #o ADD #c :one, fresh :one",
        {"#s": "size", "#o": "old", "#c": "count"},
        {":small": "small", ":one": 2},
    )
    assert get(ddb, table, pk="a") == item(pk="a", size="small", count=3, fresh=2)


def test_add_to_sets(ddb, table):
    ddb.put_item(TableName=table, Item={"pk": {"S": "a"}, "tags": {"SS": ["x"]}})
    update(ddb, table, "ADD tags :more", values={":more": {"SS": ["x", "y"]}})
    assert sorted(get(ddb, table, pk="a")["tags"]["SS"]) == ["x", "y"]


def test_set_sees_the_item_before_the_update(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", x=1, y=2))
    update(ddb, table, "SET x = y, y = x")
    assert get(ddb, table, pk="a") == item(pk="a", x=2, y=1)


def test_set_arithmetic_and_if_not_exists(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", x=10))
    update(
        ddb,
        table,
        "SET x = x - :one, y = if_not_exists(y, :zero) + :one, z = if_not_exists(x, :zero)",
        values={":one": 1, ":zero": 0},
    )
    assert get(ddb, table, pk="a") == item(pk="a", x=9, y=1, z=10)


def test_nested_paths(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", m={"x": 1, "y": 2}, l=["a", "b", "c"]))
    update(
        ddb,
        table,
        "SET m.z = :v, l[1] = :v REMOVE m.x, l[0]",
        values={":v": "new"},
    )
    assert get(ddb, table, pk="a") == item(pk="a", m={"y": 2, "z": "new"}, l=["new", "c"])


@pytest.mark.parametrize(
    ("wanted", "returned"),
    [
        ("NONE", None),
        ("ALL_OLD", item(pk="a", x=1, y="same")),
        ("ALL_NEW", item(pk="a", x=2, y="same", z="new")),
        ("UPDATED_OLD", item(x=1)),
        ("UPDATED_NEW", item(x=2, z="new")),
    ],
)
def test_update_returns_what_is_asked(ddb, table, wanted, returned):
    ddb.put_item(TableName=table, Item=item(pk="a", x=1, y="same"))
    values = {":x": 2, ":z": "new"}
    assert update(ddb, table, "SET x = :x, z = :z", values=values, ReturnValues=wanted) == returned


@pytest.mark.service
def test_only_a_removal_may_name_the_inside_of_an_absent_item(ddb, table):
    invalid_path = "The document path provided in the update expression is invalid for update"
    update(ddb, table, "REMOVE x.y, z[0]")
    assert "Item" not in ddb.get_item(TableName=table, Key=item(pk="a"))
    with invalid(invalid_path):
        update(ddb, table, "SET x.y = :v", values={":v": 1})
    update(ddb, table, "SET n = :v", values={":v": 1})
    with invalid(invalid_path):
        update(ddb, table, "REMOVE x.y")


def test_getitem_takes_no_notice_of_members_that_it_does_not_have(endpoint, table):
    with Connection(endpoint) as connection:
        answer = connection.call(
            "GetItem",
            {
                "TableName": table,
                "Key": item(pk="a"),
                "ProjectionExpression": "n",
                "ExpressionAttributeValues": {":unused": {"N": "1"}},
                "FilterExpression": "n = = n",
            },
        )
    assert answer == {}


@pytest.mark.service
@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("0e126", "Number overflow. Attempting to store a number with magnitude larger than "
         "supported range"),
        ("0e-131", "Number underflow. Attempting to store a number with magnitude smaller than "
         "supported range"),
        ("1e9223372036854775808",
         "The parameter cannot be converted to a numeric value: 1e9223372036854775808"),
    ],
)
def test_exponents_are_held_against_the_range_as_they_are_written(ddb, table, number, message):
    with invalid(message):
        ddb.put_item(TableName=table, Item={**item(pk="a"), "n": {"N": number}})


def test_update_without_expression_makes_an_item_of_its_key(ddb, table):
    ddb.update_item(TableName=table, Key=item(pk="bare"))
    assert get(ddb, table, pk="bare") == item(pk="bare")


def test_projection(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", x=1, m={"x": 1, "y": 2}, l=[1, 2, 3]))
    answer = ddb.get_item(
        TableName=table,
        Key=item(pk="a"),
        ProjectionExpression="m.#y, l[1], nothing",
        ExpressionAttributeNames={"#y": "y"},
    )
    assert answer["Item"] == item(m={"y": 2}, l=[2])


def test_consumed_capacity_only_when_asked(ddb, table):
    assert "ConsumedCapacity" not in ddb.put_item(TableName=table, Item=item(pk="a"))
    answer = ddb.put_item(TableName=table, Item=item(pk="a"), ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 1.0}
    answer = ddb.get_item(TableName=table, Key=item(pk="a"), ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 0.5}
