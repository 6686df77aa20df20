#!/usr/bin/python3
"""Runs a Kafka broker of one node on 127.0.0.1:9092 until Ctrl-C, its data in a temporary folder."""

import pathlib
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from peers.kafka import Kafka  # noqa: E402


def main():
    with tempfile.TemporaryDirectory() as folder:
        broker = Kafka(folder, port=9092).start()
        print(f"Kafka serves on {broker.brokers}; Ctrl-C ends it", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
        broker.stop()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
