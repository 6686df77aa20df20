"""BatchWriteItem and BatchGetItem."""

import pytest

from conftest import unused_name
from expecting import invalid, item, refused


def puts(count):
    return [{"PutRequest": {"Item": item(pk=f"k{number}", n=number)}} for number in range(count)]


def test_a_batch_writes_and_reads_several_tables(ddb, make_table):
    one, two = make_table(), make_table()
    ddb.put_item(TableName=two, Item=item(pk="gone"))
    answer = ddb.batch_write_item(
        RequestItems={
            one: puts(3),
            two: [{"DeleteRequest": {"Key": item(pk="gone")}}, *puts(1)],
        }
    )
    assert answer["UnprocessedItems"] == {}
    answer = ddb.batch_get_item(
        RequestItems={
            one: {"Keys": [item(pk="k0"), item(pk="k2"), item(pk="nobody")]},
            two: {"Keys": [item(pk="gone"), item(pk="k0")], "ProjectionExpression": "n"},
        }
    )
    assert answer["UnprocessedKeys"] == {}
    found = sorted(answer["Responses"][one], key=str)
    assert found == [item(pk="k0", n=0), item(pk="k2", n=2)]
    assert answer["Responses"][two] == [item(n=0)]


def test_25_writes_and_100_reads_fit(ddb, table):
    ddb.batch_write_item(RequestItems={table: puts(25)})
    keys = [item(pk=f"k{number}") for number in range(100)]
    answer = ddb.batch_get_item(RequestItems={table: {"Keys": keys}})
    assert len(answer["Responses"][table]) == 25


def test_large_reads_leave_keys_over(ddb, table):
    big = "x" * 390_000
    for number in range(50):
        ddb.put_item(TableName=table, Item=item(pk=f"k{number}", big=big))
    wanted = {table: {"Keys": [item(pk=f"k{number}") for number in range(50)]}}
    found = set()
    rounds = 0
    while wanted:
        answer = ddb.batch_get_item(RequestItems=wanted)
        found |= {one["pk"]["S"] for one in answer["Responses"].get(table, [])}
        wanted = answer["UnprocessedKeys"]
        rounds += 1
    assert len(found) == 50
    assert rounds > 1


@pytest.mark.service
def test_26_writes_are_refused(ddb, table):
    with refused("ValidationException") as refusal:
        ddb.batch_write_item(RequestItems={table: puts(26)})
    assert refusal.message.startswith("1 validation error detected: Value '{" + table + "=[")
    assert "at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: " \
        "[Member must have length less than or equal to 25" in refusal.message
    assert ddb.scan(TableName=table)["Count"] == 0


@pytest.mark.service
def test_26_writes_to_two_tables_are_refused(ddb, make_table):
    first, second = make_table(), make_table()
    with invalid("Too many items requested for the BatchWriteItem call"):
        ddb.batch_write_item(RequestItems={first: puts(20), second: puts(6)})
    assert ddb.scan(TableName=first)["Count"] == 0


@pytest.mark.service
def test_101_reads_are_refused(ddb, table):
    keys = [item(pk=f"k{number}") for number in range(101)]
    with invalid(
        f"1 validation error detected: Value at 'RequestItems.{table}.member.Keys' failed to satisfy "
        "constraint: Member must have length less than or equal to 100"
    ):
        ddb.batch_get_item(RequestItems={table: {"Keys": keys}})


def test_a_key_twice_is_refused(ddb, table):
    message = "Provided list of item keys contains duplicates"
    with invalid(message):
        ddb.batch_write_item(
            RequestItems={table: [*puts(1), {"DeleteRequest": {"Key": item(pk="k0")}}]}
        )
    with invalid(message):
        ddb.batch_get_item(RequestItems={table: {"Keys": [item(pk="k0"), item(pk="k0")]}})


@pytest.mark.service
def test_an_empty_batch_is_refused(ddb):
    with invalid("The requestItems parameter is required for BatchWriteItem"):
        ddb.batch_write_item(RequestItems={})
    with invalid("The requestItems parameter is required for BatchGetItem"):
        ddb.batch_get_item(RequestItems={})


@pytest.mark.service
def test_an_empty_list_is_refused(ddb, table):
    with invalid(
        "1 validation error detected: Value '{" + table + "=[]}' at 'requestItems' failed to satisfy "
        "constraint: Map value must satisfy constraint: [Member must have length less than or equal "
        "to 25, Member must have length greater than or equal to 1]"
    ):
        ddb.batch_write_item(RequestItems={table: []})
    with invalid(
        f"1 validation error detected: Value at 'RequestItems.{table}.member.Keys' failed to satisfy "
        "constraint: Member must have length greater than or equal to 1"
    ):
        ddb.batch_get_item(RequestItems={table: {"Keys": []}})


@pytest.mark.service
def test_what_is_no_table_name_is_refused_as_a_key_of_the_map(ddb):
    of_keys = (
        " at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: [Member must "
        "have length less than or equal to 255, Member must have length greater than or equal to 3, "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]"
    )
    of_capacity = (
        "Value 'x' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum "
        "value set: [INDEXES, TOTAL, NONE]"
    )
    reads = {"bad!name": {"Keys": [item(pk="a")]}}
    of_reads = "Value '" + '{"bad!name":{"Keys":[{"pk":{"S":"a"}}]}}' + "'" + of_keys
    with invalid(f"1 validation error detected: {of_reads}"):
        ddb.batch_get_item(RequestItems=reads)
    with invalid(f"2 validation errors detected: {of_reads}; {of_capacity}"):
        ddb.batch_get_item(RequestItems=reads, ReturnConsumedCapacity="x")

    writes = {"bad!name": puts(1)}
    with refused("ValidationException") as refusal:
        ddb.batch_write_item(RequestItems=writes)
    # What the service prints of an item differs by region.
    assert refusal.message.startswith(
        "1 validation error detected: Value '{bad!name=[WriteRequest(putRequest=PutRequest(item={"
    )
    assert refusal.message.endswith(")]}'" + of_keys)
    assert "pk=" in refusal.message
    with invalid(f"1 validation error detected: {of_capacity}"):
        ddb.batch_write_item(RequestItems=writes, ReturnConsumedCapacity="x")


def test_an_unknown_table_refuses_the_whole_batch(ddb, table):
    with refused("ResourceNotFoundException"):
        ddb.batch_write_item(RequestItems={table: puts(1), unused_name(): puts(1)})
    assert ddb.scan(TableName=table)["Count"] == 0


@pytest.mark.service
@pytest.mark.parametrize("bad", [item(other="no key"), item(pk=1), item(pk=True)])
def test_one_bad_item_refuses_the_whole_batch(ddb, table, bad):
    with invalid("The provided key element does not match the schema"):
        ddb.batch_write_item(RequestItems={table: [*puts(2), {"PutRequest": {"Item": bad}}]})
    assert ddb.scan(TableName=table)["Count"] == 0
