"""Tags of tables."""

import pytest

from conftest import definition, unused_name
from expecting import invalid, refused
from peers import sidecar as peer
from raw import Connection

pytestmark = pytest.mark.service
INVALID = "One or more parameter values were invalid: "


@pytest.fixture
def arn(ddb, table):
    return ddb.describe_table(TableName=table)["Table"]["TableArn"]


def tags(**by_key):
    return [{"Key": key, "Value": value} for key, value in by_key.items()]


def of(ddb, arn):
    return {tag["Key"]: tag["Value"] for tag in ddb.list_tags_of_resource(ResourceArn=arn)["Tags"]}


def test_tags_are_added_overwritten_and_removed(ddb, arn):
    assert of(ddb, arn) == {}
    ddb.tag_resource(ResourceArn=arn, Tags=tags(env="test", team="платформа", empty=""))
    ddb.tag_resource(ResourceArn=arn, Tags=tags(env="prod"))
    assert of(ddb, arn) == {"env": "prod", "team": "платформа", "empty": ""}
    ddb.untag_resource(ResourceArn=arn, TagKeys=["team", "never there"])
    assert of(ddb, arn) == {"env": "prod", "empty": ""}


def test_setting_tags_answers_without_a_body(endpoint, arn):
    with Connection(endpoint) as connection:
        for operation, members in (
            ("TagResource", {"Tags": tags(env="test")}),
            ("UntagResource", {"TagKeys": ["env"]}),
            ("UntagResource", {"TagKeys": ["env"]}),
        ):
            answer = connection.send({"ResourceArn": arn, **members}, operation).check()
            assert (answer.status, answer.body) == (200, b"")


def test_a_table_is_created_with_tags_and_takes_them_along(ddb):
    name = unused_name()
    created = ddb.create_table(**definition(name), Tags=tags(a="1", b="2"))["TableDescription"]
    arn = created["TableArn"]
    assert of(ddb, arn) == {"a": "1", "b": "2"}
    ddb.delete_table(TableName=name)
    ddb.create_table(**definition(name))
    assert of(ddb, arn) == {}
    ddb.delete_table(TableName=name)


def test_a_resource_has_at_most_50_tags(ddb, arn):
    many = {f"k{number}": "v" for number in range(50)}
    ddb.tag_resource(ResourceArn=arn, Tags=tags(**many))
    ddb.tag_resource(ResourceArn=arn, Tags=tags(k0="w"))
    with refused("ValidationException"):
        ddb.tag_resource(ResourceArn=arn, Tags=tags(k50="v"))
    assert of(ddb, arn) == many | {"k0": "w"}
    name = unused_name()
    with refused("ValidationException"):
        ddb.create_table(**definition(name), Tags=tags(**many, k50="v"))
    with refused("ResourceNotFoundException"):
        ddb.describe_table(TableName=name)


@pytest.mark.parametrize(
    ("tag", "value", "member", "problem"),
    [
        ({"Key": "", "Value": "v"}, "''", "key", "have length greater than or equal to 1"),
        ({"Key": "k" * 129, "Value": "v"}, f"'{'k' * 129}'", "key", "have length less than or equal to 128"),
        ({"Key": "k", "Value": "v" * 257}, f"'{'v' * 257}'", "value", "have length less than or equal to 256"),
        ({"Key": "k"}, "null", "value", "not be null"),
        ({"Value": "v"}, "null", "key", "not be null"),
    ],
)
def test_tags_that_the_model_refuses(ddb, arn, tag, value, member, problem):
    with invalid(
        f"1 validation error detected: Value {value} at 'tags.1.member.{member}' failed to satisfy "
        f"constraint: Member must {problem}"
    ):
        ddb.tag_resource(ResourceArn=arn, Tags=[tag])


def test_lengths_count_characters(ddb, arn):
    ddb.tag_resource(ResourceArn=arn, Tags=[{"Key": "ж" * 128, "Value": "я" * 256}])
    assert of(ddb, arn) == {"ж" * 128: "я" * 256}


@pytest.mark.parametrize(
    "bad",
    [
        tags(ok="#!%%^$$&"),
        [{"Key": "->>;-)])", "Value": "ok"}],
        [{"Key": "aws:mine", "Value": "ok"}],
        tags(a="1") + tags(a="2"),
    ],
)
def test_tags_that_are_refused(ddb, arn, bad):
    with refused("ValidationException"):
        ddb.tag_resource(ResourceArn=arn, Tags=bad)
    assert of(ddb, arn) == {}


def test_members_that_are_missing_or_empty(ddb, arn):
    with invalid("Invalid TableArn"):
        ddb.tag_resource(Tags=tags(a="1"))
    with invalid(
        "1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null"
    ):
        ddb.tag_resource(ResourceArn=arn)
    with invalid("Atleast one Tag needs to be provided as Input."):
        ddb.tag_resource(ResourceArn=arn, Tags=[])
    with invalid("Atleast one Tag Key needs to be provided as Input."):
        ddb.untag_resource(ResourceArn=arn, TagKeys=[])


def test_resources_that_are_no_tables(ddb, arn):
    for bad in ("not-a-valid-arn", "", arn.replace("arn:", "", 1)):
        with refused("ValidationException"):
            ddb.tag_resource(ResourceArn=bad, Tags=tags(a="1"))
    for bad in (arn + "/index/byX", arn.replace("table/", "thing/"), "arn:aws:s3:::bucket"):
        with invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {bad}"):
            ddb.untag_resource(ResourceArn=bad, TagKeys=["a"])
    absent = arn + "x"
    with refused(
        "ResourceNotFoundException",
        f"Requested resource not found: ResourcArn: {absent} not found",
    ):
        ddb.tag_resource(ResourceArn=absent, Tags=tags(a="1"))
    with refused("AccessDeniedException"):
        ddb.list_tags_of_resource(ResourceArn=absent)


@pytest.mark.ours
def test_tags_survive_a_restart(tmp_path):
    node = peer.Sidecar(tmp_path / "tagged").start()
    try:
        ddb = peer.client(node.endpoint)
        arn = ddb.create_table(**definition("kept"))["TableDescription"]["TableArn"]
        ddb.tag_resource(ResourceArn=arn, Tags=tags(env="test"))
        node.kill()
        node.start()
        assert of(ddb, arn) == {"env": "test"}
    finally:
        node.stop()

