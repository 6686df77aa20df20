"""Limits of sizes and counts that the service has, each from both sides."""

import pytest
from conftest import definition, index, status, unused_name
from expecting import invalid, item, plain, refused
from peers.process import wait_until

ITEM_BYTES_MAX = 400 * 1024
OVER = "Item size has exceeded the maximum allowed size"
UPDATE_OVER = "Item size to update has exceeded the maximum allowed size"


def sized(size, **attributes):
    """An item of the key pk=a, `attributes` and text: `size` bytes without the values of `attributes`."""
    names = sum(map(len, ["pk", "text", *attributes]))
    return {**item(pk="a"), **attributes, "text": {"S": "x" * (size - names - len("a"))}}


@pytest.mark.parametrize(
    ("number", "size"),
    [
        ("0", 1),
        ("-0", 1),
        ("1", 2),
        ("12", 2),
        ("123", 3),
        ("0042", 2),
        ("100", 2),
        ("1010", 3),
        ("1E125", 2),
        ("1E-100", 2),
        ("0.0000001", 2),
        ("0.15", 2),
        ("1.5", 3),
        ("1.200", 3),
        ("100.5", 4),
        ("3.14159", 5),
        ("123456", 4),
        ("-42", 3),
        ("12345678901234567890123456789012345678", 20),
    ],
)
@pytest.mark.service
def test_what_a_number_counts(ddb, table, number, size):
    attribute = {"n": {"N": number}}
    ddb.put_item(TableName=table, Item=sized(ITEM_BYTES_MAX - size, **attribute))
    with invalid(OVER):
        ddb.put_item(TableName=table, Item=sized(ITEM_BYTES_MAX - size + 1, **attribute))


def test_an_item_is_as_large_in_a_batch_and_in_a_transaction(ddb, table):
    def batch(entry):
        ddb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": entry}}]})

    def transaction(entry):
        ddb.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": entry}}])

    for write in (batch, transaction):
        write(sized(ITEM_BYTES_MAX))
        with invalid(OVER):
            write(sized(ITEM_BYTES_MAX + 1))


def test_an_update_that_grows_an_item_too_far_cancels_its_transaction(ddb, table):
    def grow(size):
        update = {
            "TableName": table,
            "Key": item(pk="a"),
            "UpdateExpression": "SET #text = :text",
            "ExpressionAttributeNames": {"#text": "text"},
            "ExpressionAttributeValues": {":text": sized(size)["text"]},
        }
        ddb.transact_write_items(TransactItems=[{"Update": update}])

    grow(ITEM_BYTES_MAX)
    with refused("TransactionCanceledException") as refusal:
        grow(ITEM_BYTES_MAX + 1)
    reasons = refusal.response["CancellationReasons"]
    assert reasons == [{"Code": "ValidationError", "Message": UPDATE_OVER}]


SET_TEXT = 3 + 19 + len("text")


@pytest.mark.service
@pytest.mark.parametrize(
    ("more", "before", "value", "charged"),
    [
        ("", {}, None, 0),
        (", memo = :v", {}, {"N": "12"}, 19 + 4 + 2),
        (", m.kk = :v", {"m": {}}, {"S": "x"}, 19 + 1 + 4 + 2 + 1),
        (", l[0] = :v", {"l": ["x"]}, {"S": "x"}, 19 + 1 + 4 + 1 + 1),
        (", c = m.kk", {"m": {"kk": "x"}}, None, 19 + 1 + 1 + 14 + 1 + 14 + 2),
        (", n = n + :v", {"n": 1}, {"N": "1"}, 19 + 1 + 34 + 15 + 1 + 2),
        (", n = n - :v", {"n": 1}, {"N": "1"}, 19 + 1 + 37 + 15 + 1 + 2),
        (", c = if_not_exists(n, :v)", {"n": 1}, {"S": "x" * 500}, 19 + 1 + 39 + 15 + 1 + 500),
        (", l = list_append(l, :v)", {"l": []}, {"L": [plain("xx")]}, 19 + 1 + 37 + 15 + 1 + 6),
        (" ADD n :v", {"n": 1}, {"N": "1"}, 19 + 1 + 2),
        (" ADD s :v", {}, {"SS": ["a", "bc"]}, 19 + 1 + 3),
        (" REMOVE memo, m.kk", {"m": {"kk": "x"}}, None, 1 + 4 + 1 + 1 + 4 + 2),
        (" DELETE s :v", {}, {"SS": ["a", "bc"]}, 1 + 1),
    ],
)
def test_an_update_counts_what_it_says_and_nothing_of_the_item(
    ddb, table, more, before, value, charged
):
    def write(size):
        ddb.put_item(TableName=table, Item=item(pk="a", **before))
        ddb.update_item(
            TableName=table,
            Key=item(pk="a"),
            UpdateExpression="SET #text = :text" + more,
            ExpressionAttributeNames={"#text": "text"},
            ExpressionAttributeValues={
                ":text": {"S": "x" * size},
                **({":v": value} if value else {}),
            },
        )

    most = ITEM_BYTES_MAX - SET_TEXT - charged
    write(most)
    with invalid(UPDATE_OVER):
        write(most + 1)


