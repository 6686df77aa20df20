"""Secondary indexes: their definitions and what writes mean to them."""

import botocore.exceptions
import pytest

from conftest import status, unused_name
from expecting import invalid, item, refused
from peers.process import wait_until

INVALID = "One or more parameter values were invalid: "


def definition(name, **more):
    """A table with keys p and s, a local index over l, global ones over g and over g, h with r."""

    def key(*elements):
        return [{"AttributeName": e.strip("*"), "KeyType": "RANGE" if "*" in e else "HASH"}
                for e in elements]

    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": a, "AttributeType": "N" if a in "lr" else "S"}
                                 for a in "psglhr"],
        "KeySchema": key("p", "s*"),
        "LocalSecondaryIndexes": [
            {"IndexName": "local", "KeySchema": key("p", "l*"),
             "Projection": {"ProjectionType": "ALL"}}],
        "GlobalSecondaryIndexes": [
            {"IndexName": "plain", "KeySchema": key("g"),
             "Projection": {"ProjectionType": "KEYS_ONLY"}},
            {"IndexName": "many", "KeySchema": key("g", "h", "r*"),
             "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["y", "x"]}}],
        **more,
    }


@pytest.fixture
def indexed(ddb):
    name = unused_name()
    ddb.create_table(**definition(name))
    wait_until(lambda: status(ddb, name) == "ACTIVE", 20, f"{name} is active")
    yield name
    ddb.delete_table(TableName=name)


def found(ddb, table, index):
    return ddb.scan(TableName=table, IndexName=index)["Items"]


def test_indexes_are_described(ddb, indexed):
    table = ddb.describe_table(TableName=indexed)["Table"]
    plain, many = table["GlobalSecondaryIndexes"]
    assert plain["IndexStatus"] == "ACTIVE"
    assert plain["IndexArn"] == table["TableArn"] + "/index/plain"
    assert many["KeySchema"] == definition("")["GlobalSecondaryIndexes"][1]["KeySchema"]
    assert many["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x", "y"]}
    (local,) = table["LocalSecondaryIndexes"]
    assert local["IndexArn"] == table["TableArn"] + "/index/local"
    assert "IndexStatus" not in local
    assert [a["AttributeName"] for a in table["AttributeDefinitions"]] == sorted("psglhr")


def test_writes_keep_the_indexes(ddb, indexed):
    full = item(p="1", s="1", l=5, g="G", h="H", r=7, x="X", z="Z")
    ddb.put_item(TableName=indexed, Item=full)
    assert found(ddb, indexed, "local") == [full]
    assert found(ddb, indexed, "plain") == [item(p="1", s="1", g="G")]
    assert found(ddb, indexed, "many") == [item(p="1", s="1", g="G", h="H", r=7, x="X")]
    ddb.update_item(TableName=indexed, Key=item(p="1", s="1"),
                         UpdateExpression="REMOVE h SET l = l + :one",
                         ExpressionAttributeValues=item(**{":one": 1}))
    assert found(ddb, indexed, "many") == []
    assert found(ddb, indexed, "local")[0]["l"] == {"N": "6"}
    ddb.delete_item(TableName=indexed, Key=item(p="1", s="1"))
    assert found(ddb, indexed, "local") == found(ddb, indexed, "plain") == []


def test_values_that_can_be_no_key_are_refused(ddb, indexed):
    with invalid(INVALID + "Type mismatch for Index Key g Expected: S Actual: N IndexName: many"):
        ddb.put_item(TableName=indexed, Item=item(p="1", s="1", g=1))
    with invalid("One or more parameter values are not valid. A value specified for a secondary "
                 "index key is not supported. The AttributeValue for a key attribute cannot "
                 "contain an empty string value. IndexName: many, IndexKey: g"):
        ddb.put_item(TableName=indexed, Item=item(p="1", s="1", g=""))
    with invalid("One or more parameter values are not valid. The update expression attempted to "
                 "update a secondary index key to a value that is not supported. The "
                 "AttributeValue for a key attribute cannot contain an empty string value."):
        ddb.update_item(TableName=indexed, Key=item(p="1", s="1"),
                             UpdateExpression="SET g = :v",
                             ExpressionAttributeValues=item(**{":v": ""}))
    with invalid(INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes"):
        ddb.put_item(TableName=indexed, Item=item(p="1", s="1", g="g" * 2049))
    with refused("ValidationException"):
        ddb.batch_write_item(RequestItems={indexed: [
            {"PutRequest": {"Item": item(p="1", s="1", g="fine")}},
            {"PutRequest": {"Item": item(p="1", s="2", g=[])}}]})
    assert found(ddb, indexed, "plain") == []


def test_a_transaction_says_which_action_had_such_a_value(ddb, indexed):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        ddb.transact_write_items(TransactItems=[
            {"Put": {"TableName": indexed, "Item": item(p="1", s="1", g="fine")}},
            {"Put": {"TableName": indexed, "Item": item(p="1", s="2", g=True)}}])
    reasons = caught.value.response["CancellationReasons"]
    assert [r["Code"] for r in reasons] == ["None", "ValidationError"]
    assert reasons[1]["Message"] == (
        INVALID + "Type mismatch for Index Key g Expected: S Actual: BOOL IndexName: many")
    assert found(ddb, indexed, "plain") == []


def test_item_collections(ddb, indexed):
    metrics = {"ItemCollectionKey": item(p="1"), "SizeEstimateRangeGB": [0.0, 1.0]}
    answer = ddb.put_item(TableName=indexed, Item=item(p="1", s="1"),
                               ReturnItemCollectionMetrics="SIZE")
    assert answer["ItemCollectionMetrics"] == metrics
    answer = ddb.batch_write_item(
        RequestItems={indexed: [{"DeleteRequest": {"Key": item(p="1", s="1")}}]},
        ReturnItemCollectionMetrics="SIZE")
    assert answer["ItemCollectionMetrics"] == {indexed: [metrics]}


@pytest.mark.parametrize("more, message", [
    ({"GlobalSecondaryIndexes": []}, "List of GlobalSecondaryIndexes is empty"),
    ({"GlobalSecondaryIndexes": [], "LocalSecondaryIndexes": []},
     "List of LocalSecondaryIndexes is empty"),
])
def test_definitions_are_checked(ddb, more, message):
    with invalid(INVALID + message):
        ddb.create_table(**definition(unused_name(), **more))
