"""Query and Scan on secondary indexes: keys, order, projections, paging, consumed capacity."""

import pytest

from conftest import index, status, unused_name
from expecting import invalid, item, plain, refused
from peers.process import wait_until

PREFIX = "One or more parameter values were invalid: "


@pytest.fixture(scope="module")
def orders(ddb):
    """Orders of customers, with two local and three global indexes."""
    name = unused_name()
    ddb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "id", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": kind}
            for key, kind in {
                "customer": "S", "id": "S", "state": "S", "total": "N", "day": "S", "tag": "B",
            }.items()
        ],
        LocalSecondaryIndexes=[
            index("by_total", ["customer"], ["total"]),
            index("by_tag", ["customer"], ["tag"], "KEYS_ONLY"),
        ],
        GlobalSecondaryIndexes=[
            index("by_state", ["state"], ["total"], "INCLUDE", ["note"]),
            index("by_day", ["day"]),
            index("by_all", ["state", "day"], ["total", "id"], "KEYS_ONLY"),
        ],
    )
    wait_until(lambda: status(ddb, name) == "ACTIVE", 20, f"{name} is active")
    rows = [
        ("ann", "1", "open", 30, "mon", b"\x00"),
        ("ann", "2", "open", -5, "mon", b"\x00\x01"),
        ("ann", "3", "done", 7.5, "tue", b"\xff"),
        ("bob", "1", "open", 30, "mon", b"a"),
        ("bob", "2", "done", 1000, "mon", b"b"),
        ("bob", "3", "open", 2, "tue", b"ab"),
    ]
    for customer, number, state, total, day, tag in rows:
        ddb.put_item(
            TableName=name,
            Item=item(customer=customer, id=number, state=state, total=total, day=day, tag=tag,
                      note=f"note {number}", memo="x"),
        )
    ddb.put_item(TableName=name, Item=item(customer="cid", id="1"))  # in no index
    ddb.put_item(TableName=name, Item=item(customer="cid", id="2", state="open"))  # nor this one
    yield name
    ddb.delete_table(TableName=name)


def query(ddb, table, index_name, condition, values, **more):
    """`condition` names attributes as they are; reserved words among them are aliased here."""
    names = more.pop("ExpressionAttributeNames", {})
    words = []
    for word in condition.replace("(", "( ").split(" "):
        bare = word.rstrip(",)")
        if bare in ("state", "day", "total"):
            names["#" + bare] = bare
            word = "#" + word
        words.append(word)
    if names:
        more["ExpressionAttributeNames"] = names
    return ddb.query(
        TableName=table,
        IndexName=index_name,
        KeyConditionExpression=" ".join(words).replace("( ", "("),
        ExpressionAttributeValues={name: plain(value) for name, value in values.items()},
        **more,
    )


def ids(answer):
    return [found["customer"]["S"][0] + found["id"]["S"] for found in answer["Items"]]


@pytest.mark.parametrize(
    ("index_name", "condition", "values", "expected"),
    [
        ("by_total", "customer = :c", {":c": "ann"}, ["a2", "a3", "a1"]),
        ("by_total", "customer = :c AND total > :n", {":c": "ann", ":n": 0}, ["a3", "a1"]),
        ("by_tag", "customer = :c", {":c": "ann"}, ["a1", "a2", "a3"]),
        ("by_tag", "customer = :c AND begins_with(tag, :t)", {":c": "ann", ":t": b"\x00"},
         ["a1", "a2"]),
        ("by_tag", "customer = :c AND tag BETWEEN :t AND :u", {":c": "bob", ":t": b"a", ":u": b"ab"},
         ["b1", "b3"]),
        ("by_state", "state = :s", {":s": "open"}, ["a2", "b3", "a1", "b1"]),
        ("by_state", "state = :s AND total = :n", {":s": "open", ":n": 30}, ["a1", "b1"]),
        ("by_state", "total < :n AND state = :s", {":s": "open", ":n": 30}, ["a2", "b3"]),
        ("by_all", "state = :s AND day = :d", {":s": "open", ":d": "mon"}, ["a2", "a1", "b1"]),
        ("by_all", "state = :s AND day = :d AND total >= :n", {":s": "open", ":d": "mon", ":n": 0},
         ["a1", "b1"]),
        ("by_all", "id = :i AND day = :d AND total = :n AND state = :s",
         {":s": "done", ":d": "mon", ":n": 1000, ":i": "2"}, ["b2"]),
        ("by_all", "state = :s AND day = :d", {":s": "gone", ":d": "mon"}, []),
    ],
)
def test_key_conditions_in_both_directions(ddb, orders, index_name, condition, values, expected):
    assert ids(query(ddb, orders, index_name, condition, values)) == expected
    backwards = query(ddb, orders, index_name, condition, values, ScanIndexForward=False)
    if index_name != "by_state" and index_name != "by_all":
        assert ids(backwards) == expected[::-1]
    assert sorted(ids(backwards)) == sorted(expected)


