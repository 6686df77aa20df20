"""Fetches the jars that a pom.xml beside this file names, once per machine."""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent

# Keeps a Java peer small and quick to start on a machine that runs the tests beside it.
SMALL_JVM = [
    "-Xms64m",
    "-Xmx256m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
]


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "millrace-tests"


def jars(name, pom=None):
    """The folder with the jars of `pom`, else maven/`name`/pom.xml; fetched when it is not there yet."""
    pom = pom or HERE / "maven" / name / "pom.xml"
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"{name}-{digest}"
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(
            [
                "mvn", "-B", "-q", "-Dstyle.color=never", "-f", pom,
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={unfinished}",
            ],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        unfinished.rename(folder)
    return folder
