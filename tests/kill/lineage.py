"""The shards of a stream over kills: read in the order of their lineage, and changed under load."""

import json
import random
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from ledger import require

STREAMS = "DynamoDBStreams_20120810."


class Lineage:
    """A reader's knowledge of a stream's shards: none may ever look different from what was seen."""

    def __init__(self, arn):
        self.arn = arn
        self.shards = {}  # id -> (parent, first sequence number)
        self.ends = {}  # id -> last sequence number of a closed shard
        self.drained = set()

    def refresh(self, client):
        """The shards as the stream lists them, parents first."""
        request, found = {"StreamArn": self.arn}, []
        while True:
            answer = client.call(STREAMS + "DescribeStream", request)["StreamDescription"]
            found += [self._note(shard) for shard in answer["Shards"]]
            if "LastEvaluatedShardId" not in answer:
                break
            request["ExclusiveStartShardId"] = answer["LastEvaluatedShardId"]
        require(found == sorted(found), "shards are not listed in the order of their ids")
        open_shards = [shard for shard in found if shard not in self.ends]
        require(open_shards, "the stream has no open shard")
        return found

    def _note(self, shard):
        name, limits = shard["ShardId"], shard["SequenceNumberRange"]
        is_now = (shard.get("ParentShardId"), limits["StartingSequenceNumber"])
        was = self.shards.setdefault(name, is_now)
        require(is_now == was, f"{name} was {was} and is {is_now}")
        end = limits.get("EndingSequenceNumber")
        require(self.ends.get(name) in (None, end), f"{name} no longer ends at {self.ends.get(name)}")
        if end:
            self.ends[name] = end
        return name

    def read_on(self, client, history):
        """Adds what is new in every shard, of a parent before its children's."""
        for shard in self.refresh(client):
            parent = self.shards[shard][0]
            if shard in self.drained or (parent in self.shards and parent not in self.drained):
                continue
            for record in self.read_shard(client, shard, history.last_sequence.get(shard)):
                history.add(shard, record)

    def read_shard(self, client, shard, after=None):
        """The records of a shard up to now, or its end, from its start or after a number."""
        request = {"StreamArn": self.arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        if after is not None:
            request["ShardIteratorType"] = "AFTER_SEQUENCE_NUMBER"
            request["SequenceNumber"] = after
        iterator = client.call(STREAMS + "GetShardIterator", request)["ShardIterator"]
        while iterator:
            answer = client.call(STREAMS + "GetRecords", {"ShardIterator": iterator})
            yield from answer["Records"]
            iterator = answer.get("NextShardIterator")
            if not answer["Records"] and shard not in self.ends:
                return
        if not iterator:
            self.drained.add(shard)


class Resharder(threading.Thread):
    """Splits, merges and rolls over shards while the load runs, until the connection ends."""

    def __init__(self, admin, table, seed):
        super().__init__(daemon=True)
        self.error = None
        self.changes = 0
        self._admin = admin
        self._table = table
        self._random = random.Random(seed)

    def run(self):
        try:
            for _ in range(self._random.randint(0, 3)):
                time.sleep(self._random.uniform(0, 0.2))  # The changes fall somewhere into the load.
                self._change()
        except OSError:
            pass
        except Exception as error:  # Told by the main thread.
            self.error = error

    def _change(self):
        # A trim of nothing tells the open shards.
        shards = self._control("trim", through="1" + "0" * 20)["openShards"]
        shards.sort(key=lambda shard: int(shard["firstHash"]))
        chosen = self._random.randrange(len(shards))
        name = shards[chosen]["shardId"]
        dice = self._random.random()
        if dice < 0.1:
            self._control("rollover")
        elif dice < 0.4:
            self._control("rollover", shard=name)
        elif dice < 0.7 and len(shards) < 12:
            self._control("split", shard=name)
        elif chosen + 1 < len(shards):
            self._control("merge", shard=name, **{"with": shards[chosen + 1]["shardId"]})

    def _control(self, what, **parameters):
        query = urllib.parse.urlencode({"table": self._table, **parameters})
        request = urllib.request.Request(
            f"http://{self._admin}/v1/streams/{what}?{query}", method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                self.changes += what != "trim"
                return json.load(answer)
        except urllib.error.HTTPError as error:
            message = error.read().decode()
            # What order or a bound forbids.
            require(error.code == 400, f"{what} answers {error.code}: {message}")
            return None
