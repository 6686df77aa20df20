"""UpdateTimeToLive, DescribeTimeToLive, and that expired items go within seconds."""

import time

import pytest

from conftest import unused_name
from expecting import invalid, item, refused
from peers.process import wait_until
from test_streams import latest_arn, records

FIVE_YEARS = 5 * 365 * 24 * 60 * 60
# An item goes within a second or two of its time; a loaded machine is given more.
GONE_SECONDS = 20


def switch(ddb, table, enabled, attribute="until"):
    specification = {"Enabled": enabled, "AttributeName": attribute}
    answer = ddb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)
    assert answer["TimeToLiveSpecification"] == specification


def keys(ddb, table):
    return sorted(found["pk"]["S"] for found in ddb.scan(TableName=table)["Items"])


def wait_for_keys(ddb, table, wanted):
    wait_until(lambda: keys(ddb, table) == wanted, GONE_SECONDS, f"only {wanted} is left")


def test_it_is_switched_on_and_described(ddb, table):
    described = ddb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "DISABLED"}
    switch(ddb, table, True)
    described = ddb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}
    with invalid("TimeToLive is already enabled"):
        switch(ddb, table, True)


@pytest.mark.ours
def test_changes_may_follow_each_other_at_once(ddb, table):
    with invalid("TimeToLive is already disabled"):
        switch(ddb, table, False)
    switch(ddb, table, True)
    for enabled in (True, False):
        with invalid(
            "TimeToLive is active on a different AttributeName: current AttributeName is until"
        ):
            switch(ddb, table, enabled, "other")
    switch(ddb, table, False)
    described = ddb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "DISABLED"}
    switch(ddb, table, True, "other")


def test_wrong_requests_are_refused(ddb, table):
    with refused("ResourceNotFoundException"):
        switch(ddb, unused_name(), True)
    with refused("ResourceNotFoundException"):
        ddb.describe_time_to_live(TableName=unused_name())
    with invalid(
        f"1 validation error detected: Value '{'a' * 256}' at "
        "'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have "
        "length less than or equal to 255"
    ):
        switch(ddb, table, True, "a" * 256)


@pytest.mark.ours
def test_expired_items_go_and_others_stay(ddb, table):
    switch(ddb, table, True)
    now = int(time.time())
    values = {
        "expired": {"N": str(now - 10)},
        "fraction": {"N": f"{now - 10}.5"},
        "later": {"N": str(now + 3600)},
        "no number": {"S": str(now - 10)},
        "old": {"N": str(now - FIVE_YEARS - 1000)},
        "negative": {"N": "-5"},
    }
    for key, value in values.items():
        ddb.put_item(TableName=table, Item={"pk": {"S": key}, "until": value})
    ddb.put_item(TableName=table, Item=item(pk="none"))
    wait_for_keys(ddb, table, ["later", "negative", "no number", "none", "old"])


@pytest.mark.ours
def test_items_can_be_read_until_they_go_and_soon_go(ddb, table):
    switch(ddb, table, True)
    until = int(time.time()) + 2
    ddb.put_item(TableName=table, Item=item(pk="a", until=until))
    while time.time() < until:
        found = ddb.get_item(TableName=table, Key=item(pk="a"), ConsistentRead=True)
        assert found["Item"] == item(pk="a", until=until)
    wait_for_keys(ddb, table, [])
    assert "Item" not in ddb.get_item(TableName=table, Key=item(pk="a"))


@pytest.mark.ours
def test_items_from_before_it_was_switched_on_go_too(ddb, table):
    past = int(time.time()) - 10
    for batch in range(0, 200, 25):
        puts = [
            {"PutRequest": {"Item": item(pk=f"{number:03}", until=past)}}
            for number in range(batch, batch + 25)
        ]
        ddb.batch_write_item(RequestItems={table: puts})
    ddb.put_item(TableName=table, Item=item(pk="stays"))
    switch(ddb, table, True)
    wait_for_keys(ddb, table, ["stays"])


@pytest.mark.ours
def test_a_stream_says_who_deleted(ddb, streams, make_table):
    table = make_table(view_type="NEW_AND_OLD_IMAGES")
    switch(ddb, table, True)
    past = int(time.time()) - 10
    ddb.put_item(TableName=table, Item=item(pk="a", until=past))
    wait_for_keys(ddb, table, [])
    insert, remove = records(streams, latest_arn(ddb, table), 2)
    assert "userIdentity" not in insert
    assert remove["eventName"] == "REMOVE"
    assert remove["userIdentity"] == {
        "PrincipalId": "dynamodb.amazonaws.com",
        "Type": "Service",
    }
    assert remove["dynamodb"]["OldImage"] == item(pk="a", until=past)