NO_PARTITION = "HASH key attributes day must have equality conditions specified in the query"
NO_PREFIX = (
    "RANGE key attributes total must have equality conditions specified in the query because a "
    "condition is present on key attribute id"
)


@pytest.mark.parametrize(
    ("condition", "values", "message"),
    [
        ("state = :s", {":s": "open"}, NO_PARTITION),
        ("state = :s AND day = :d AND id = :i", {":s": "open", ":d": "mon", ":i": "1"},
         NO_PREFIX),
        ("state = :s AND day = :d AND total > :n AND id = :i",
         {":s": "open", ":d": "mon", ":n": 1, ":i": "1"}, NO_PREFIX),
        ("state = :s AND day = :d AND total = :n AND id = :i AND note = :i",
         {":s": "open", ":d": "mon", ":n": 1, ":i": "1"},
         "The number of query conditions (5) exceeds the number of key attributes defined in the "
         "schema (4)"),
        ("state = :s AND day > :d", {":s": "open", ":d": "mon"}, NO_PARTITION),
        ("state = :n AND day = :d", {":n": 1, ":d": "mon"},
         PREFIX + "Condition parameter type does not match schema type"),
    ],
)
@pytest.mark.service
def test_many_key_attributes_want_a_left_prefix(ddb, orders, condition, values, message):
    with invalid(message):
        query(ddb, orders, "by_all", condition, values)


