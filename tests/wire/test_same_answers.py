"""What boto3, the aws command and the SDK for JavaScript tell does not depend on the cache.

Behind all other tests, what these sent is sent again: through each client to a cached and to an
uncached sidecar. A sample of it, unless --long says all.
"""

import pathlib
import random

import pytest

from conftest import definition
from expecting import item
from recording import Request
from replay import READS, Replay

pytestmark = pytest.mark.ours

CLIENTS = ["boto3", "aws", "javascript"]
SAMPLE = 1000  # requests, about
ALIKE = 20  # of one operation in one test: the others of a loop add little to a sample
# What the whole suite sends at least.
WHOLE = 20_000


def sample(requests, seed):
    """The requests of tests chosen at random, with what their files share."""
    counts = {}
    of_tests = {}
    for request in requests:
        kind = (request.file, request.test, request.operation)
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= ALIKE:
            of_tests.setdefault((request.file, request.test), []).append(request)
    tests = [key for key in of_tests if key[1]]
    random.Random(seed).shuffle(tests)
    chosen = set()
    for file, test in tests:
        if len(chosen) >= SAMPLE:
            break
        chosen.update(of_tests[file, test], of_tests.get((file, ""), ()))
    return [request for request in requests if request in chosen]


@pytest.fixture(scope="module")
def sent(request):
    """What the other tests have sent, and how much of it that is."""
    if not request.session.recording.requests:
        pytest.skip("no other test has sent anything")
    requests = list(request.session.recording.requests)
    ran = {each.path.name for each in request.session.items}
    all_ran = {each.name for each in pathlib.Path(__file__).parent.glob("test_*.py")} - ran <= {
        "test_kafka.py"
    }
    if request.config.getoption("--long"):
        assert len(requests) >= WHOLE or not all_ran
        return requests, "all"
    seed = random.randrange(1 << 32)
    requests = sample(requests, seed)
    assert len(requests) >= SAMPLE or not all_ran
    return requests, f"a sample by seed {seed}"


@pytest.fixture
def replay(tmp_path, request):
    made = Replay(request.param, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("replay", CLIENTS, indirect=True)
def test_answers_are_the_same_with_the_cache_and_without(replay, sent, capsys):
    requests, described = sent
    replay.run(requests)
    hits = replay.hits()
    with capsys.disabled():
        print(
            f"\n{replay.client}: {described}, {len(requests)} requests; {replay.compared} answers "
            f"compared, hits of items, queries and scans {hits}; {replay.refused} requests refused "
            "by the client"
        )
    assert not replay.differences, replay.differences[:10]
    # Each read is sent twice, and the second time most are hits.
    reads = sum(request.operation in READS for request in requests)
    assert replay.compared >= 0.9 * (len(requests) + reads)
    assert sum(hits) >= reads / 4


@pytest.mark.parametrize("replay", CLIENTS, indirect=True)
def test_different_answers_are_found(replay):
    def send(operation, **body):
        request = Request("", "", "", "dynamodb", operation, None)
        replay.compare(request, body)
        return len(replay.differences)

    key = item(pk="a")
    assert send("CreateTable", **definition("films")) == 0
    assert send("PutItem", TableName="films", Item=item(pk="a", n=1)) == 0
    assert send("GetItem", TableName="films", Key=key) == 0
    uncached = replay.sides[1]
    uncached.send({"TableName": "films", "Item": item(pk="a", n=2)}, "PutItem")
    assert send("GetItem", TableName="films", Key=key) == 1
    assert send("Scan", TableName="films") == 2
    uncached.send({"TableName": "films"}, "DeleteTable")
    assert send("GetItem", TableName="films", Key=key) == 3
