"""What the patterns share: the endpoint's flag, and a new table with its indexes."""

import argparse

import boto3


def resource(description):
    """boto3's resource for the endpoint that the command line names."""
    arguments = argparse.ArgumentParser(description=description.splitlines()[0])
    arguments.add_argument("--endpoint-url", default="http://127.0.0.1:8000")
    return boto3.resource("dynamodb", endpoint_url=arguments.parse_args().endpoint_url)


def table(dynamodb, name, key, **indexes):
    """Creates the table anew and returns it when it is active.

    Keys are written as "partition:S" or "partition:S sort:N". Indexes hold whole items. One with
    the table's own partition key is made a local one, the others are global.
    """
    old = dynamodb.Table(name)
    try:
        old.delete()
        old.wait_until_not_exists()
    except dynamodb.meta.client.exceptions.ResourceNotFoundException:
        pass
    kinds = dict(word.split(":") for keys in (key, *indexes.values()) for word in keys.split())
    request = {
        "TableName": name,
        "KeySchema": schema(key),
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in kinds.items()
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    for index, keys in indexes.items():
        local = keys.split()[0] == key.split()[0]
        kind = "LocalSecondaryIndexes" if local else "GlobalSecondaryIndexes"
        request.setdefault(kind, []).append(
            {
                "IndexName": index,
                "KeySchema": schema(keys),
                "Projection": {"ProjectionType": "ALL"},
            }
        )
    created = dynamodb.create_table(**request)
    created.wait_until_exists()
    return created


def schema(keys):
    names = [word.split(":")[0] for word in keys.split()]
    return [
        {"AttributeName": name, "KeyType": role} for name, role in zip(names, ("HASH", "RANGE"))
    ]


def pages(operation, **request):
    """All items of a query or scan, page by page."""
    while True:
        answer = operation(**request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