@pytest.mark.parametrize("index_name", ["by_total", "by_tag", "by_state", "by_day", "by_all"])
@pytest.mark.parametrize("segments", [1, 3])
def test_scans_of_indexes_see_each_entry_once(ddb, orders, index_name, segments):
    found = []
    for segment in range(segments):
        more = {"Segment": segment, "TotalSegments": segments} if segments > 1 else {}
        while True:
            answer = ddb.scan(TableName=orders, IndexName=index_name, Limit=2, **more)
            assert answer["ScannedCount"] <= 2
            found += ids(answer)
            if "LastEvaluatedKey" not in answer:
                break
            more["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    assert sorted(found) == ["a1", "a2", "a3", "b1", "b2", "b3"]


def test_pages_go_on_behind_equal_keys(ddb, orders):
    found, more = [], {}
    while True:
        answer = query(ddb, orders, "by_state", "state = :s", {":s": "open"}, Limit=1, **more)
        found += ids(answer)
        if "LastEvaluatedKey" not in answer:
            break
        assert set(answer["LastEvaluatedKey"]) == {"customer", "id", "state", "total"}
        more["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    assert found[:2] == ["a2", "b3"]
    assert sorted(found) == ["a1", "a2", "b1", "b3"]


def test_the_last_key_has_every_key_attribute(ddb, orders):
    asked = "by_all", "state = :s AND day = :d", {":s": "open", ":d": "mon"}
    answer = query(ddb, orders, *asked, Limit=2)
    assert set(answer["LastEvaluatedKey"]) == {"customer", "id", "state", "day", "total"}
    rest = query(ddb, orders, *asked, ExclusiveStartKey=answer["LastEvaluatedKey"])
    assert ids(answer) + ids(rest) == ["a2", "a1", "b1"]


def test_an_index_gives_what_it_projects(ddb, orders):
    keys = {"customer", "id", "state", "total"}
    for select in ({}, {"Select": "ALL_PROJECTED_ATTRIBUTES"}):
        answer = query(ddb, orders, "by_state", "state = :s", {":s": "done"}, **select)
        assert [set(found) for found in answer["Items"]] == [keys | {"note"}] * 2
    whole = ddb.scan(TableName=orders, IndexName="by_day", Select="ALL_ATTRIBUTES")
    assert all(found["memo"] == {"S": "x"} for found in whole["Items"])
    count = query(ddb, orders, "by_state", "state = :s", {":s": "open"}, Select="COUNT")
    assert (count["Count"], "Items" in count) == (4, False)
    specific = {"ProjectionExpression": "note, id", "Select": "SPECIFIC_ATTRIBUTES"}
    some = query(ddb, orders, "by_state", "state = :s", {":s": "done"}, **specific)
    assert [set(found) for found in some["Items"]] == [{"note", "id"}] * 2


def test_a_local_index_looks_up_the_rest(ddb, orders):
    values = {":c": "ann"}
    narrow = query(ddb, orders, "by_tag", "customer = :c", values, ConsistentRead=True)
    assert all(set(found) == {"customer", "id", "tag"} for found in narrow["Items"])
    whole = query(ddb, orders, "by_tag", "customer = :c", values, Select="ALL_ATTRIBUTES")
    assert [found["note"]["S"] for found in whole["Items"]] == ["note 1", "note 2", "note 3"]
    some = query(ddb, orders, "by_tag", "customer = :c", values, ProjectionExpression="memo")
    assert some["Items"] == [{"memo": {"S": "x"}}] * 3
    scanned = ddb.scan(
        TableName=orders, IndexName="by_tag", Select="ALL_ATTRIBUTES", ConsistentRead=True
    )
    assert all("note" in found for found in scanned["Items"])


@pytest.mark.service
def test_a_global_index_does_not(ddb, orders):
    values = {":s": "open"}
    with invalid("Consistent reads are not supported on global secondary indexes"):
        query(ddb, orders, "by_state", "state = :s", values, ConsistentRead=True)
    message = PREFIX + (
        "Select type ALL_ATTRIBUTES is not supported for global secondary index by_state because "
        "its projection type is not ALL"
    )
    with invalid(message):
        query(ddb, orders, "by_state", "state = :s", values, Select="ALL_ATTRIBUTES")
    with invalid(message):
        ddb.scan(TableName=orders, IndexName="by_state", Select="ALL_ATTRIBUTES")
    with invalid(PREFIX + "Global secondary index by_state does not project [memo]"):
        query(ddb, orders, "by_state", "state = :s", values, ProjectionExpression="note, memo")
    only_of_index = "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
    with invalid(only_of_index):
        ddb.scan(TableName=orders, Select="ALL_PROJECTED_ATTRIBUTES")
    with invalid("1 validation error detected: " + only_of_index):
        ddb.query(
            TableName=orders,
            KeyConditionExpression="customer = :c",
            Select="ALL_PROJECTED_ATTRIBUTES",
            ExpressionAttributeValues=item(**{":c": "ann"}),
        )


@pytest.mark.service
def test_filters_on_indexes(ddb, orders):
    values = {":s": "open"}
    asked = "by_state", "state = :s"
    answer = query(ddb, orders, *asked, {**values, ":n": "note 1"}, FilterExpression="note = :n")
    assert (sorted(ids(answer)), answer["ScannedCount"]) == (["a1", "b1"], 4)
    for name in ("state", "total"):
        with invalid(
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: "
            + name
        ):
            on_key = {
                "FilterExpression": "attribute_exists(#k)",
                "ExpressionAttributeNames": {"#k": name},
            }
            query(ddb, orders, *asked, values, **on_key)
    with invalid(
        PREFIX + "Secondary index by_state does not project one or more filter attributes: [memo]"
    ):
        query(ddb, orders, *asked, values, FilterExpression="attribute_exists(memo)")
    # The table's keys are no keys of the index.
    answer = query(ddb, orders, *asked, {**values, ":c": "ann"}, FilterExpression="customer = :c")
    assert sorted(ids(answer)) == ["a1", "a2"]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (item(customer="ann", id="1"), "The provided starting key is invalid"),
        (item(customer="ann", id="1", state="open", total=1, day="mon"),
         "The provided starting key is invalid"),
        (item(customer="ann", id="1", state="open", day="mon"),
         "The provided starting key is invalid"),
        (item(customer="ann", id="1", state=1, total=1),
         "The provided key element does not match the schema"),
        (item(customer=1, id="1", state="open", total=1),
         "The provided starting key is invalid: The provided key element does not match the schema"),
    ],
)
@pytest.mark.service
def test_start_keys_that_do_not_fit(ddb, orders, start, message):
    with invalid(message):
        query(ddb, orders, "by_state", "state = :s", {":s": "open"}, ExclusiveStartKey=start)
    with invalid(message):
        ddb.scan(TableName=orders, IndexName="by_state", ExclusiveStartKey=start)


