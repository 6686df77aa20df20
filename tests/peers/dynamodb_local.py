"""DynamoDB Local in memory: the oracle for what it does faithfully."""

import pathlib

from . import maven
from .process import Process, accepts, free_port, wait_until


class DynamoDbLocal:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._process = Process("dynamodb-local", self.folder / "dynamodb-local.log")

    def start(self):
        lib = maven.jars("dynamodb-local")
        self._process.start(
            ["java", *maven.SMALL_JVM, f"-Dsqlite4java.library.path={lib}", "-cp", f"{lib}/*",
             "software.amazon.dynamodb.services.local.main.ServerRunner",
             "-inMemory", "-sharedDb", "-disableTelemetry", "-port", self.port],
            cwd=self.folder,
        )
        wait_until(lambda: accepts(self.port), 60, "DynamoDB Local accepts", self._process)
        return self

    def stop(self):
        self._process.kill()
