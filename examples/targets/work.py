#!/usr/bin/python3
"""A worker of the zeromq connector: takes changes, tells each, and acknowledges it. Start several."""

import argparse
import json

import zmq

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", default="tcp://127.0.0.1:5557")
    parser.add_argument("--acknowledgements", default="tcp://127.0.0.1:5558")
    options = parser.parse_args()
    context = zmq.Context()
    changes = context.socket(zmq.PULL)
    changes.connect(options.changes)
    acknowledgements = context.socket(zmq.PUSH)
    acknowledgements.connect(options.acknowledgements)
    while True:
        table, text = changes.recv_multipart()
        change = json.loads(text)
        print(change["lsn"], change["event"], json.dumps(change["keys"]), flush=True)
        acknowledgements.send(str(change["lsn"]).encode())
