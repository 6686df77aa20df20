"""Concurrent writers that tell a ledger what was acknowledged."""

import random
import threading

from client import Client, Lost, Refused
from ledger import HOT

TABLE = "ledger"
GROUP = 3  # Items of one transaction.
KEYS = 8  # Of each kind, for each writer.


def item(key, value, padding):
    return {"pk": {"S": key}, "n": {"N": str(value)}, "pad": {"S": "x" * padding}}


class Writer(threading.Thread):
    """Writes until its connection ends. It alone writes its keys; several share `hot`."""

    def __init__(self, number, port, ledger, lock, seed):
        super().__init__(daemon=True)
        self.singles = [f"single-{number}-{n}" for n in range(KEYS)]
        self.groups = [
            [f"group-{number}-{n}-{member}" for member in range(GROUP)] for n in range(KEYS // 2)
        ]
        self.error = None
        self._port = port
        self._ledger = ledger
        self._lock = lock
        self._random = random.Random(seed)

    def run(self):
        try:
            client = Client(self._port)
            while True:
                self._random.choices(
                    (self._put, self._update, self._transact, self._increment), (4, 3, 3, 1)
                )[0](client)
        except Lost:
            pass
        except Exception as error:  # Told by the main thread.
            self.error = error

    def _write(self, client, keys, operation, request):
        """One request that gives each of the keys its next value."""
        with self._lock:
            value = self._ledger.acknowledged[keys[0]] + 1
            for key in keys:
                self._ledger.unknown[key] = value
        try:
            client.call(operation, request(value))
        except Refused as refused:
            if not refused.no_room:
                raise
            value = None
        with self._lock:
            for key in keys:
                del self._ledger.unknown[key]
                if value is not None:
                    self._ledger.acknowledged[key] = value

    def _padding(self):
        return self._random.choice((10, 100, 1000, 6000))

    def _put(self, client):
        key = self._random.choice(self.singles)
        self._write(
            client,
            [key],
            "PutItem",
            lambda value: {"TableName": TABLE, "Item": item(key, value, self._padding())},
        )

    def _update(self, client):
        key = self._random.choice(self.singles)
        self._write(
            client,
            [key],
            "UpdateItem",
            lambda value: {
                "TableName": TABLE,
                "Key": {"pk": {"S": key}},
                "UpdateExpression": "SET n = :n",
                "ExpressionAttributeValues": {":n": {"N": str(value)}},
            },
        )

    def _transact(self, client):
        keys = self._random.choice(self.groups)
        self._write(
            client,
            keys,
            "TransactWriteItems",
            lambda value: {
                "TransactItems": [
                    {"Put": {"TableName": TABLE, "Item": item(key, value, self._padding())}}
                    for key in keys
                ]
            },
        )

    def _increment(self, client):
        with self._lock:
            self._ledger.hot_unknown += 1
        try:
            answer = client.call(
                "UpdateItem",
                {
                    "TableName": TABLE,
                    "Key": {"pk": {"S": HOT}},
                    "UpdateExpression": "ADD n :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                    "ReturnValues": "UPDATED_NEW",
                },
            )
        except Refused as refused:
            if not refused.no_room:
                raise
            with self._lock:
                self._ledger.hot_unknown -= 1
            return
        value = int(answer["Attributes"]["n"]["N"])
        with self._lock:
            self._ledger.hot_unknown -= 1
            assert value not in self._ledger.hot_acknowledged, f"{value} was returned twice"
            self._ledger.hot_acknowledged.add(value)
