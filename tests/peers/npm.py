"""Installs what a package-lock.json names, once per machine."""

import fcntl
import hashlib
import shutil
import subprocess

from .maven import cache_folder


def modules(folder):
    """The node_modules of folder/package-lock.json; installed when it is not there yet."""
    files = [folder / "package.json", folder / "package-lock.json"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    installed = cache_folder() / f"{folder.name}-{digest}"
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists():
            unfinished = installed.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for file in files:
                shutil.copy(file, unfinished)
            subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                cwd=unfinished,
                check=True,
                stdin=subprocess.DEVNULL,
            )
            unfinished.rename(installed)
    return installed / "node_modules"
