"""UpdateTable: settings, and global indexes added and removed under traffic."""

import concurrent.futures

import pytest

from expecting import invalid, item, refused
from peers.process import wait_until
from raw import Connection

PREFIX = "One or more parameter values were invalid: "
READY_SECONDS = 60


def described(ddb, table):
    return ddb.describe_table(TableName=table)["Table"]


def add_index(ddb, table, name, key, projection=None, **more):
    """`key`: name:type of its partition key, and of its sort key if there is a second one."""
    keys = [one.split(":") for one in key.split()]
    return ddb.update_table(
        TableName=table,
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in keys
        ],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": name,
                    "KeySchema": [
                        {"AttributeName": attribute, "KeyType": role}
                        for (attribute, _), role in zip(keys, ("HASH", "RANGE"))
                    ],
                    "Projection": projection or {"ProjectionType": "ALL"},
                    **more,
                }
            }
        ],
    )


def remove_index(ddb, table, name):
    return ddb.update_table(
        TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": name}}]
    )


def wait_for_indexes(ddb, table, wanted):
    def ready():
        indexes = described(ddb, table).get("GlobalSecondaryIndexes", [])
        active = [index["IndexName"] for index in indexes if index["IndexStatus"] == "ACTIVE"]
        return sorted(active) == sorted(wanted) and len(active) == len(indexes)

    wait_until(ready, READY_SECONDS, f"the indexes {wanted} are active")


def query(ddb, table, index, attribute, value):
    found = []
    pages = ddb.get_paginator("query").paginate(
        TableName=table,
        IndexName=index,
        KeyConditionExpression="#a = :v",
        ExpressionAttributeNames={"#a": attribute},
        ExpressionAttributeValues={":v": {"S": value}},
    )
    for page in pages:
        found += page["Items"]
    return found


def fill(ddb, table, count, **more):
    for start in range(0, count, 25):
        puts = [
            {
                "PutRequest": {
                    "Item": item(pk=f"{number:05}", genre=f"g{number % 5}", number=number, **more)
                }
            }
            for number in range(start, min(start + 25, count))
        ]
        ddb.batch_write_item(RequestItems={table: puts})


def test_an_index_is_added_with_the_items_from_before(ddb, table):
    fill(ddb, table, 100)
    answer = add_index(ddb, table, "by-genre", "genre:S number:N")["TableDescription"]
    assert answer["TableStatus"] == "UPDATING"
    (index,) = answer["GlobalSecondaryIndexes"]
    assert (index["IndexStatus"], index["Backfilling"]) == ("CREATING", False)
    wait_for_indexes(ddb, table, ["by-genre"])
    (index,) = described(ddb, table)["GlobalSecondaryIndexes"]
    assert "Backfilling" not in index
    assert index["KeySchema"] == [
        {"AttributeName": "genre", "KeyType": "HASH"},
        {"AttributeName": "number", "KeyType": "RANGE"},
    ]
    found = query(ddb, table, "by-genre", "genre", "g3")
    assert [int(one["number"]["N"]) for one in found] == list(range(3, 100, 5))


