"""Options of the kill tests, and the programs they need."""

import os
import pathlib
import random
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "kill"))

from peers.kafka import Kafka  # noqa: E402

ROUNDS_OF_A_FOLDER = 100


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=5, help="rounds of kill -9")
    parser.addoption("--seed", type=int, help="the seed of a run to have again")
    parser.addoption("--disk-bytes", help="the sidecar's disk budget, such as 64MB")


def pytest_generate_tests(metafunc):
    """Many rounds are several tests, each with a folder of its own: a stream keeps its 24 hours and the
    shards of all rounds, and would fill a small disk for good.
    """
    if "rounds" in metafunc.fixturenames:
        total = metafunc.config.getoption("--rounds")
        begun = range(0, total, ROUNDS_OF_A_FOLDER)
        metafunc.parametrize("rounds", [min(ROUNDS_OF_A_FOLDER, total - first) for first in begun],
                             ids=[f"from-{first}" for first in begun])


@pytest.fixture
def disk_bytes(request):
    return request.config.getoption("--disk-bytes")


@pytest.fixture
def seed(request, capsys):
    """The run's seed, printed; it fixes what is sent and when the kill comes, not the threads."""
    chosen = request.config.getoption("--seed")
    if chosen is None:
        chosen = random.SystemRandom().randrange(2**32)
    with capsys.disabled():
        print(f"\n{request.node.name}: --seed {chosen}", flush=True)
    return chosen


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """One broker for all rounds."""
    broker = Kafka(tmp_path_factory.mktemp("kafka")).start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def liblossy():
    """The preloaded library: LIBLOSSY, else where the release build puts it."""
    default = ROOT / "build/release/tests/kill/lossy/liblossy.so"
    library = pathlib.Path(os.environ.get("LIBLOSSY") or default)
    assert library.exists(), f"{library} is missing: ninja -C build/release lossy"
    return library
