"""Query and Scan: key conditions, order, Limit, paging."""

import pytest

from expecting import invalid, item, plain, refused


@pytest.fixture
def filled(ddb, ranged):
    """Partitions a (sk -2, -1, 0, 1, 1.5, 10) and b (sk 7)."""
    for sk in (10, -1, 1, 0, 1.5, -2):
        ddb.put_item(TableName=ranged, Item=item(pk="a", sk=sk, text=f"t{sk}"))
    ddb.put_item(TableName=ranged, Item=item(pk="b", sk=7, text="t7"))
    return ranged


def query(ddb, table, condition, values, **more):
    return ddb.query(
        TableName=table,
        KeyConditionExpression=condition,
        ExpressionAttributeValues={name: plain(value) for name, value in values.items()},
        **more,
    )


def sort_keys(answer):
    return [float(found["sk"]["N"]) for found in answer["Items"]]


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("pk = :p", {":p": "a"}, [-2, -1, 0, 1, 1.5, 10]),
        ("pk = :p", {":p": "nobody"}, []),
        ("pk = :p AND sk = :s", {":p": "a", ":s": 1}, [1]),
        ("pk = :p AND sk < :s", {":p": "a", ":s": 1}, [-2, -1, 0]),
        ("pk = :p AND sk <= :s", {":p": "a", ":s": 1}, [-2, -1, 0, 1]),
        ("pk = :p AND sk > :s", {":p": "a", ":s": 1}, [1.5, 10]),
        ("pk = :p AND sk >= :s", {":p": "a", ":s": 1}, [1, 1.5, 10]),
        ("pk = :p AND sk BETWEEN :s AND :t", {":p": "a", ":s": -1, ":t": 1}, [-1, 0, 1]),
        ("sk > :s AND pk = :p", {":p": "a", ":s": 1}, [1.5, 10]),
        ("(pk = :p) AND (sk > :s)", {":p": "a", ":s": 1}, [1.5, 10]),
    ],
)
def test_key_conditions_in_both_directions(ddb, filled, condition, values, expected):
    assert sort_keys(query(ddb, filled, condition, values)) == expected
    backwards = query(ddb, filled, condition, values, ScanIndexForward=False)
    assert sort_keys(backwards) == expected[::-1]


def test_begins_with_on_a_string_sort_key(ddb, make_table):
    table = make_table("pk:S", "sk:S")
    for sk in ("a", "ab", "abc", "b", "a\u00ff", "aa"):
        ddb.put_item(TableName=table, Item=item(pk="p", sk=sk))
    answer = query(ddb, table, "pk = :p AND begins_with(sk, :s)", {":p": "p", ":s": "ab"})
    assert [found["sk"]["S"] for found in answer["Items"]] == ["ab", "abc"]
    answer = query(ddb, table, "pk = :p", {":p": "p"})
    assert [found["sk"]["S"] for found in answer["Items"]] == ["a", "aa", "ab", "abc", "a\u00ff", "b"]


