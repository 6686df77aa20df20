"""What the wire tests share: an endpoint, clients, and tables that go away after the test.

What they send is recorded (recording.py), for test_same_answers.

The endpoint is MILLRACE_ENDPOINT, else the release binary started here. With --oracle it is DynamoDB
Local, which checks the tests themselves: those marked `service` expect what only the service does.
"""

import contextlib
import itertools
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from peers import sidecar as peer  # noqa: E402
from peers.dynamodb_local import DynamoDbLocal  # noqa: E402
from peers.process import wait_until  # noqa: E402
from raw import Connection  # noqa: E402
from recording import Recording  # noqa: E402

numbers = itertools.count()


def pytest_addoption(parser):
    parser.addoption("--oracle", action="store_true", help="run against DynamoDB Local")
    parser.addoption("--long", action="store_true", help="test_same_answers sends all again")


def pytest_configure(config):
    config.addinivalue_line("markers", "service: DynamoDB Local answers differently from the service")
    config.addinivalue_line("markers", "ours: about what only Millrace has")


def pytest_sessionstart(session):
    Connection.recording = session.recording = Recording()


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef, request):
    request.session.recording.shared = fixturedef.scope != "function"
    yield
    request.session.recording.shared = False


def pytest_collection_modifyitems(config, items):
    items.sort(key=lambda item: item.path.name == "test_same_answers.py")
    if not config.getoption("--oracle"):
        return
    for item in items:
        if item.get_closest_marker("service") or item.get_closest_marker("ours"):
            item.add_marker(pytest.mark.skip(reason="DynamoDB Local is no oracle for this"))


@pytest.fixture(scope="session")
def sidecar(tmp_path_factory, request):
    """One running sidecar for all tests that only send it requests."""
    if os.environ.get("MILLRACE_ENDPOINT") or request.config.getoption("--oracle"):
        pytest.skip("needs a sidecar of its own")
    running = peer.Sidecar(tmp_path_factory.mktemp("sidecar"), {"cache": {"bytes": "64MB"}}).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def endpoint(request, tmp_path_factory):
    if request.config.getoption("--oracle"):
        oracle = DynamoDbLocal(tmp_path_factory.mktemp("oracle")).start()
        request.addfinalizer(oracle.stop)
        return oracle.endpoint
    return os.environ.get("MILLRACE_ENDPOINT") or request.getfixturevalue("sidecar").endpoint


@pytest.fixture(scope="session")
def ddb(endpoint, request):
    client = peer.client(endpoint)
    if not request.config.getoption("--oracle"):
        compare_with_store(client, endpoint)
    return client


def compare_with_store(client, endpoint):
    """From now on each read that the client makes is made twice more, and the answer that may come from
    the cache must be the one that comes from the store."""
    connection = Connection(endpoint)
    connection.recording = None

    def remember(params, context, **_):
        context["millrace_body"] = params["body"]

    def compare(model, context, **_):
        body = context["millrace_body"]
        for _ in range(3):  # somebody may write in between
            cached, stored = (
                essence(connection.send(body, model.name, **headers))
                for headers in ({}, {"Cache_Control": "no-cache"})
            )
            if cached == stored:
                return
        assert cached == stored, body

    for operation in ("GetItem", "BatchGetItem", "Query", "Scan"):
        client.meta.events.register(f"before-call.dynamodb.{operation}", remember)
        client.meta.events.register(f"after-call.dynamodb.{operation}", compare)


def essence(answer):
    """What of an answer must not depend on where it came from."""
    ours = ("x-amzn-requestid", "date")
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in ours and not name.startswith("x-millrace-")
    }
    return answer.status, headers, answer.body


@pytest.fixture(scope="session")
def streams(endpoint):
    return peer.client(endpoint, "dynamodbstreams")


def unused_name():
    return f"t{os.getpid()}.{next(numbers)}"


def definition(name, hash_key="pk:S", range_key=None, view_type=None):
    """A CreateTable request; keys are given as name:type."""
    keys = [key.split(":") for key in (hash_key, range_key) if key]
    request = {
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in keys
        ],
        "KeySchema": [
            {"AttributeName": attribute, "KeyType": role}
            for (attribute, _), role in zip(keys, ("HASH", "RANGE"))
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if view_type:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view_type}
    return request


def index(name, hash_keys, range_keys=(), projection="ALL", attributes=()):
    """An index of a CreateTable request."""
    described = {
        "IndexName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"} for key in hash_keys]
        + [{"AttributeName": key, "KeyType": "RANGE"} for key in range_keys],
        "Projection": {"ProjectionType": projection},
    }
    if attributes:
        described["Projection"]["NonKeyAttributes"] = list(attributes)
    return described


@pytest.fixture
def make_table(ddb):
    """Creates a table by `definition` and returns its name."""
    made = []

    def make(*arguments, **options):
        name = unused_name()
        ddb.create_table(**definition(name, *arguments, **options))
        made.append(name)
        wait_until(lambda: status(ddb, name) == "ACTIVE", 20, f"{name} is active")
        return name

    yield make
    for name in made:
        with contextlib.suppress(ddb.exceptions.ResourceNotFoundException):
            ddb.delete_table(TableName=name)


def status(ddb, name):
    return ddb.describe_table(TableName=name)["Table"]["TableStatus"]


@pytest.fixture
def table(make_table):
    """A table with a string partition key `pk`."""
    return make_table()


@pytest.fixture
def ranged(make_table):
    """A table with a string partition key `pk` and a number sort key `sk`."""
    return make_table(range_key="sk:N")
