"""Tags of tables and streams."""

import pytest

from conftest import definition, unused_name
from expecting import invalid, refused
from peers import sidecar as peer
from raw import Connection

pytestmark = pytest.mark.service


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
    with invalid(TOO_MANY):
        ddb.tag_resource(ResourceArn=arn, Tags=tags(k50="v"))
    assert of(ddb, arn) == many | {"k0": "w"}
    name = unused_name()
    with refused("ValidationException"):
        ddb.create_table(**definition(name), Tags=tags(**many, k50="v"))
    with refused("ResourceNotFoundException"):
        ddb.describe_table(TableName=name)


TOO_MANY = "Number of Tags exceed the current limit for the provided ResourceArn"


def wrong(part, text):
    return f"The Tag {part} provided is invalid, {part}: {text}"


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ({"Key": "", "Value": "v"}, wrong("Key", "")),
        ({"Key": "k" * 129, "Value": "v"}, wrong("Key", "k" * 129)),
        ({"Key": "k", "Value": "v" * 257}, wrong("Value", "v" * 257)),
        ({"Key": "k"}, wrong("Value", "null")),
        ({"Value": "v"}, wrong("Key", "null")),
        ({"Key": "k", "Value": "#!%%^$$&"}, wrong("Value", "#!%%^$$&")),
        ({"Key": "->>;-)])", "Value": "v"}, wrong("Key", "->>;-)])")),
        ({"Key": "🔑", "Value": "v"}, wrong("Key", "🔑")),
        ({"Key": "aws:mine", "Value": "v"}, "Tag Key cannot be prefixed with aws:, Key: aws:mine"),
        ({"Key": "AWS:x", "Value": "v"}, "Tag Key cannot be prefixed with aws:, Key: AWS:x"),
    ],
)
def test_a_tag_that_is_refused(ddb, arn, tag, message):
    good = tags(good="1")[0]
    for several in ([tag], [good, tag]):
        with invalid(message):
            ddb.tag_resource(ResourceArn=arn, Tags=several)
    with invalid(message):
        ddb.create_table(**definition(unused_name()), Tags=[tag])
    assert of(ddb, arn) == {}


def test_tags_that_are_refused_together(ddb, arn):
    with invalid("Duplicate Tag Keys provided as input: Duplicate Tag Key found a"):
        ddb.tag_resource(ResourceArn=arn, Tags=tags(a="1") + tags(a="2"))
    large = {f"{number:02}" + "k" * 100: "v" * 156 for number in range(40)}
    with invalid("Tag set size 10320 bytes is above max size limit of 10240 bytes"):
        ddb.tag_resource(ResourceArn=arn, Tags=tags(**large))
    assert of(ddb, arn) == {}


def test_keys_that_cannot_be_removed(ddb, arn):
    for keys, message in (
        ([""], wrong("Key", "")),
        (["k" * 129], wrong("Key", "k" * 129)),
        (["aws:x"], "Tag Key cannot be prefixed with aws:, Key: aws:x"),
        ([str(number) for number in range(51)], TOO_MANY),
    ):
        with invalid(message):
            ddb.untag_resource(ResourceArn=arn, TagKeys=keys)


def test_lengths_count_characters(ddb, arn):
    ddb.tag_resource(ResourceArn=arn, Tags=[{"Key": "ж" * 128, "Value": "я" * 256}])
    assert of(ddb, arn) == {"ж" * 128: "я" * 256}


def test_a_stream_has_tags_of_its_own(ddb, arn, table):
    ddb.update_table(
        TableName=table,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    ddb.get_waiter("table_exists").wait(TableName=table)
    stream = ddb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    assert of(ddb, stream) == {}
    ddb.tag_resource(ResourceArn=arn, Tags=tags(of="table"))
    ddb.tag_resource(ResourceArn=stream, Tags=tags(of="stream", more="1"))
    assert of(ddb, arn) == {"of": "table"}
    assert of(ddb, stream) == {"of": "stream", "more": "1"}
    ddb.untag_resource(ResourceArn=stream, TagKeys=["more", "never there"])
    assert of(ddb, stream) == {"of": "stream"}
    ddb.untag_resource(ResourceArn=stream, TagKeys=["of"])
    assert of(ddb, stream) == {}
    absent = arn + "/stream/2020-01-01T00:00:00.000"
    with refused(
        "ResourceNotFoundException", f"Requested resource not found: ResourceArn: {absent} not found"
    ):
        ddb.untag_resource(ResourceArn=absent, TagKeys=["of"])


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
    bad_parameter = "One or more parameter values were invalid: "
    parts = arn.split(":")
    other = {
        name: ":".join(parts[:at] + [value] + parts[at + 1 :])
        for at, name, value in ((3, "region", "eu-central-2"), (4, "account", "111111111111"))
    }
    cases = [
        ("not-a-valid-arn", bad_parameter + "ARNs must start with 'arn:': not-a-valid-arn"),
        (
            arn + "/index/byX",
            bad_parameter + "Invalid resource arn provided, only table or stream is accepted. "
            f"Provided resource arn: {arn}/index/byX",
        ),
        *(
            (one, bad_parameter + f"Provided Arn is not a DynamoDB resource arn: {one}")
            for one in (arn + "/backup/0170", arn.replace("table/", "thing/"))
        ),
        *(
            (one, f"Invalid TableArn: Invalid ResourceArn provided as input {one}")
            for one in (other["region"], "arn:aws:dynamodb", arn.partition("table/")[0] + "table/ab")
        ),
    ]
    for bad, message in cases:
        with invalid(message):
            ddb.untag_resource(ResourceArn=bad, TagKeys=["a"])
        with invalid(message):
            ddb.tag_resource(ResourceArn=bad, Tags=tags(a="1"))
        with invalid(message):
            ddb.list_tags_of_resource(ResourceArn=bad)
    for bad in (other["account"], "arn:aws:s3:::bucket"):
        with refused("AccessDeniedException", "Access is denied"):
            ddb.tag_resource(ResourceArn=bad, Tags=tags(a="1"))
    absent = arn + "x"
    with refused(
        "ResourceNotFoundException",
        f"Requested resource not found: ResourceArn: {absent} not found",
    ):
        ddb.tag_resource(ResourceArn=absent, Tags=tags(a="1"))
    with refused("AccessDeniedException"):
        ddb.list_tags_of_resource(ResourceArn=absent)


def test_any_token_begins_at_the_first_page(ddb, arn):
    ddb.tag_resource(ResourceArn=arn, Tags=tags(a="1"))
    listed = ddb.list_tags_of_resource(ResourceArn=arn, NextToken="no token")
    assert listed["Tags"] == tags(a="1")
    assert "NextToken" not in listed


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

