"""The aws command, as the README uses it."""

import json
import os
import subprocess

import pytest

from conftest import unused_name


@pytest.fixture
def aws(endpoint):
    def run(*words):
        told = subprocess.run(
            ["aws", "dynamodb", *words, "--endpoint-url", endpoint, "--output", "json"],
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_PAGER": "",
                "AWS_MAX_ATTEMPTS": "1",
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        if told.returncode:
            return told.stderr
        return json.loads(told.stdout) if told.stdout.strip() else {}

    return run


def test_create_put_get_update_query_delete(aws):
    name = unused_name()
    made = aws(
        "create-table",
        *("--table-name", name),
        *("--attribute-definitions", "AttributeName=title,AttributeType=S"),
        *("AttributeName=year,AttributeType=N",),
        *("--key-schema", "AttributeName=title,KeyType=HASH", "AttributeName=year,KeyType=RANGE"),
        *("--billing-mode", "PAY_PER_REQUEST"),
        *("--stream-specification", "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"),
    )
    assert made["TableDescription"]["TableName"] == name
    key = {"title": {"S": "Inception"}, "year": {"N": "2010"}}
    put = aws("put-item", "--table-name", name, "--item", json.dumps({**key, "stars": {"N": "4"}}))
    assert put == {}
    aws(
        "update-item",
        *("--table-name", name, "--key", json.dumps(key)),
        *("--update-expression", "SET stars = :s"),
        *("--expression-attribute-values", '{":s": {"N": "5"}}'),
    )
    found = aws("get-item", "--table-name", name, "--key", json.dumps(key))
    assert found["Item"] == {**key, "stars": {"N": "5"}}
    found = aws(
        "query",
        *("--table-name", name, "--key-condition-expression", "title = :t"),
        *("--expression-attribute-values", '{":t": {"S": "Inception"}}'),
    )
    assert found["Count"] == 1
    refused = aws("get-item", "--table-name", name, "--key", '{"title": {"S": "Inception"}}')
    assert "ValidationException" in refused
    assert aws("delete-table", "--table-name", name)["TableDescription"]["TableName"] == name
