"""What the load did, as the clients know it, and the checks that the sidecar must pass after a kill.

Every key has one writer, which gives it the values 1, 2, 3, …, so the whole history of a key is known but
for the one write that was under way at the kill. The counter `hot` has many writers, which add 1 each.
"""

import collections
import json

HOT = "hot"


class Violation(AssertionError):
    """The sidecar broke a promise."""


def require(holds, *words):
    if not holds:
        raise Violation(" ".join(str(word) for word in words))


class Ledger:
    def __init__(self):
        self.acknowledged = collections.Counter()  # the highest value of each key
        self.unknown = {}  # of each key: the value whose write was under way at the kill
        self.groups = []  # keys that are only written together
        self.hot_acknowledged = set()  # every value that an increment returned
        self.hot_unknown = 0  # increments whose outcome is unknown

    def settle(self, values):
        """After a kill: `values` are what the table holds. Checks them, and takes them as known."""
        for key in set(self.acknowledged) | set(self.unknown):
            allowed = {self.acknowledged[key], self.unknown.get(key, self.acknowledged[key])}
            found = values.get(key, 0)
            require(
                found in allowed,
                f"{key} is {found}; acknowledged was {self.acknowledged[key]},",
                f"under way {self.unknown.get(key)}",
            )
            self.acknowledged[key] = found
        self.unknown.clear()
        for group in self.groups:
            found = {values.get(key, 0) for key in group}
            require(len(found) == 1, f"the transaction of {group} is half there: {found}")
        hot = values.get(HOT, 0)
        least = max(self.hot_acknowledged, default=0)
        require(hot >= least, f"{HOT} is {hot}, but {least} was acknowledged")
        most = len(self.hot_acknowledged) + self.hot_unknown
        require(hot <= most, f"{HOT} is {hot} after at most {most} increments")
        self.hot_unknown = hot - len(self.hot_acknowledged)

    def expected(self, values):
        """The last value of each key that has one."""
        return {**{key: n for key, n in self.acknowledged.items() if n}, HOT: values.get(HOT, 0)}


class History:
    """The stream as read so far: each shard's records, and each key's values in order."""

    def __init__(self):
        self.shards = collections.defaultdict(list)  # [(sequence number, event id, key, value)]
        self.keys = collections.defaultdict(list)  # [value]
        self.last_sequence = {}  # of each shard, as the stream wrote it
        self._events = set()

    def add(self, shard, record):
        change = record["dynamodb"]
        sequence = int(change["SequenceNumber"])
        key = change["Keys"]["pk"]["S"]
        value = int(change["NewImage"]["n"]["N"])
        old = int(change["OldImage"]["n"]["N"]) if "OldImage" in change else 0
        before = self.shards[shard][-1][0] if self.shards[shard] else -1
        require(sequence > before, f"{shard}: {sequence} follows {before}")
        require(record["eventID"] not in self._events, f"{record['eventID']} comes twice")
        last = self.keys[key][-1] if self.keys[key] else 0
        require(
            (old, value) == (last, last + 1),
            f"{shard}: {key} goes {old} -> {value} after {last} (sequence number {sequence})",
        )
        self._events.add(record["eventID"])
        self.last_sequence[shard] = change["SequenceNumber"]
        self.shards[shard].append((sequence, record["eventID"], key, value))
        self.keys[key].append(value)

    def check_complete(self, expected):
        """Every write of the table's history is there, once and in order, and none that was not."""
        for key, last in expected.items():
            found = self.keys[key][-1] if self.keys[key] else 0
            require(found == last, f"the stream ends at {found} of {key}, the table holds {last}")

    def check_unchanged(self, shard, records):
        """The shard read again from its start must begin as it was read before."""
        found = [
            (
                int(record["dynamodb"]["SequenceNumber"]),
                record["eventID"],
                record["dynamodb"]["Keys"]["pk"]["S"],
                int(record["dynamodb"]["NewImage"]["n"]["N"]),
            )
            for record in records
        ]
        require(found == self.shards[shard], f"{shard} has changed since it was read first")


class Delivered:
    """What Kafka has: each key's values in the order of its partition."""

    def __init__(self):
        self.restarts = 0
        self._last = collections.Counter()
        self._highest = collections.Counter()
        self._rewinds = collections.Counter()
        self._partitions = {}
        self._payloads = {}  # sequence number -> hash of the message

    def add(self, message):
        record = json.loads(message["payload"])
        change = record["dynamodb"]
        key = change["Keys"]["pk"]["S"]
        value = int(change["NewImage"]["n"]["N"])
        partition = self._partitions.setdefault(key, message["partition"])
        require(partition == message["partition"], f"{key} is in two partitions")
        require(json.loads(message["key"]) == change["Keys"], f"{message['key']} is no key of {key}")
        content = hash(message["payload"])
        first = self._payloads.setdefault(change["SequenceNumber"], content)
        require(first == content, f"{change['SequenceNumber']} was delivered with two contents")
        last = self._last[key]
        require(value <= last + 1, f"Kafka: {key} goes {last} -> {value}")
        if value <= last:
            self._rewinds[key] += 1
            require(
                self._rewinds[key] <= self.restarts,
                f"Kafka: {key} went back {self._rewinds[key]} times in {self.restarts} restarts",
            )
        self._last[key] = value
        self._highest[key] = max(self._highest[key], value)

    def has(self, expected):
        return all(self._highest[key] >= last for key, last in expected.items())

    def missing(self, expected):
        return {
            key: (self._highest[key], last)
            for key, last in expected.items()
            if self._highest[key] < last
        }
