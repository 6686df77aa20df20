"""The sidecar itself: a real process with its data in a folder of the test's."""

import json
import os
import pathlib
import urllib.parse
import urllib.request

import boto3
import botocore.config

from .process import Process, free_port, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
CREDENTIALS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}


def binary():
    """The program under test: MILLRACE_BINARY, else the release build."""
    return pathlib.Path(os.environ.get("MILLRACE_BINARY") or ROOT / "build/release/millrace")


def client(endpoint, service="dynamodb", **config):
    """A boto3 client that checks nothing by itself and never retries, so tests see what was sent."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        config=botocore.config.Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            **{"connect_timeout": 5, "read_timeout": 30, **config},
        ),
        **CREDENTIALS,
    )


class Sidecar:
    """`settings` are the configuration's keys; ports and data folder are filled in.

    The ports and the folder stay the same over stop, kill and start.
    """

    def __init__(self, folder, settings=None, flags=(), env=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.admin_port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.admin = f"127.0.0.1:{self.admin_port}"
        self.data = self.folder / "data"
        self.config = self.folder / "millrace.yaml"
        self.flags = list(flags)
        self.env = dict(env or {})
        self.process = Process("millrace", self.folder / "millrace.log")
        self.configure(settings or {})

    def configure(self, settings):
        """Writes the configuration, for the next start. JSON is YAML."""
        everything = {
            "listen": f"127.0.0.1:{self.port}",
            "admin": self.admin,
            "data": str(self.data),
            **settings,
        }
        self.config.write_text(json.dumps(everything, indent=2) + "\n")

    def start(self, seconds=30):
        self.launch()
        wait_until(self.ready, seconds, "the sidecar is ready", self.process)
        return self

    def launch(self):
        """Starts without waiting."""
        self.process.start([binary(), "--config", self.config, *self.flags], env=self.env)

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.admin}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        """SIGTERM; the exit status."""
        return self.process.stop()

    def kill(self):
        self.process.kill()

    def control(self, path, **parameters):
        """POST /v1/PATH of the administrative port; what it answers."""
        url = f"http://{self.admin}/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as got:
            return json.load(got)

    def client(self, service="dynamodb", **config):
        return client(self.endpoint, service, **config)