def test_what_it_does_not_project_is_not_in_it(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", genre="drama", year=1999, text="long"))
    add_index(
        ddb, table, "years", "genre:S",
        {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["year"]},
    )
    wait_for_indexes(ddb, table, ["years"])
    assert query(ddb, table, "years", "genre", "drama") == [item(pk="a", genre="drama", year=1999)]


def test_items_that_cannot_be_in_it_are_left_out(ddb, table):
    ddb.put_item(TableName=table, Item=item(pk="a", genre="drama"))
    ddb.put_item(TableName=table, Item=item(pk="b", genre=5))
    ddb.put_item(TableName=table, Item=item(pk="c"))
    add_index(ddb, table, "by-genre", "genre:S")
    wait_for_indexes(ddb, table, ["by-genre"])
    assert ddb.scan(TableName=table, IndexName="by-genre")["Count"] == 1
    with refused("ValidationException"):
        ddb.put_item(TableName=table, Item=item(pk="d", genre=5))


@pytest.mark.ours
def test_writes_during_the_backfill_win(ddb, table):
    fill(ddb, table, 5000, pad="x" * 200)
    add_index(ddb, table, "by-genre", "genre:S")

    def change(number):
        if number % 2:
            ddb.delete_item(TableName=table, Key=item(pk=f"{number:05}"))
        else:
            ddb.put_item(TableName=table, Item=item(pk=f"{number:05}", genre="changed"))

    changed = range(0, 5000, 11)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(change, changed))
    wait_for_indexes(ddb, table, ["by-genre"])
    items = {}
    for page in ddb.get_paginator("scan").paginate(TableName=table):
        items.update((one["pk"]["S"], one) for one in page["Items"])
    indexed = {}
    for page in ddb.get_paginator("scan").paginate(TableName=table, IndexName="by-genre"):
        indexed.update((one["pk"]["S"], one) for one in page["Items"])
    assert indexed == items
    assert len(items) == 5000 - len([number for number in changed if number % 2])


def test_an_index_is_removed_and_its_attribute_with_it(ddb, table):
    fill(ddb, table, 10)
    add_index(ddb, table, "by-genre", "genre:S")
    wait_for_indexes(ddb, table, ["by-genre"])
    answer = remove_index(ddb, table, "by-genre")["TableDescription"]
    assert answer["TableStatus"] == "UPDATING"
    assert answer["GlobalSecondaryIndexes"][0]["IndexStatus"] == "DELETING"
    wait_for_indexes(ddb, table, [])
    assert described(ddb, table)["AttributeDefinitions"] == [
        {"AttributeName": "pk", "AttributeType": "S"}
    ]
    with invalid("The table does not have the specified index: by-genre"):
        query(ddb, table, "by-genre", "genre", "g1")
    ddb.put_item(TableName=table, Item=item(pk="any", genre=5))
    add_index(ddb, table, "by-genre", "genre:S")
    wait_for_indexes(ddb, table, ["by-genre"])
    assert len(query(ddb, table, "by-genre", "genre", "g1")) == 2


@pytest.mark.service
def test_an_attribute_that_is_a_key_keeps_its_type(ddb, table):
    with invalid(
        PREFIX + "Attributes cannot be redefined. Please check that your attribute has the same "
        "type as previously defined. Existing schema: Schema:[SchemaElement: key{pk:S:HASH}] "
        "New schema: Schema:[SchemaElement: key{pk:N:HASH}]"
    ):
        add_index(ddb, table, "again", "pk:N")
    assert "GlobalSecondaryIndexes" not in described(ddb, table)


@pytest.mark.service
def test_the_request_defines_all_key_attributes_of_a_new_index_itself(ddb, table):
    create = {
        "IndexName": "by-genre",
        "KeySchema": [
            {"AttributeName": "genre", "KeyType": "HASH"},
            {"AttributeName": "pk", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }

    def add(attributes):
        return ddb.update_table(
            TableName=table,
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind} for name, kind in attributes
            ],
            GlobalSecondaryIndexUpdates=[{"Create": create}],
        )

    with invalid(
        PREFIX + "Some index key attributes are not defined in AttributeDefinitions. Keys: "
        "[genre, pk], AttributeDefinitions: [genre]"
    ):
        add([("genre", "S")])
    add([("genre", "S"), ("pk", "S")])
    wait_for_indexes(ddb, table, ["by-genre"])
    remove_index(ddb, table, "by-genre")
    wait_for_indexes(ddb, table, [])
    # What it says of attributes that are not of the index's key counts for nothing.
    del create["KeySchema"][1]
    add([("genre", "S"), ("pk", "N"), ("unused", "B")])
    wait_for_indexes(ddb, table, ["by-genre"])
    assert described(ddb, table)["AttributeDefinitions"] == [
        {"AttributeName": "genre", "AttributeType": "S"},
        {"AttributeName": "pk", "AttributeType": "S"},
    ]


