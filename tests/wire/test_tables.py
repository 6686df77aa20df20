"""CreateTable, DescribeTable, UpdateTable (stream), ListTables, DeleteTable."""

import datetime

import pytest

from conftest import definition, unused_name
from expecting import invalid, item, refused
from raw import Connection


def test_create_describes_the_table(ddb, make_table):
    name = make_table("pk:S", "sk:N")
    table = ddb.describe_table(TableName=name)["Table"]
    assert table["TableName"] == name
    assert table["TableStatus"] == "ACTIVE"
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert table["AttributeDefinitions"] == [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
    ]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ItemCount"] == 0
    assert table["TableSizeBytes"] == 0
    age = datetime.datetime.now(datetime.timezone.utc) - table["CreationDateTime"]
    assert abs(age) < datetime.timedelta(minutes=5)
    throughput = table["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (0, 0)
    assert "StreamSpecification" not in table


@pytest.mark.service
def test_the_arn_names_region_and_account(ddb, table):
    description = ddb.describe_table(TableName=table)["Table"]
    assert description["TableArn"] == f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}"


@pytest.mark.service
def test_what_debians_boto3_does_not_know_is_described_too(endpoint, table):
    with Connection(endpoint) as connection:
        description = connection.call("DescribeTable", {"TableName": table})["Table"]
    assert description["DeletionProtectionEnabled"] is False
    assert description["WarmThroughput"] == {
        "ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}


def test_attribute_definitions_are_sorted_by_name(ddb, make_table):
    name = make_table("z:S", "a:B")
    definitions = ddb.describe_table(TableName=name)["Table"]["AttributeDefinitions"]
    assert sorted(one["AttributeName"] for one in definitions) == ["a", "z"]


def test_create_of_an_existing_table_is_refused(ddb, table):
    with refused("ResourceInUseException"):
        ddb.create_table(**definition(table))


@pytest.mark.service
def test_create_of_an_existing_table_names_it(ddb, table):
    with refused("ResourceInUseException", f"Table already exists: {table}"):
        ddb.create_table(**definition(table))


@pytest.mark.service
def test_delete_removes_items_and_the_name_can_be_used_again(ddb, make_table):
    name = make_table()
    ddb.put_item(TableName=name, Item=item(pk="a"))
    first_id = ddb.describe_table(TableName=name)["Table"]["TableId"]
    deleted = ddb.delete_table(TableName=name)["TableDescription"]
    assert deleted["TableName"] == name
    ddb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    ddb.create_table(**definition(name))
    ddb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    assert ddb.describe_table(TableName=name)["Table"]["TableId"] != first_id
    assert "Item" not in ddb.get_item(TableName=name, Key=item(pk="a"))
    assert ddb.scan(TableName=name)["Count"] == 0


@pytest.mark.service
def test_delete_shows_no_definition(endpoint):
    name = unused_name()
    with Connection(endpoint) as connection:
        connection.call("CreateTable", definition(name, view_type="NEW_IMAGE"))
        shown = connection.call("DeleteTable", {"TableName": name})["TableDescription"]
    assert shown["TableStatus"] == "DELETING"
    assert set(shown) - {"BillingModeSummary"} == {
        "TableName",
        "TableStatus",
        "ProvisionedThroughput",
        "TableSizeBytes",
        "ItemCount",
        "TableArn",
        "TableId",
        "DeletionProtectionEnabled",
    }


def test_list_is_sorted_and_paged(ddb, make_table):
    names = sorted(make_table() for _ in range(3))
    pages = ddb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 1})
    listed = [name for page in pages for name in page["TableNames"]]
    assert listed == sorted(listed)
    assert [name for name in listed if name in names] == names
    page = ddb.list_tables(Limit=1)
    assert page["LastEvaluatedTableName"] == page["TableNames"][0]


@pytest.mark.service
def test_an_unknown_table_is_refused_by_name(ddb):
    name = unused_name()
    with refused(
        "ResourceNotFoundException", f"Requested resource not found: Table: {name} not found"
    ):
        ddb.describe_table(TableName=name)


@pytest.mark.service
def test_changes_of_an_unknown_table_are_refused_by_name(ddb):
    name = unused_name()
    message = f"Requested resource not found: Table: {name} not found"
    with refused("ResourceNotFoundException", message):
        ddb.delete_table(TableName=name)
    with refused("ResourceNotFoundException", message):
        ddb.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})


def test_a_stream_is_switched_on_and_off(ddb, table):
    on = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    ddb.update_table(TableName=table, StreamSpecification=on)
    description = ddb.describe_table(TableName=table)["Table"]
    assert description["StreamSpecification"] == on
    first = description["LatestStreamArn"]
    assert first.endswith("/stream/" + description["LatestStreamLabel"])

    ddb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    description = ddb.describe_table(TableName=table)["Table"]
    assert not description.get("StreamSpecification", {}).get("StreamEnabled")

    ddb.update_table(TableName=table, StreamSpecification=on)
    assert ddb.describe_table(TableName=table)["Table"]["LatestStreamArn"] != first


@pytest.mark.service
def test_after_disabling_the_latest_arn_stays(ddb, make_table):
    table = make_table(view_type="KEYS_ONLY")
    arn = ddb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    ddb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    description = ddb.describe_table(TableName=table)["Table"]
    assert "StreamSpecification" not in description
    assert description["LatestStreamArn"] == arn


PREFIX = "One or more parameter values were invalid: "


@pytest.mark.service
def test_wrong_stream_switches_are_refused(ddb, table):
    def update(**specification):
        ddb.update_table(TableName=table, StreamSpecification=specification)

    with invalid(PREFIX + "If stream is being enabled then UpdateViewType is required"):
        update(StreamEnabled=True)
    with refused("ValidationException") as refusal:
        update(StreamEnabled=False)
    assert f"Table has no stream to disable: TableName: {table}" in refusal.message
    update(StreamEnabled=True, StreamViewType="KEYS_ONLY")
    with refused("ValidationException") as refusal:
        update(StreamEnabled=True, StreamViewType="KEYS_ONLY")
    assert f"Table already has an enabled stream: TableName: {table}" in refusal.message
    with invalid(PREFIX + "If stream is being disabled, then UpdateViewType must not be specified"):
        update(StreamEnabled=False, StreamViewType="KEYS_ONLY")


@pytest.mark.service
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"TableName": None},
            "The parameter 'TableName' is required but was not present in the request",
        ),
        (
            {"TableName": "ab"},
            "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 3",
        ),
        (
            {"TableName": "bad name!"},
            "1 validation error detected: Value 'bad name!' at 'tableName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
        (
            {"KeySchema": [{"AttributeName": "pk", "KeyType": "INVALID"}]},
            "1 validation error detected: Value 'INVALID' at 'keySchema.1.member.keyType' failed to "
            "satisfy constraint: Member must satisfy enum value set: [HASH, RANGE]",
        ),
        (
            {"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "INVALID"}]},
            "1 validation error detected: Value 'INVALID' at "
            "'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [B, N, S]",
        ),
        (
            {
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "pk", "KeyType": "RANGE"},
                ]
            },
            "Invalid KeySchema: Some index key attribute have no definition",
        ),
    ],
)
def test_wrong_definitions_are_refused(ddb, change, message):
    request = definition(unused_name())
    request.update(change)
    if request["TableName"] is None:
        del request["TableName"]
    with invalid(message):
        ddb.create_table(**request)
