"""A child process with its log in a file, and bounded waiting for what it does."""

import os
import pathlib
import random
import signal
import socket
import subprocess
import time

POLL_SECONDS = 0.01


class NotReady(AssertionError):
    """What was waited for did not happen in time, or the process ended before it."""


def free_port():
    """A loopback TCP port that nobody listens on.

    It lies below the range from which the kernel picks source ports: a client that retries while its
    server is down could otherwise connect to itself and keep the server from coming back.
    """
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def accepts(port):
    """Whether something on this loopback port accepts a connection."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def wait_until(check, seconds, what, process=None):
    """Polls `check` until it returns something true, which is returned.

    Raises NotReady after `seconds`, or at once when `process` has ended.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if process is not None and process.ended():
            raise NotReady(f"{what}: {process.describe()}")
        if time.monotonic() > deadline:
            log = f"\n{process.describe()}" if process else ""
            raise NotReady(f"{what}: not within {seconds} s{log}")
        time.sleep(POLL_SECONDS)


class Process:
    """One run of a program at a time, its output appended to `log`."""

    def __init__(self, name, log):
        self.name = name
        self.log = pathlib.Path(log)
        self._child = None

    @property
    def pid(self):
        return self._child.pid

    def start(self, command, env=None, cwd=None):
        assert self._child is None or self.ended(), f"{self.name} runs already"
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
            )

    def ended(self):
        return self._child is None or self._child.poll() is not None

    def wait(self, seconds):
        """The exit status; NotReady when it is still running after `seconds`."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotReady(f"{self.name} still runs after {seconds} s\n{self.tail()}") from None

    def signal(self, number):
        if not self.ended():
            self._child.send_signal(number)

    def kill(self):
        """kill -9, and waits for the end."""
        self.signal(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def stop(self, seconds=20):
        """SIGTERM; the exit status. Kills when it does not end in time, and raises NotReady."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except NotReady:
            self.kill()
            raise

    def tail(self, lines=30):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def describe(self):
        state = "runs" if not self.ended() else "is not running"
        if self._child is not None and self._child.returncode is not None:
            state = f"ended with status {self._child.returncode}"
        return f"{self.name} {state}; its log ends:\n{self.tail()}"
