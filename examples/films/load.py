#!/usr/bin/python3
"""Loads the films of examples/data into the table films by BatchWriteItem."""

import argparse
import json
import pathlib
import random
import sys
import time

import boto3

FILMS = pathlib.Path(__file__).resolve().parent.parent / "data" / "movies-2010s.json"
BATCH_ITEMS = 25  # The most that BatchWriteItem takes.


def batches(items):
    for start in range(0, len(items), BATCH_ITEMS):
        yield items[start : start + BATCH_ITEMS]


def item(film):
    """The film as it is, and its first genre alone, because an index's key is a single value."""
    return {**film, "genre": film["genres"][0]} if film["genres"] else film


def write(dynamodb, table, items):
    """Puts one batch, and again what the server left over, more slowly each time."""
    requests = {table: [{"PutRequest": {"Item": item}} for item in items]}
    wait = 0.05
    while requests:
        requests = dynamodb.batch_write_item(RequestItems=requests).get("UnprocessedItems")
        if requests:
            time.sleep(random.uniform(0, wait))
            wait = min(wait * 2, 5)


def show(done, total, started):
    if done < total and not sys.stderr.isatty():
        return
    width = 40
    filled = width * done // total
    rate = done / max(time.monotonic() - started, 1e-6)
    bar = "#" * filled + "." * (width - filled)
    end = "\n" if done == total else ""
    print(f"\r[{bar}] {done}/{total} films, {rate:.0f}/s", end=end, file=sys.stderr, flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--endpoint-url", default="http://127.0.0.1:8000")
    arguments.add_argument("--table", default="films")
    arguments.add_argument("--file", type=pathlib.Path, default=FILMS)
    options = arguments.parse_args()

    resource = boto3.resource("dynamodb", endpoint_url=options.endpoint_url)
    dynamodb = resource.meta.client  # It takes plain Python values.
    films = [item(film) for film in json.loads(options.file.read_text(encoding="utf-8"))]
    started = time.monotonic()
    done = 0
    for batch in batches(films):
        write(dynamodb, options.table, batch)
        done += len(batch)
        show(done, len(films), started)


if __name__ == "__main__":
    main()