@pytest.mark.service
def test_start_keys_outside_of_the_query(ddb, orders):
    start = item(customer="ann", id="1", state="done", total=1)
    with invalid(
        "The provided starting key is outside query boundaries based on provided conditions"
    ):
        query(ddb, orders, "by_state", "state = :s", {":s": "open"}, ExclusiveStartKey=start)
    start = item(customer="ann", id="1", state="open", total=1)
    asked = "by_state", "state = :s AND total > :n", {":s": "open", ":n": 5}
    with invalid("The provided starting key does not match the range key predicate"):
        query(ddb, orders, *asked, ExclusiveStartKey=start)


@pytest.mark.parametrize(
    ("path", "what"),
    [("customer.x", "Key: customer"), ("id[0]", "Key: id"), ("tag.x", "IndexKey: tag")],
)
def test_no_path_leads_into_a_key(ddb, orders, path, what):
    message = (
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not "
        "allowed: " + what
    )
    key = {"TableName": orders, "Key": item(customer="ann", id="9")}
    condition = {"ConditionExpression": f"attribute_not_exists({path})"}
    with invalid(message):
        ddb.put_item(TableName=orders, Item=key["Key"], **condition)
    with invalid(message):
        ddb.delete_item(**key, **condition)
    with invalid(message):
        ddb.update_item(**key, UpdateExpression="REMOVE memo", **condition)
    with invalid(message):
        ddb.update_item(**key, UpdateExpression=f"SET memo = {path}")
    with invalid(message):
        ddb.get_item(**key, ProjectionExpression=path)
    with invalid(message):
        ddb.scan(TableName=orders, FilterExpression=f"attribute_not_exists({path})")


def test_an_index_that_is_not_there(ddb, orders):
    with invalid("The table does not have the specified index: nothing"):
        query(ddb, orders, "nothing", "state = :s", {":s": "open"})
    with invalid("The table does not have the specified index: nothing"):
        ddb.scan(TableName=orders, IndexName="nothing")
    with refused("ResourceNotFoundException", "Requested resource not found"):
        ddb.scan(TableName="no.such.table", IndexName="nothing")


def units(answer):
    """ConsumedCapacity without the table's name, each {"CapacityUnits": n} as n."""
    def bare(value):
        if set(value) == {"CapacityUnits"}:
            return value["CapacityUnits"]
        return {
            name: bare(inner) if isinstance(inner, dict) else inner for name, inner in value.items()
        }

    capacity = dict(answer["ConsumedCapacity"])
    del capacity["TableName"]
    return bare(capacity)


