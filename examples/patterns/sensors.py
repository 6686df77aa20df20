#!/usr/bin/python3
"""Readings of sensors, a partition for each sensor and day, deleted by TTL when they are old.

A partition for each day keeps partitions small and lets a span of days be read in parallel.
"""

import datetime
import time

from boto3.dynamodb.conditions import Attr, Key

import fresh

KEEP_SECONDS = 7 * 24 * 3600
EXPIRY_WAIT_SECONDS = 60


def bucket(sensor, moment):
    return f"{sensor}#{moment:%Y-%m-%d}"


def reading(sensor, moment, celsius, expires):
    return {
        "bucket": bucket(sensor, moment),
        "time": moment.strftime("%H:%M:%S"),
        "celsius": celsius,
        "expires": expires,
    }


def write(table, now):
    """A reading every 30 minutes for two days; the first hour's have expired a minute ago."""
    start = datetime.datetime(2026, 3, 1)
    with table.batch_writer() as batch:
        for step in range(96):
            moment = start + datetime.timedelta(minutes=30 * step)
            expires = now - 60 if step < 2 else now + KEEP_SECONDS
            batch.put_item(reading("roof", moment, 10 + step % 48 // 4, expires))
    return 96


def span(table, sensor, first, last, now):
    """The readings from `first` to `last`: one query for each day between.

    An expired reading may still be there for a while, so it is filtered out.
    """
    day = first
    while day.date() <= last.date():
        low = first if day.date() == first.date() else datetime.datetime.min
        high = last if day.date() == last.date() else datetime.datetime.max
        yield from fresh.pages(
            table.query,
            KeyConditionExpression=Key("bucket").eq(bucket(sensor, day))
            & Key("time").between(f"{low:%H:%M:%S}", f"{high:%H:%M:%S}"),
            FilterExpression=Attr("expires").gt(now),
        )
        day += datetime.timedelta(days=1)


def latest(table, sensor, day):
    answer = table.query(
        KeyConditionExpression=Key("bucket").eq(bucket(sensor, day)),
        ScanIndexForward=False,
        Limit=1,
    )
    return answer["Items"][0]


def wait_for_expiry(table, key):
    deadline = time.monotonic() + EXPIRY_WAIT_SECONDS
    while time.monotonic() < deadline:
        if "Item" not in table.get_item(Key=key, ConsistentRead=True):
            return "deleted"
        time.sleep(0.1)
    return "still there"


def main():
    dynamodb = fresh.resource(__doc__)
    table = fresh.table(dynamodb, "example-sensors", "bucket:S time:S")
    client = table.meta.client
    now = int(time.time())
    print(write(table, now), "readings of two days")

    day = datetime.datetime(2026, 3, 1)
    hour = datetime.timedelta(hours=1)
    noon = list(span(table, "roof", day + 12 * hour, day + 13 * hour, now))
    print("12:00 to 13:00:", *(f"{item['time']} {item['celsius']} C," for item in noon))
    night = list(span(table, "roof", day + 22 * hour, day + 26 * hour, now))
    print(f"22:00 to 02:00, over midnight: {len(night)} readings")
    early = list(span(table, "roof", day, day + 2 * hour, now))
    print("00:00 to 02:00, without what has expired:", *(item["time"] for item in early))
    last = latest(table, "roof", day + 24 * hour)
    print("the last one:", last["bucket"], last["time"], last["celsius"], "C")

    client.update_time_to_live(
        TableName=table.name,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )
    key = {"bucket": "roof#2026-03-01", "time": "00:00:00"}
    print("TTL switched on; the reading of 00:00 is", wait_for_expiry(table, key))


if __name__ == "__main__":
    main()
