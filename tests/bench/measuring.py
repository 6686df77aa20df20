"""Runs `load` against a server."""

import json
import subprocess

from servers import CLIENT_CORE, ROOT

LOAD = ROOT / "build/release/bench/load"


class WrongAnswers(Exception):
    """The server answered wrongly, or not at all; the text is what `load` says."""


def load(server, *flags):
    """What one run of `load` found, as its JSON says."""
    command = ["taskset", "-c", str(CLIENT_CORE), LOAD, "--port", server.port, "--pid", server.pid,
               *server.flags, *flags]
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if run.returncode != 0:
        raise WrongAnswers(f"{server.name}: {run.stderr.strip() or run.stdout.strip()}")
    return json.loads(run.stdout)


def fill(server, keys):
    load(server, "--fill", "--keys", keys, "--connections", 16)