@pytest.mark.service
def test_an_update_of_a_large_item_counts_only_what_it_says(ddb, table):
    ddb.put_item(TableName=table, Item=sized(ITEM_BYTES_MAX - 7, m={"M": {"a": {"S": "x"}}}))
    ddb.update_item(
        TableName=table,
        Key=item(pk="a"),
        UpdateExpression="SET m.a = :v",
        ExpressionAttributeValues={":v": {"S": "y"}},
    )
    with invalid(UPDATE_OVER):
        ddb.update_item(
            TableName=table,
            Key=item(pk="a"),
            UpdateExpression="SET m.a = :v",
            ExpressionAttributeValues={":v": {"S": "y" * 6}},
        )


@pytest.mark.service
def test_what_an_update_says_is_counted_before_its_condition(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", c="x"))
    for condition in ({}, {"ConditionExpression": "attribute_exists(absent)"}):
        with invalid(UPDATE_OVER):
            ddb.update_item(
                TableName=table,
                Key=item(pk="a"),
                UpdateExpression="SET c = if_not_exists(c, :v), d = if_not_exists(c, :v)",
                ExpressionAttributeValues={":v": {"S": "x" * 205_000}},
                **condition,
            )
    assert ddb.get_item(TableName=table, Key=item(pk="a"))["Item"] == item(pk="a", c="x")


@pytest.mark.service
def test_attribute_updates_are_bounded_by_the_items_size_alone(ddb, table):
    def write(size):
        ddb.update_item(
            TableName=table,
            Key=item(pk="a"),
            AttributeUpdates={"text": {"Action": "PUT", "Value": sized(size)["text"]}},
        )

    write(ITEM_BYTES_MAX)
    with invalid(UPDATE_OVER):
        write(ITEM_BYTES_MAX + 1)


@pytest.mark.service
def test_a_transaction_holds_four_megabytes(ddb, table):
    def puts(count):
        text = {"S": "x" * 400_000}
        return [
            {"Put": {"TableName": table, "Item": {"pk": {"S": f"{i:02}"}, "text": text}}}
            for i in range(count)
        ]

    ddb.transact_write_items(TransactItems=puts(10))
    told = "Transaction payload size cannot exceed 4MB. Payload Size: "
    with invalid(f"{told}: {told}{11 * (400_000 + len('pk') + 2 + len('text'))}"):
        ddb.transact_write_items(TransactItems=puts(11))
    assert ddb.scan(TableName=table, Select="COUNT")["ScannedCount"] <= 10
    assert "Item" not in ddb.get_item(TableName=table, Key=item(pk="10"))


@pytest.mark.service
def test_of_a_transaction_the_request_counts_not_what_the_items_hold(ddb, table):
    keys = [item(pk=f"{i:02}") for i in range(12)]
    for key in keys:
        ddb.put_item(TableName=table, Item={**key, "text": {"S": "x" * 400_000}})

    def updates(value):
        return [
            {
                "Update": {
                    "TableName": table,
                    "Key": key,
                    "UpdateExpression": "SET mark = :mark",
                    "ExpressionAttributeValues": {":mark": value},
                }
            }
            for key in keys
        ]

    told = "Transaction payload size cannot exceed 4MB. Payload Size: "
    with invalid(f"{told}: {told}{12 * (360_000 + len('pk') + 2)}"):
        ddb.transact_write_items(TransactItems=updates({"S": "x" * 360_000}))
    ddb.transact_write_items(TransactItems=updates({"N": "1"}))
    for key in keys:
        found = ddb.get_item(TableName=table, Key=key, ProjectionExpression="mark")
        assert found["Item"] == item(mark=1)
    ddb.transact_write_items(
        TransactItems=[{"Delete": {"TableName": table, "Key": key}} for key in keys]
    )
    assert ddb.scan(TableName=table, Select="COUNT")["ScannedCount"] == 0


LONGEST_NAME = "n" * 65535
TOO_LARGE = "Attribute name is too large, must be less than 65536 bytes"


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "Empty attribute name"), (LONGEST_NAME + "n", TOO_LARGE)],
    ids=["empty", "too large"],
)
@pytest.mark.service
def test_names_that_no_attribute_may_have(ddb, table, name, message):
    ddb.put_item(TableName=table, Item={**item(pk="a"), LONGEST_NAME: {"S": "x"}})
    for entry in ({name: {"S": "x"}}, {"map": {"M": {name: {"S": "x"}}}}):
        with invalid(message):
            ddb.put_item(TableName=table, Item={**item(pk="b"), **entry})
    with invalid(f"ExpressionAttributeNames contains invalid value: {message} for key #n"):
        ddb.get_item(
            TableName=table,
            Key=item(pk="a"),
            ProjectionExpression="#n",
            ExpressionAttributeNames={"#n": name},
        )
    with invalid(message):
        ddb.get_item(TableName=table, Key=item(pk="a"), AttributesToGet=[name])
    with invalid(message):
        ddb.update_item(
            TableName=table, Key=item(pk="a"), AttributeUpdates={name: {"Value": {"S": "x"}}}
        )
    assert ddb.scan(TableName=table, Select="COUNT")["Count"] == 1