@pytest.mark.service
def test_capacity_of_reads(ddb, orders):
    detail = {"ReturnConsumedCapacity": "INDEXES"}
    answer = query(ddb, orders, "by_state", "state = :s", {":s": "open"}, **detail)
    assert units(answer) == {
        "CapacityUnits": 0.5, "Table": 0, "GlobalSecondaryIndexes": {"by_state": 0.5},
    }
    answer = query(ddb, orders, "by_tag", "customer = :c", {":c": "ann"}, ConsistentRead=True, **detail)
    assert units(answer) == {"CapacityUnits": 1, "Table": 0, "LocalSecondaryIndexes": {"by_tag": 1}}
    answer = query(ddb, orders, "by_tag", "customer = :c", {":c": "ann"}, ConsistentRead=True,
                   Select="ALL_ATTRIBUTES", **detail)
    # Each item that is looked up is a read of its own.
    assert units(answer) == {"CapacityUnits": 4, "Table": 3, "LocalSecondaryIndexes": {"by_tag": 1}}
    answer = ddb.scan(TableName=orders, IndexName="by_day", ReturnConsumedCapacity="TOTAL")
    assert units(answer) == 0.5
    answer = ddb.scan(TableName=orders, **detail)
    assert units(answer) == {"CapacityUnits": 0.5, "Table": 0.5}


@pytest.mark.service
def test_capacity_of_writes(ddb, orders):
    detail = {"TableName": orders, "ReturnConsumedCapacity": "INDEXES"}
    key = item(customer="dan", id="1")

    def put(**more):
        return units(ddb.put_item(Item={**key, **item(**more)}, **detail))

    def update(expression, **values):
        values = {f":{name}": plain(value) for name, value in values.items()}
        more = {"ExpressionAttributeValues": values} if values else {}
        names = {"#state": "state"} if "#state" in expression else {}
        if names:
            more["ExpressionAttributeNames"] = names
        return units(ddb.update_item(Key=key, UpdateExpression=expression, **more, **detail))

    assert put() == {"CapacityUnits": 1, "Table": 1}
    entry = {"state": "open", "total": 1}
    both = {"LocalSecondaryIndexes": {"by_total": 1}, "GlobalSecondaryIndexes": {"by_state": 1}}
    assert put(**entry) == {"CapacityUnits": 3, "Table": 1, **both}
    assert put(**entry) == {"CapacityUnits": 1, "Table": 1}  # nothing changed
    # by_state projects the note, by_total everything.
    assert update("SET note = :n", n="x") == {"CapacityUnits": 3, "Table": 1, **both}
    assert update("SET memo = :o", o="x") == {
        "CapacityUnits": 2, "Table": 1, "LocalSecondaryIndexes": {"by_total": 1},
    }
    # To another key: one entry goes, one comes.
    assert update("SET #state = :s", s="done") == {
        "CapacityUnits": 4, "Table": 1, "LocalSecondaryIndexes": {"by_total": 1},
        "GlobalSecondaryIndexes": {"by_state": 2},
    }
    assert update("REMOVE #state") == {"CapacityUnits": 3, "Table": 1, **both}
    answer = ddb.transact_write_items(
        TransactItems=[{"Put": {"TableName": orders, "Item": {**key, **item(**entry)}}}],
        ReturnConsumedCapacity="INDEXES",
    )
    # A transaction costs the table twice, and an index as much as any write.
    two = {"CapacityUnits": 2, "WriteCapacityUnits": 2}
    one = {"CapacityUnits": 1, "WriteCapacityUnits": 1}
    assert answer["ConsumedCapacity"] == [
        {
            "TableName": orders,
            "CapacityUnits": 4,
            "WriteCapacityUnits": 4,
            "Table": two,
            "LocalSecondaryIndexes": {"by_total": one},
            "GlobalSecondaryIndexes": {"by_state": one},
        }
    ]
    batch = ddb.batch_write_item(
        RequestItems={
            orders: [
                {"DeleteRequest": {"Key": key}},
                {"PutRequest": {"Item": item(customer="dan", id="2")}},
            ]
        },
        ReturnConsumedCapacity="INDEXES",
    )
    of_batch = units({"ConsumedCapacity": batch["ConsumedCapacity"][0]})
    assert of_batch == {"CapacityUnits": 4, "Table": 2, **both}
    answer = ddb.delete_item(Key=item(customer="dan", id="2"), **detail)
    assert units(answer) == {"CapacityUnits": 1, "Table": 1}