@pytest.mark.service
def test_an_on_demand_limit_is_removed_by_minus_one(endpoint, table):
    def limits(operation, **members):
        answer = connection.call(operation, {"TableName": table, **members})
        shown = answer.get("Table") or answer["TableDescription"]
        return shown.get("OnDemandThroughput")

    with Connection(endpoint) as connection:
        both = {"MaxReadRequestUnits": 20, "MaxWriteRequestUnits": 15}
        assert limits("UpdateTable", OnDemandThroughput=both) == both
        removed = {"MaxReadRequestUnits": -1}
        assert limits("UpdateTable", OnDemandThroughput=removed) == {**both, **removed}
        assert limits("DescribeTable") == {"MaxWriteRequestUnits": 15}
        refusal = connection.send(
            {
                "TableName": table,
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
                "OnDemandThroughput": {"MaxWriteRequestUnits": 10},
            },
            "UpdateTable",
        )
        assert refusal.json()["message"] == (
            PREFIX + "MaxWriteRequestUnits for OnDemandThroughput cannot be specified when the "
            "table BillingMode is PROVISIONED"
        )


@pytest.mark.service
def test_wrong_index_updates_are_refused(ddb, table):
    with invalid(PREFIX + "AttributeDefinitions is not specified for index: by-genre"):
        ddb.update_table(
            TableName=table,
            GlobalSecondaryIndexUpdates=[
                {
                    "Create": {
                        "IndexName": "by-genre",
                        "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                }
            ],
        )
    with refused(
        "ResourceNotFoundException",
        f"Requested resource not found: Index ghost for table {table}",
    ):
        remove_index(ddb, table, "ghost")
    with refused(
        "LimitExceededException",
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously "
        "per table",
    ):
        ddb.update_table(
            TableName=table,
            GlobalSecondaryIndexUpdates=[
                {"Delete": {"IndexName": "one"}},
                {"Delete": {"IndexName": "two"}},
            ],
        )
    add_index(ddb, table, "by-genre", "genre:S")
    wait_for_indexes(ddb, table, ["by-genre"])
    with invalid("Attempting to create an index which already exists"):
        add_index(ddb, table, "by-genre", "genre:S")


def test_the_twenty_first_index_is_refused(ddb, table):
    for number in range(20):
        add_index(ddb, table, f"index{number}", f"a{number}:S")
        wait_for_indexes(ddb, table, [f"index{one}" for one in range(number + 1)])
    with refused(
        "LimitExceededException",
        "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of "
        "20",
    ):
        add_index(ddb, table, "more", "b:S")


@pytest.mark.service
def test_settings_are_changed_and_shown(endpoint, table):
    with Connection(endpoint) as connection:

        def update(**members):
            answer = connection.call("UpdateTable", {"TableName": table, **members})
            return answer["TableDescription"]["TableStatus"]

        assert update(OnDemandThroughput={"MaxReadRequestUnits": 50}) == "ACTIVE"
        assert update(WarmThroughput={"WriteUnitsPerSecond": 5000}) == "ACTIVE"
        assert update(SSESpecification={"Enabled": True}) == "ACTIVE"
        assert update(TableClass="STANDARD_INFREQUENT_ACCESS") == "UPDATING"
        assert update(DeletionProtectionEnabled=True) == "ACTIVE"
        shown = connection.call("DescribeTable", {"TableName": table})["Table"]
        assert shown["OnDemandThroughput"] == {"MaxReadRequestUnits": 50}
        assert shown["WarmThroughput"] == {
            "ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 5000, "Status": "ACTIVE"}
        assert shown["SSEDescription"]["SSEType"] == "KMS"
        assert shown["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
        assert shown["DeletionProtectionEnabled"] is True
        assert update(DeletionProtectionEnabled=False) == "ACTIVE"


@pytest.mark.service
def test_most_changes_stand_alone(ddb, table):
    with invalid(PREFIX + "TableClass modification must be the only operation in the request"):
        ddb.update_table(
            TableName=table,
            TableClass="STANDARD_INFREQUENT_ACCESS",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        )