@pytest.mark.parametrize(("size", "fits"), [(1_000_000, True), (1_050_000, False)])
@pytest.mark.service
def test_values_hold_two_megabytes_together(ddb, table, size, fits):
    def put():
        ddb.put_item(
            TableName=table,
            Item=item(pk="a"),
            ConditionExpression="attribute_not_exists(x) OR x = :a OR x = :b",
            ExpressionAttributeValues={":a": {"S": "a" * size}, ":b": {"S": "b" * size}},
        )

    if fits:
        put()
    else:
        with invalid("ExpressionAttributeValues exceeds max size"):
            put()


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            " OR ".join(["x = :v"] * 151),
            "The expression contains too many operators; operator count: 301",
        ),
        (
            "x IN (" + ", ".join([":v"] * 101) + ")",
            "The IN operator is provided with too many operands; number of operands: 101",
        ),
    ],
    ids=["operators", "operands"],
)
def test_operators_and_operands_are_counted(ddb, table, expression, message):
    with invalid("Invalid ConditionExpression: " + message):
        ddb.put_item(
            TableName=table,
            Item=item(pk="a"),
            ConditionExpression=expression,
            ExpressionAttributeValues={":v": {"S": "x"}},
        )
    assert ddb.scan(TableName=table, Select="COUNT")["Count"] == 0


def test_300_operators_and_100_operands_fit(ddb, table):
    for expression in (
        "NOT " + " OR ".join(["x = :v"] * 150),
        "NOT x IN (" + ", ".join([":v"] * 100) + ")",
    ):
        ddb.put_item(
            TableName=table,
            Item=item(pk="a"),
            ConditionExpression=expression,
            ExpressionAttributeValues={":v": {"S": "x"}},
        )


def local_indexes(name, count):
    """A CreateTable request with so many of them."""
    request = definition(name, range_key="sk:S")
    request["AttributeDefinitions"] += [
        {"AttributeName": f"l{number}", "AttributeType": "S"} for number in range(count)
    ]
    request["LocalSecondaryIndexes"] = [
        index(f"by-l{number}", ["pk"], [f"l{number}"]) for number in range(count)
    ]
    return request


