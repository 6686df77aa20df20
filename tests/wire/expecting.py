"""Expectations that many tests have, and short forms of items."""

import contextlib

import botocore.exceptions
import pytest


@contextlib.contextmanager
def refused(code, message=None, status=400):
    """The block must be refused with this error type, exact message and HTTP status.

    Gives an object whose `response` is the whole answer afterwards.
    """
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        holder = Refusal()
        yield holder
    holder.response = caught.value.response
    error = holder.response["Error"]
    assert error["Code"] == code, error
    if message is not None:
        assert error["Message"] == message
    assert holder.response["ResponseMetadata"]["HTTPStatusCode"] == status


class Refusal:
    response = None

    @property
    def message(self):
        return self.response["Error"]["Message"]


def invalid(message):
    return refused("ValidationException", message)


def plain(value):
    """A plain Python value in DynamoDB's JSON: s -> S, int -> N, and so on."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, (int, float)):
        return {"N": str(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, (list, tuple)):
        return {"L": [plain(element) for element in value]}
    if isinstance(value, dict):
        return {"M": {name: plain(element) for name, element in value.items()}}
    raise TypeError(value)


def item(**attributes):
    return {name: plain(value) for name, value in attributes.items()}
