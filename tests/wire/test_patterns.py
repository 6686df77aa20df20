"""The patterns of examples/patterns: each prints what patterns/NAME.txt holds."""

import os
import pathlib
import subprocess
import sys

import pytest

PATTERNS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "patterns"
EXPECTED = pathlib.Path(__file__).resolve().parent / "patterns"
NAMES = sorted(file.stem for file in EXPECTED.glob("*.txt"))


def test_each_pattern_is_tested():
    programs = {file.stem for file in PATTERNS.glob("*.py")} - {"fresh"}
    assert programs == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_pattern(ddb, endpoint, name):
    for _ in range(2):  # The second time it finds its table and makes it anew.
        told = subprocess.run(
            [sys.executable, str(PATTERNS / f"{name}.py"), "--endpoint-url", endpoint],
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert told.returncode == 0, told.stdout + told.stderr
        assert told.stdout == (EXPECTED / f"{name}.txt").read_text(encoding="utf-8")
    ddb.delete_table(TableName=f"example-{name}")