@pytest.mark.service
def test_a_table_has_at_most_five_local_indexes(ddb):
    name = unused_name()
    with invalid(
        "One or more parameter values were invalid: Number of LocalSecondaryIndexes exceeds per-table "
        "limit of 5"
    ):
        ddb.create_table(**local_indexes(name, 6))
    created = ddb.create_table(**local_indexes(name, 5))
    assert len(created["TableDescription"]["LocalSecondaryIndexes"]) == 5
    ddb.delete_table(TableName=name)


G = {"AttributeName": "g", "AttributeType": "S"}


def including(name, count):
    """An index of the attribute g that includes so many others."""
    attributes = [f"a{number}" for number in range(count)]
    return index(name, ["g"], projection="INCLUDE", attributes=attributes)


def create(ddb, name, indexes):
    request = definition(name)
    request["AttributeDefinitions"].append(G)
    return ddb.create_table(**request, GlobalSecondaryIndexes=indexes)


@pytest.mark.service
def test_an_index_includes_at_most_20_attributes(ddb):
    name = unused_name()
    printed = ", ".join(f"a{number}" for number in range(21))
    with invalid(
        f"1 validation error detected: Value '[{printed}]' at "
        "'globalSecondaryIndexes.1.member.projection.nonKeyAttributes' failed to satisfy constraint: "
        "Member must have length less than or equal to 20"
    ):
        create(ddb, name, [including("wide", 21)])
    created = create(ddb, name, [including("wide", 20)])
    [described] = created["TableDescription"]["GlobalSecondaryIndexes"]
    assert len(described["Projection"]["NonKeyAttributes"]) == 20
    ddb.delete_table(TableName=name)


def test_all_indexes_include_at_most_100_attributes(ddb):
    name = unused_name()
    wide = [including(f"wide{number}", 20) for number in range(5)]
    over = (
        "One or more parameter values were invalid: Number of NonKeyAttributes of all indexes "
        "exceeds the limit of 100"
    )
    with invalid(over):
        create(ddb, name, [*wide, including("more", 1)])
    create(ddb, name, wide)
    wait_until(lambda: status(ddb, name) == "ACTIVE", 20, f"{name} is active")
    with invalid(over):
        ddb.update_table(
            TableName=name,
            AttributeDefinitions=[G],
            GlobalSecondaryIndexUpdates=[{"Create": including("more", 1)}],
        )
    ddb.delete_table(TableName=name)


@pytest.mark.service
def test_a_table_is_created_with_at_most_20_global_indexes(ddb):
    name = unused_name()
    with invalid(
        "One or more parameter values were invalid: GlobalSecondaryIndex count exceeds the per-table "
        "limit of 20"
    ):
        create(ddb, name, [index(f"index{number}", ["g"]) for number in range(21)])
    created = create(ddb, name, [index(f"index{number}", ["g"]) for number in range(20)])
    assert len(created["TableDescription"]["GlobalSecondaryIndexes"]) == 20
    ddb.delete_table(TableName=name)


@pytest.mark.service
def test_names_of_tables_and_indexes_hold_255_characters(ddb):
    longest = unused_name().ljust(255, "t")
    too_long = "failed to satisfy constraint: Member must have length less than or equal to 255"
    with invalid(
        f"1 validation error detected: Value '{longest}t' at 'tableName' {too_long}"
    ):
        create(ddb, longest + "t", [index("any", ["g"])])
    with invalid(
        f"1 validation error detected: Value '{longest}t' at "
        f"'globalSecondaryIndexes.1.member.indexName' {too_long}"
    ):
        create(ddb, longest, [index(longest + "t", ["g"])])
    create(ddb, longest, [index(longest, ["g"])])
    wait_until(lambda: status(ddb, longest) == "ACTIVE", 20, "the table is active")
    ddb.put_item(TableName=longest, Item=item(pk="a", g="b"))
    wait_until(
        lambda: ddb.scan(TableName=longest, IndexName=longest)["Items"] == [item(pk="a", g="b")],
        20,
        "the index has the item",
    )
    ddb.delete_table(TableName=longest)


