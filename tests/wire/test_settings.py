"""Resource policies, point-in-time recovery, and what tools ask of every table after an apply."""

import json

import pytest

from conftest import definition, unused_name
from raw import Connection

pytestmark = pytest.mark.service


class Api:
    """Operations by raw requests: clients may be older than resource policies."""

    def __init__(self, connection):
        self.connection = connection

    def __call__(self, operation, **members):
        return self.connection.call(operation, members)

    def refused(self, code, message, operation, **members):
        answer = self.connection.send(members, operation).check()
        error = answer.json()
        assert (answer.status, error["__type"].split("#")[1]) == (400, code), error
        if message is not None:
            assert error["message"] == message


@pytest.fixture
def api(endpoint):
    with Connection(endpoint) as connection:
        yield Api(connection)


def policy(action="dynamodb:*"):
    allowed = {"Effect": "Allow", "Principal": "*", "Action": [action], "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]}, separators=(",", ":"))


@pytest.fixture
def arn(api, table):
    return api("DescribeTable", TableName=table)["Table"]["TableArn"]


def no_policy(api, rest, operation, **members):
    message = "Resource-based policy not found for the provided ResourceArn: " + rest
    api.refused("PolicyNotFoundException", message, operation, **members)


def test_a_policy_is_put_shown_and_deleted(api, arn):
    no_policy(api, arn, "GetResourcePolicy", ResourceArn=arn)
    revision = api("PutResourcePolicy", ResourceArn=arn, Policy=policy())["RevisionId"]
    assert api("GetResourcePolicy", ResourceArn=arn) == {"Policy": policy(), "RevisionId": revision}
    # The same policy again is no change, whatever its white space; another is a later revision.
    for same in (policy(), json.dumps(json.loads(policy()), indent=1)):
        assert api("PutResourcePolicy", ResourceArn=arn, Policy=same) == {"RevisionId": revision}
    assert api("GetResourcePolicy", ResourceArn=arn)["Policy"] == policy()
    later = api("PutResourcePolicy", ResourceArn=arn, Policy=policy("dynamodb:PutItem"))["RevisionId"]
    assert int(later) > int(revision)
    assert api("DeleteResourcePolicy", ResourceArn=arn) == {"RevisionId": later}
    no_policy(api, arn, "GetResourcePolicy", ResourceArn=arn)
    assert api("DeleteResourcePolicy", ResourceArn=arn) == {}


def test_a_revision_may_be_expected(api, arn, table):
    put = {"ResourceArn": arn, "Policy": policy()}
    first = api("PutResourcePolicy", **put, ExpectedRevisionId="NO_POLICY")["RevisionId"]
    no_policy(
        api,
        f"Requested policy update expecting none to be present for table {table}, but a policy "
        f"exists with revision id {first}.",
        "PutResourcePolicy",
        **put,
        ExpectedRevisionId="NO_POLICY",
    )
    other = policy("dynamodb:GetItem")
    second = api(
        "PutResourcePolicy", ResourceArn=arn, Policy=other, ExpectedRevisionId=first
    )["RevisionId"]
    stale = (
        f"Requested update for policy with revision id {first}, but the policy associated to target "
        f"table {table} has revision id {second}."
    )
    no_policy(api, stale, "PutResourcePolicy", **put, ExpectedRevisionId=first)
    no_policy(api, stale, "DeleteResourcePolicy", ResourceArn=arn, ExpectedRevisionId=first)
    empty = (
        "1 validation error detected: Value '' at 'expectedRevisionId' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )
    for operation in ("PutResourcePolicy", "DeleteResourcePolicy"):
        api.refused("ValidationException", empty, operation, **put, ExpectedRevisionId="")
    api("DeleteResourcePolicy", ResourceArn=arn, ExpectedRevisionId=second)


def test_policies_that_are_refused(api, arn, table):
    api.refused(
        "ValidationException",
        "One or more parameter values were invalid: Maximum policy size of 20480 bytes exceeded",
        "PutResourcePolicy",
        ResourceArn=arn,
        Policy=policy("x" * 20480),
    )
    whole = json.loads(policy())["Statement"][0]
    for bad, problem in (
        ("", "This policy contains invalid Json"),
        ("{", "This policy contains invalid Json"),
        ("[]", "This policy contains invalid Json"),
        ("policy", "This policy contains invalid Json"),
        ("null", "This text appears not to be a policy"),
        ("{}", "Syntax error at position (1,3)"),
        ('{"Statement":[]}', "Could not parse the policy: Statement is empty!"),
        ('{"Statement":[{}]}', "Missing required field Effect"),
        *(
            (
                json.dumps({"Statement": {k: v for k, v in whole.items() if k != left_out}}),
                f"Missing required field {left_out}",
            )
            for left_out in whole
        ),
    ):
        message = "One or more parameter values were invalid: Invalid policy document: " + problem
        api.refused("ValidationException", message, "PutResourcePolicy", ResourceArn=arn, Policy=bad)
    for operation in ("PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"):
        api.refused(
            "ResourceNotFoundException",
            f"Requested resource not found: Table: {table}x not found",
            operation,
            ResourceArn=arn + "x",
            Policy=policy(),
        )


def test_policies_of_what_is_no_table_here(api, arn, table):
    bad_parameter = "One or more parameter values were invalid: "
    parts = arn.split(":")

    def with_part(at, value):
        return ":".join(parts[:at] + [value] + parts[at + 1 :])

    cases = [
        (table, bad_parameter + f"ARNs must start with 'arn:': {table}"),
        (
            arn + "/index/byX",
            bad_parameter + "Invalid resource arn provided, only table or stream is accepted. "
            f"Provided resource arn: {arn}/index/byX",
        ),
        (
            arn + "/backup/0170",
            bad_parameter + f"Provided Arn is not a DynamoDB resource arn: {arn}/backup/0170",
        ),
        *(
            (one, bad_parameter + f"Invalid resource Arn: {one}")
            for one in (with_part(3, "eu-central-2"), with_part(1, "aws-cn"))
        ),
        (
            with_part(4, "111111111111"),
            "This action is only supported by accounts that match the resource owner’s account.",
        ),
    ]
    for bad, message in cases:
        for operation in ("PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"):
            members = {"ResourceArn": bad, "Policy": policy()}
            api.refused("ValidationException", message, operation, **members)


def test_a_table_is_created_with_a_policy_and_takes_it_along(api):
    name = unused_name()
    created = api("CreateTable", **definition(name), ResourcePolicy=policy())
    arn = created["TableDescription"]["TableArn"]
    assert api("GetResourcePolicy", ResourceArn=arn)["Policy"] == policy()
    api("DeleteTable", TableName=name)
    api("CreateTable", **definition(name))
    no_policy(api, arn, "GetResourcePolicy", ResourceArn=arn)
    api("DeleteTable", TableName=name)


def test_a_stream_has_a_policy_of_its_own(api, make_table):
    described = api("DescribeTable", TableName=make_table(view_type="NEW_IMAGE"))["Table"]
    arn, stream = described["TableArn"], described["LatestStreamArn"]
    records = policy("dynamodb:GetRecords")
    api("PutResourcePolicy", ResourceArn=stream, Policy=records)
    assert api("GetResourcePolicy", ResourceArn=stream)["Policy"] == records
    no_policy(api, arn, "GetResourcePolicy", ResourceArn=arn)
    api.refused("ResourceNotFoundException", None, "GetResourcePolicy", ResourceArn=stream + "9")


def recovery(answer):
    backups = answer["ContinuousBackupsDescription"]
    assert backups["ContinuousBackupsStatus"] == "ENABLED"
    return backups["PointInTimeRecoveryDescription"]


def update_recovery(**specification):
    return {"PointInTimeRecoverySpecification": specification}


def test_point_in_time_recovery_is_kept_and_shown(api, table):
    off = {"PointInTimeRecoveryStatus": "DISABLED"}
    assert recovery(api("DescribeContinuousBackups", TableName=table)) == off
    change = update_recovery(PointInTimeRecoveryEnabled=True, RecoveryPeriodInDays=7)
    answer = api("UpdateContinuousBackups", TableName=table, **change)
    for shown in (recovery(answer), recovery(api("DescribeContinuousBackups", TableName=table))):
        assert shown["PointInTimeRecoveryStatus"] == "ENABLED"
        assert shown["RecoveryPeriodInDays"] == 7
        assert shown["EarliestRestorableDateTime"] <= shown["LatestRestorableDateTime"]
    change = update_recovery(PointInTimeRecoveryEnabled=False)
    assert recovery(api("UpdateContinuousBackups", TableName=table, **change)) == off


def test_continuous_backups_that_are_refused(api, table):
    change = update_recovery(PointInTimeRecoveryEnabled=True)
    for operation in ("DescribeContinuousBackups", "UpdateContinuousBackups"):
        api.refused(
            "TableNotFoundException", "Table not found: absent", operation, TableName="absent", **change
        )
    path = "pointInTimeRecoverySpecification"
    api.refused(
        "ValidationException",
        f"1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member "
        "must not be null",
        "UpdateContinuousBackups",
        TableName=table,
    )
    api.refused(
        "ValidationException",
        f"1 validation error detected: Value '36' at '{path}.recoveryPeriodInDays' failed to satisfy "
        "constraint: Member must have value less than or equal to 35",
        "UpdateContinuousBackups",
        TableName=table,
        **update_recovery(PointInTimeRecoveryEnabled=True, RecoveryPeriodInDays=36),
    )
    api.refused(
        "ValidationException",
        "Invalid Request: Cannot specify RecoveryPeriodInDays when disabling point-in-time recovery.",
        "UpdateContinuousBackups",
        TableName=table,
        **update_recovery(PointInTimeRecoveryEnabled=False, RecoveryPeriodInDays=7),
    )


def test_what_is_off_for_every_table(api, table):
    assert api("DescribeKinesisStreamingDestination", TableName=table) == {
        "TableName": table,
        "KinesisDataStreamDestinations": [],
    }
    assert api("DescribeContributorInsights", TableName=table) == {
        "TableName": table,
        "ContributorInsightsStatus": "DISABLED",
    }
    for operation in ("DescribeKinesisStreamingDestination", "DescribeContributorInsights"):
        api.refused(
            "ResourceNotFoundException",
            "Requested resource not found: Table: absent not found",
            operation,
            TableName="absent",
        )
    api.refused(
        "ResourceNotFoundException",
        f"Requested resource not found: Index: absent not found for table: {table}",
        "DescribeContributorInsights",
        TableName=table,
        IndexName="absent",
    )


def test_a_table_tells_how_many_items_it_has_and_their_size(api, table):
    for number in range(3):
        item = {"pk": {"S": f"key{number}"}, "n": {"N": "12"}}
        api("PutItem", TableName=table, Item=item)
    shown = api("DescribeTable", TableName=table)["Table"]
    # Names and values as the service counts them: 2 + 4 and 1 + 2 bytes.
    assert (shown["ItemCount"], shown["TableSizeBytes"]) == (3, 27)
    api("DeleteItem", TableName=table, Key={"pk": {"S": "key1"}})
    assert api("DescribeTable", TableName=table)["Table"]["ItemCount"] == 2