def test_binary_sort_keys_are_in_unsigned_byte_order(ddb, make_table):
    table = make_table("pk:S", "sk:B")
    keys = [b"\x00", b"\x00\x01", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff\x00"]
    for sk in reversed(keys):
        ddb.put_item(TableName=table, Item={"pk": plain("p"), "sk": plain(sk)})
    answer = query(ddb, table, "pk = :p", {":p": "p"})
    assert [found["sk"]["B"] for found in answer["Items"]] == keys


def test_limit_pages_through_both_directions(ddb, filled):
    for forward in (True, False):
        pages = []
        start = {}
        while True:
            answer = query(
                ddb, filled, "pk = :p", {":p": "a"}, Limit=2, ScanIndexForward=forward, **start
            )
            assert answer["Count"] == len(answer["Items"]) == answer["ScannedCount"]
            pages.append(sort_keys(answer))
            if "LastEvaluatedKey" not in answer:
                break
            assert set(answer["LastEvaluatedKey"]) == {"pk", "sk"}
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        found = [sk for page in pages for sk in page]
        assert found == sorted(found, reverse=not forward)
        assert len(found) == 6
        assert all(len(page) <= 2 for page in pages)


def test_the_start_key_needs_not_exist(ddb, filled):
    answer = query(
        ddb, filled, "pk = :p", {":p": "a"}, ExclusiveStartKey=item(pk="a", sk=0.5)
    )
    assert sort_keys(answer) == [1, 1.5, 10]


def test_a_page_holds_at_most_one_megabyte(ddb, ranged):
    big = "x" * 300_000
    for sk in range(5):
        ddb.put_item(TableName=ranged, Item=item(pk="p", sk=sk, big=big))
    answer = query(ddb, ranged, "pk = :p", {":p": "p"})
    assert sort_keys(answer) == [0, 1, 2, 3]
    assert answer["LastEvaluatedKey"] == item(pk="p", sk=3)
    answer = ddb.scan(TableName=ranged)
    assert answer["Count"] == 4
    answer = ddb.scan(TableName=ranged, ExclusiveStartKey=answer["LastEvaluatedKey"])
    assert answer["Count"] == 1
    assert "LastEvaluatedKey" not in answer


def test_names_projection_and_count(ddb, filled):
    answer = query(
        ddb,
        filled,
        "#p = :p AND #s > :s",
        {":p": "a", ":s": 1},
        ExpressionAttributeNames={"#p": "pk", "#s": "sk", "#t": "text"},
        ProjectionExpression="#t",
    )
    assert answer["Items"] == [item(text="t1.5"), item(text="t10")]
    answer = query(ddb, filled, "pk = :p", {":p": "a"}, Select="COUNT")
    assert answer["Count"] == 6
    assert "Items" not in answer


@pytest.mark.service
@pytest.mark.parametrize(
    ("condition", "values", "message"),
    [
        ("sk = :s", {":s": 1}, "Query condition missed key schema element: pk"),
        ("text = :s", {":s": "x"}, None),
        ("pk > :p", {":p": "a"}, "Query key condition not supported"),
        ("pk = :p AND sk <> :s", {":p": "a", ":s": 1}, None),
        (
            "pk = :p OR sk = :s",
            {":p": "a", ":s": 1},
            "Invalid operator used in KeyConditionExpression: OR",
        ),
        (
            "pk = :p",
            {":p": 1},
            "One or more parameter values were invalid: "
            "Condition parameter type does not match schema type",
        ),
    ],
)
def test_wrong_key_conditions_are_refused(ddb, filled, condition, values, message):
    with refused("ValidationException", None) as refusal:
        query(ddb, filled, condition, values)
    if message:
        assert refusal.message.endswith(message)


@pytest.mark.service
def test_the_key_condition_is_checked_before_the_filter(ddb, filled):
    with invalid("Invalid KeyConditionExpression: The expression can not be empty;"):
        ddb.query(
            TableName=filled, KeyConditionExpression="", FilterExpression="", ProjectionExpression=""
        )


@pytest.mark.service
def test_what_a_key_can_answer_is_asked_after_the_syntax_of_all_expressions(ddb, filled):
    def ask(**expressions):
        ddb.query(
            TableName=filled,
            KeyConditionExpression="attribute_type(a, :a)",
            ExpressionAttributeValues={":a": {"S": "N"}},
            **expressions,
        )

    with invalid("Invalid FilterExpression: The expression can not be empty;"):
        ask(FilterExpression="", ProjectionExpression="")
    with invalid("Invalid ProjectionExpression: The expression can not be empty;"):
        ask(FilterExpression="a > b", ProjectionExpression="")
    with invalid("Invalid operator used in KeyConditionExpression: attribute_type"):
        ask(FilterExpression="a > b", ProjectionExpression="a")


@pytest.mark.service
def test_a_limit_of_zero_is_refused(ddb, filled):
    with invalid(
        "1 validation error detected: Value at 'Limit' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1"
    ):
        query(ddb, filled, "pk = :p", {":p": "a"}, Limit=0)
    with invalid(
        "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1"
    ):
        ddb.scan(TableName=filled, Limit=0)


@pytest.mark.service
def test_a_start_key_of_another_partition_is_refused(ddb, filled):
    with invalid("The provided starting key is outside query boundaries based on provided conditions"):
        query(ddb, filled, "pk = :p", {":p": "a"}, ExclusiveStartKey=item(pk="b", sk=7))


def test_scan_finds_each_item_once_over_pages(ddb, table):
    count = 57
    for number in range(count):
        ddb.put_item(TableName=table, Item=item(pk=f"k{number}"))
    found = []
    start = {}
    while True:
        answer = ddb.scan(TableName=table, Limit=10, **start)
        assert len(answer["Items"]) <= 10
        found += [one["pk"]["S"] for one in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            break
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert len(found) == count
    assert set(found) == {f"k{number}" for number in range(count)}


def test_a_scan_sees_writes_and_deletions(ddb, table):
    for number in range(20):
        ddb.put_item(TableName=table, Item=item(pk=f"k{number}"))
    for number in range(0, 20, 2):
        ddb.delete_item(TableName=table, Key=item(pk=f"k{number}"))
    ddb.put_item(TableName=table, Item=item(pk="k1", new=1))
    found = {one["pk"]["S"]: one for one in ddb.scan(TableName=table)["Items"]}
    assert set(found) == {f"k{number}" for number in range(1, 20, 2)}
    assert found["k1"] == item(pk="k1", new=1)


@pytest.mark.service
def test_a_partition_of_one_item_has_no_second_page(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a"))
    answer = query(ddb, table, "pk = :p", {":p": "a"}, Limit=1)
    assert "LastEvaluatedKey" not in answer
    with invalid(
        "The provided exclusive start key is invalid: ExclusiveStartKey: {pk=AttributeValue: {S:a}}"
    ):
        query(ddb, table, "pk = :p", {":p": "a"}, ExclusiveStartKey=item(pk="a"))