@pytest.mark.service
def test_a_scan_has_at_most_a_million_segments(ddb, table):
    ddb.scan(TableName=table, TotalSegments=1_000_000, Segment=999_999)
    with invalid(
        "1 validation error detected: Value '1000001' at 'totalSegments' failed to satisfy "
        "constraint: Member must have value less than or equal to 1000000"
    ):
        ddb.scan(TableName=table, TotalSegments=1_000_001, Segment=0)
    with invalid(
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: "
        "10 is not less than TotalSegments: 10"
    ):
        ddb.scan(TableName=table, TotalSegments=10, Segment=10)


def test_a_page_of_tables_has_at_most_100(ddb):
    ddb.list_tables(Limit=100)
    with invalid(
        "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: Member "
        "must have value less than or equal to 100"
    ):
        ddb.list_tables(Limit=101)


def test_a_transaction_has_at_most_100_items(ddb, table):
    def writes(count):
        return [
            {"Put": {"TableName": table, "Item": item(pk=str(number))}} for number in range(count)
        ]

    def reads(count):
        return [
            {"Get": {"TableName": table, "Key": item(pk=str(number))}} for number in range(count)
        ]

    over = "failed to satisfy constraint: Member must have length less than or equal to 100"
    with refused("ValidationException") as refusal:
        ddb.transact_write_items(TransactItems=writes(101))
    assert over in refusal.message
    with refused("ValidationException") as refusal:
        ddb.transact_get_items(TransactItems=reads(101))
    assert over in refusal.message
    assert ddb.scan(TableName=table)["Count"] == 0
    ddb.transact_write_items(TransactItems=writes(100))
    assert len(ddb.transact_get_items(TransactItems=reads(100))["Responses"]) == 100


@pytest.mark.service
def test_a_token_holds_36_characters(ddb, table):
    def write(token):
        put = {"Put": {"TableName": table, "Item": item(pk="a")}}
        ddb.transact_write_items(TransactItems=[put], ClientRequestToken=token)

    write("t" * 36)
    with invalid(
        f"1 validation error detected: Value '{'t' * 37}' at 'clientRequestToken' failed to satisfy "
        "constraint: Member must have length less than or equal to 36"
    ):
        write("t" * 37)


@pytest.mark.parametrize("kind", ["list", "map"])
@pytest.mark.service
def test_values_nest_32_deep(ddb, table, kind):
    def nested(levels):
        value = plain("x")
        for _ in range(levels):
            value = {"L": [value]} if kind == "list" else {"M": {"m": value}}
        return {**item(pk="a"), "v": value}

    ddb.put_item(TableName=table, Item=nested(31))  # and the item itself
    with invalid(
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
        "beyond supported limit"
    ):
        ddb.put_item(TableName=table, Item=nested(32))


@pytest.mark.service
def test_a_placeholder_holds_255_characters(ddb, table):
    def read(name):
        return ddb.get_item(
            TableName=table,
            Key=item(pk="a"),
            ProjectionExpression=name,
            ExpressionAttributeNames={name: "pk"},
        )

    ddb.put_item(TableName=table, Item=item(pk="a"))
    assert read("#" + "n" * 254)["Item"] == item(pk="a")
    with invalid(
        "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key "
        "that is too long; size of key: 256"
    ):
        read("#" + "n" * 255)


def test_an_answer_of_a_batch_holds_16_megabytes(ddb, table):
    """And a page of Scan one: what is over is for the next request."""
    large = 400_000
    names = [str(number) for number in range(45)]
    for name in names:
        ddb.put_item(TableName=table, Item=item(pk=name, v=b"x" * large))
    keys = [item(pk=name) for name in names]
    answer = ddb.batch_get_item(RequestItems={table: {"Keys": keys}})
    found = answer["Responses"][table]
    left = answer["UnprocessedKeys"][table]["Keys"]
    assert (len(found), len(left)) == (16 * 1024 * 1024 // (large + 10), 4)
    assert ddb.batch_get_item(RequestItems={table: {"Keys": left}})["UnprocessedKeys"] == {}
    pages = [ddb.scan(TableName=table)]
    while "LastEvaluatedKey" in pages[-1]:
        pages.append(ddb.scan(TableName=table, ExclusiveStartKey=pages[-1]["LastEvaluatedKey"]))
    assert sum(page["Count"] for page in pages) == len(names)
    # The item that reaches the limit is the last of its page.
    assert {page["Count"] for page in pages[:-1]} == {1024 * 1024 // large + 1}
