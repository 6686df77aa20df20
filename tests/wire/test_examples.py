"""The films example, as its README says."""

import os
import pathlib
import subprocess

import pytest

FILMS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "films"
COUNT = 2512


def run(program, endpoint, *words):
    told = subprocess.run(
        [str(FILMS / program), "--endpoint-url", endpoint, *words],
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return told


@pytest.fixture
def films(ddb, endpoint):
    run("create-table.sh", endpoint)
    yield "films"
    ddb.delete_table(TableName="films")


def test_load_then_follow_the_stream(ddb, endpoint, films):
    told = run("load.py", endpoint)
    assert f"{COUNT}/{COUNT}" in told.stderr
    key = {"title": {"S": "Inception"}, "year": {"N": "2010"}}
    ddb.update_item(
        TableName=films,
        Key=key,
        UpdateExpression="SET stars = :s",
        ExpressionAttributeValues={":s": {"N": "5"}},
    )
    ddb.delete_item(TableName=films, Key=key)
    told = run("stream.py", endpoint)
    assert f"{COUNT + 2} changes" in told.stdout
    assert "1 MODIFY, 1 REMOVE" in told.stdout
    assert "each exactly once, in order per item" in told.stdout


ANSWERS = """\
films of 2010: 356
those whose title begins with 'The S':
  The Shinjuku Incident (Action, Thriller)
  The Social Network (Drama, Biography)
  The Sorcerer's Apprentice (Action, Adventure, Fantasy)
  The Special Relationship (Drama, Biography)
  The Spy Next Door (Action, Comedy, Spy)
  The Switch (Comedy, Romance)
Westerns from 2010 to 2017:
  2010 True Grit
  2012 Django Unchained
  2015 Bone Tomahawk
  2016 Jane Got a Gun
years of the three newest Westerns: 2019 2019 2018
Comedies: 608
films with a genre: 2430 of 2512
"""


def test_queries_by_year_and_by_genre(ddb, endpoint, films):
    run("load.py", endpoint)
    assert run("queries.py", endpoint).stdout == ANSWERS


def test_a_broken_chain_is_found(ddb, endpoint, films):
    """A stream that is younger than the table cannot explain its items."""
    key = {"title": {"S": "x"}, "year": {"N": "1"}}
    ddb.put_item(TableName=films, Item=key)
    ddb.update_table(TableName=films, StreamSpecification={"StreamEnabled": False})
    ddb.update_table(
        TableName=films,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    with pytest.raises(AssertionError, match="not so"):
        run("stream.py", endpoint)
