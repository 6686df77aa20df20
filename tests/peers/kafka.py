"""A Kafka broker of one node (KRaft), with its data in a folder of the test's."""

import json
import pathlib
import subprocess

from . import maven
from .process import Process, free_port, wait_until

CLUSTER_ID = "MillraceTestsKRaft0000"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
num.partitions={partitions}
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
"""


class Kafka:
    """`partitions` is how many a topic gets that is created by its first message."""

    def __init__(self, folder, partitions=4, port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self._process = Process("kafka", self.folder / "kafka.log")
        self._properties = self.folder / "server.properties"
        self._properties.write_text(
            PROPERTIES.format(
                port=self.port,
                controller_port=free_port(),
                folder=self.folder,
                partitions=partitions,
            )
        )
        self._java = ["java", *maven.SMALL_JVM, "-cp", f"{maven.jars('kafka')}/*"]
        formatted = subprocess.run(
            [*self._java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID,
             "-c", str(self._properties)],
            capture_output=True,
            text=True,
        )
        assert formatted.returncode == 0, formatted.stdout + formatted.stderr

    def start(self):
        self._process.start([*self._java, "kafka.Kafka", self._properties])
        wait_until(self._answers, 60, "Kafka answers", self._process)
        return self

    def stop(self):
        self._process.stop(30)

    def kill(self):
        self._process.kill()

    def messages(self, topic):
        """All messages of a topic now, each {"partition", "offset", "key", "payload"}, read by kcat.

        Messages of one partition come in the order of their offsets. A topic that does not exist yet
        has none.
        """
        read = subprocess.run(
            ["kcat", "-C", "-b", self.brokers, "-t", topic, "-o", "beginning", "-e", "-q", "-J"],
            capture_output=True,
            text=True,
        )
        if read.returncode != 0 and "Unknown topic or partition" not in read.stderr:
            raise AssertionError(f"kcat: {read.stderr}")
        return [json.loads(line) for line in read.stdout.splitlines()]

    def _answers(self):
        listed = subprocess.run(
            ["kcat", "-b", self.brokers, "-L", "-m", "1"], capture_output=True, text=True
        )
        return " 1 brokers" in listed.stdout
