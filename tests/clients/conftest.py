"""A sidecar for the clients of other languages, and where to find the packages beside these."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from peers import sidecar as peer  # noqa: E402


@pytest.fixture(scope="session")
def sidecar(tmp_path_factory):
    running = peer.Sidecar(tmp_path_factory.mktemp("sidecar")).start()
    yield running
    running.stop()
