"""HTTP, by raw requests: headers, malformed bodies, limits, and the connection after an error."""

import gzip
import json
import socket
import zlib

import pytest

from expecting import item
from raw import Connection

SERIALIZATION = "com.amazon.coral.service#SerializationException"
UNKNOWN_OPERATION = "com.amazon.coral.service#UnknownOperationException"
VALIDATION = "com.amazon.coral.validate#ValidationException"
NOT_FOUND = "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"

pytestmark = pytest.mark.service


@pytest.fixture
def connection(endpoint):
    with Connection(endpoint) as opened:
        yield opened


def usable(connection):
    """The same connection still answers."""
    socket_before = connection._http.sock
    assert socket_before is not None
    assert connection.send({}, "ListTables").check().status == 200
    assert connection._http.sock is socket_before


def test_every_answer_has_checksum_and_request_id(connection, table):
    good = connection.send({"TableName": table, "Item": item(pk="a")}, "PutItem").check()
    bad = connection.send({"TableName": table, "Item": item(x="a")}, "PutItem").check()
    assert (good.status, bad.status) == (200, 400)
    assert good.headers["content-type"] == "application/x-amz-json-1.0"
    assert good.headers["x-amzn-requestid"] != bad.headers["x-amzn-requestid"]
    assert good.body == b"{}"


@pytest.mark.parametrize(
    "body",
    [b"", b"hi", b"{", b'{"TableName": "t"', b'{"TableName": }', b"[1,2", b'{"a": "\xff\xfe"}', b"{}{"],
)
def test_a_body_that_is_not_json(connection, body):
    answer = connection.send(body, "PutItem").check()
    assert answer.status == 400
    assert answer.json()["__type"] == SERIALIZATION
    usable(connection)


@pytest.mark.service
def test_a_body_is_read_before_its_operation_is_looked_for(connection):
    for target in (None, "whatever", "ListTable"):
        answer = connection.send(b"hi", target).check()
        assert answer.json()["__type"] == SERIALIZATION
        answer = connection.send({}, target).check()
        assert answer.json()["__type"] == "com.amazon.coral.service#UnknownOperationException"
    usable(connection)


@pytest.mark.service
def test_an_answer_is_of_the_type_of_its_request(connection):
    for kind in ("application/json", "application/x-amz-json-1.0"):
        for body, status in (({}, 200), (b"hi", 400)):
            answer = connection.send(body, "ListTables", Content_Type=kind + ";charset=utf-8").check()
            assert (answer.status, answer.headers["content-type"]) == (status, kind)


def test_a_body_that_nests_too_deep_for_json(connection):
    body = b'{"TableName":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    answer = connection.send(body, "PutItem").check()
    assert answer.status == 400
    assert answer.json()["__type"] == SERIALIZATION
    usable(connection)


def nested(levels):
    value = {"S": "core"}
    for _ in range(levels):
        value = {"M": {"a": value}}
    return value


def test_items_nest_up_to_32_levels(connection, table):
    answer = connection.send(
        {"TableName": table, "Item": {"pk": {"S": "deep"}, "a": nested(31)}}, "PutItem"
    ).check()
    assert answer.status == 200, answer.body
    answer = connection.send(
        {"TableName": table, "Item": {"pk": {"S": "deeper"}, "a": nested(32)}}, "PutItem"
    ).check()
    assert answer.status == 400
    assert answer.json() == {
        "__type": VALIDATION,
        "message": "Nesting Levels have exceeded supported limits: "
        "Attributes in the item have nested levels beyond supported limit",
    }
    usable(connection)
    found = connection.call("GetItem", {"TableName": table, "Key": item(pk="deeper")})
    assert "Item" not in found


def test_a_body_over_16_megabytes(endpoint):
    with Connection(endpoint, timeout=60) as connection:
        body = b'{"x":"' + b"a" * (16 * 1024 * 1024) + b'"}'
        try:
            answer = connection.send(body, "PutItem")
        except (BrokenPipeError, ConnectionResetError):
            pytest.fail("the answer was not readable: the connection was reset")
        assert answer.status == 413
        if connection.is_open():
            usable(connection)
    with Connection(endpoint) as connection:
        assert connection.send({}, "ListTables").check().status == 200


@pytest.mark.parametrize("target", ["DynamoDB_20120810.ListTable", "whatever", "DynamoDB_20120810.", None])
def test_an_unknown_operation(connection, target):
    headers = {"X_Amz_Target": target} if target else {}
    answer = connection.send(b"{}", **headers).check()
    assert answer.status == 400
    assert answer.json() == {"__type": UNKNOWN_OPERATION}
    usable(connection)


@pytest.mark.parametrize(
    ("request_body", "message"),
    [
        ({"TableName": 23}, "NUMBER_VALUE cannot be converted to String"),
        ({"TableName": 2.5}, "DECIMAL_VALUE cannot be converted to String"),
        ({"TableName": True}, "TRUE_VALUE cannot be converted to String"),
        ({"TableName": []}, "Unrecognized collection type class java.lang.String"),
        ({"TableName": {}}, "Start of structure or map found where not expected"),
        (
            {"ExpressionAttributeNames": {"#a": True}},
            "TRUE_VALUE cannot be converted to String",
        ),
        (
            {"ExpressionAttributeNames": {"#a": {}}},
            "Start of structure or map found where not expected",
        ),
        ({"Item": "x"}, "Unexpected field type"),
        (
            {"Item": []},
            "Unrecognized collection type java.util.Map<java.lang.String, "
            "com.amazonaws.dynamodb.v20120810.AttributeValue>",
        ),
        ({"Item": {"a": "x"}}, "Unexpected value type in payload"),
        ({"Item": {"a": {"S": 1}}}, "NUMBER_VALUE cannot be converted to String"),
        ({"Item": {"a": {"N": 1}}}, "NUMBER_VALUE cannot be converted to String"),
        ({"Item": {"a": {"BOOL": 1}}}, "NUMBER_VALUE cannot be converted to Boolean"),
        ({"Item": {"a": {"SS": "x"}}}, "Unexpected field type"),
        ({"Item": {"a": {"SS": [1]}}}, "NUMBER_VALUE cannot be converted to String"),
        ({"Item": {"a": {"M": []}}}, None),
        ({"Item": {"a": {"L": {}}}}, "Start of structure or map found where not expected"),
        ({"Item": {"a": {"B": 1}}}, "only base-64-encoded strings are convertible to bytes"),
        (
            {"Item": {"a": {"B": "23456"}}},
            "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
        ),
        ({"Item": {"a": {"B": "+/+="}}}, "Invalid last non-pad Base64 character dectected"),
    ],
)
def test_a_field_of_the_wrong_type(connection, request_body, message):
    answer = connection.send(request_body, "PutItem").check()
    assert answer.status == 400
    body = answer.json()
    assert body["__type"] == SERIALIZATION
    if message:
        assert body["Message"] == message
    usable(connection)


def test_a_missing_field(connection, table):
    answer = connection.send({"Item": item(pk="a")}, "PutItem").check()
    assert answer.status == 400
    assert answer.json() == {
        "__type": VALIDATION,
        "message": "1 validation error detected: Value null at 'tableName' failed to satisfy "
        "constraint: Member must not be null",
    }
    answer = connection.send({"TableName": table}, "PutItem").check()
    assert answer.json()["message"] == (
        "1 validation error detected: Value null at 'item' failed to satisfy constraint: "
        "Member must not be null"
    )
    usable(connection)


def test_what_is_reported_beside_a_missing_key_of_an_update(connection):
    no_key = "Value null at 'key' failed to satisfy constraint: Member must not be null"
    no_name = (
        "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or "
        "equal to 1"
    )
    no_capacity = (
        "Value 'x' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum "
        "value set: [INDEXES, TOTAL, NONE]"
    )
    no_values = (
        "Value 'x' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: "
        "[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
    )
    no_operator = (
        "Value 'XOR' at 'conditionalOperator' failed to satisfy constraint: Member must satisfy enum "
        "value set: [OR, AND]"
    )
    update = {"TableName": "", "UpdateExpression": "REMOVE a"}
    enums = {"ReturnConsumedCapacity": "x", "ReturnValues": "x"}
    for request, found in (
        (update, [no_name, no_key]),
        ({**update, **enums}, [no_capacity, no_name, no_values, no_key]),
        ({"TableName": "absent", "ConditionalOperator": "XOR"}, [no_operator, no_key]),
    ):
        answer = connection.send(request, "UpdateItem").check()
        assert answer.json() == {
            "__type": VALIDATION,
            "message": f"{len(found)} validation errors detected: " + "; ".join(found),
        }
    # With a key the table's name is reported alone.
    answer = connection.send({**update, **enums, "Key": {}}, "UpdateItem").check()
    assert answer.json()["message"] == f"1 validation error detected: {no_name}"
    usable(connection)


def test_unknown_fields_are_ignored(connection):
    assert connection.send({"Nonsense": {"a": [1]}}, "ListTables").check().status == 200


def test_an_error_type_has_its_full_name(connection):
    answer = connection.send({"TableName": "absent", "Key": item(pk="a")}, "GetItem").check()
    assert answer.status == 400
    assert answer.json() == {"__type": NOT_FOUND, "message": "Requested resource not found"}


def test_the_failing_item_is_in_the_error_when_asked(connection, table):
    connection.call("PutItem", {"TableName": table, "Item": item(pk="a", n=1)})
    answer = connection.send(
        {
            "TableName": table,
            "Item": item(pk="a"),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
        "PutItem",
    ).check()
    assert answer.status == 400
    assert answer.json() == {
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
        "Item": item(pk="a", n=1),
    }


def test_a_compressed_body_is_understood(connection, table):
    request = {"TableName": table, "Item": item(pk="a", text="x" * 5000)}
    body = gzip.compress(json.dumps(request).encode())
    assert connection.send(body, "PutItem", Content_Encoding="gzip").check().status == 200
    halves = json.dumps(request).encode().partition(b"xxx")
    body = b"".join(map(gzip.compress, halves))
    assert connection.send(body, "PutItem", Content_Encoding="gzip").check().status == 200
    found = connection.call("GetItem", {"TableName": table, "Key": item(pk="a")})
    assert found["Item"] == request["Item"]


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(b"{}")[:-4], gzip.compress(b"{"), gzip.compress(b"{}") + b"junk"])
def test_a_compressed_body_that_is_damaged(connection, body):
    answer = connection.send(body, "ListTables", Content_Encoding="gzip").check()
    assert answer.status == 400
    usable(connection)


def test_a_small_body_that_is_large_once_it_is_decompressed(connection):
    body = gzip.compress(b'{"x":"' + b"a" * (64 * 1024 * 1024) + b'"}')
    assert len(body) < 100_000
    assert connection.send(body, "PutItem", Content_Encoding="gzip").check().status == 413
    usable(connection)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("deflate, GZIP;q=0.5", "deflate"),
        ("identity", None),
        ("gzip;q=0", None),
        ("", None),
    ],
)
def test_answers_are_compressed_for_who_asks(connection, table, accepted, coding):
    """The checksum is of the bytes that travel: check() compares it with those."""
    connection.call("PutItem", {"TableName": table, "Item": item(pk="a", text="x" * 5000)})
    get = {"TableName": table, "Key": item(pk="a")}
    for _ in range(3):  # from the store, and from a cache
        answer = connection.send(get, "GetItem", Accept_Encoding=accepted).check()
        assert answer.headers.get("content-encoding") == coding
        body = {"gzip": gzip.decompress, "deflate": zlib.decompress}.get(coding, bytes)(answer.body)
        assert json.loads(body)["Item"] == item(pk="a", text="x" * 5000)
    small = connection.send({"Limit": 1}, "ListTables", Accept_Encoding="gzip").check()
    assert "content-encoding" not in small.headers


CORS = ("allow-origin", "expose-headers", "max-age", "allow-methods", "allow-headers")


def cors(answer):
    found = {name: answer.headers.get(f"access-control-{name}") for name in CORS}
    return {name: value for name, value in found.items() if value is not None}


def test_pages_of_any_origin_may_call(connection):
    origin = {"Origin": "https://example.com"}
    for answer in (
        connection.send({}, "ListTables", **origin).check(),
        connection.send({}, "GetItem", **origin).check(),
        connection.send({}, "Nonsense", **origin).check(),
        connection.send(None, method="GET", **origin).check(),
    ):
        allowed = cors(answer)
        assert allowed.pop("allow-origin") == "*"
        assert "x-amzn-requestid" in allowed.pop("expose-headers").lower()
        assert allowed == {}
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "x-amz-target, x-y"}
    allowed = cors(connection.send(None, method="OPTIONS", **origin, **asked).check())
    assert allowed.pop("expose-headers")
    assert allowed == {
        "allow-origin": "*",
        "max-age": "172800",
        "allow-methods": "POST",
        "allow-headers": "x-amz-target, x-y",
    }


def test_others_see_nothing_of_origins(connection):
    assert cors(connection.send({}, "ListTables").check()) == {}
    assert cors(connection.send(None, method="GET").check()) == {}


def test_a_page_cannot_call_without_asking_first(connection):
    """What a form can send needs no preflight, so it is not served."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = connection.send({}, "ListTables", Origin="https://example.com", Content_Type=kind)
        assert answer.status == 404


def test_other_methods_and_paths(connection):
    answer = connection.send(None, method="GET")
    assert answer.status == 200
    assert answer.body.startswith(b"healthy: dynamodb.us-east-1.amazonaws.com")
    answer = connection.send(b"hi", method="PUT")
    assert answer.status == 404


def test_requests_in_one_packet_are_answered_in_order(endpoint, table):
    """HTTP/1.1 allows sending the next request before the answer."""
    with Connection(endpoint) as connection:
        wire = connection.connect()
        requests = b""
        for number in range(20):
            operation = "PutItem" if number % 2 == 0 else "GetItem"
            field = "Item" if operation == "PutItem" else "Key"
            body = json.dumps({"TableName": table, field: item(pk=f"k{number // 2}")}).encode()
            requests += (
                f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n"
                f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode() + body
        wire.sendall(requests)
        wire.settimeout(10)
        received = b""
        while received.count(b"HTTP/1.1 200") < 20 or not received.endswith(b"}"):
            chunk = wire.recv(65536)
            assert chunk, received
            received += chunk
        bodies = [part.split(b"\r\n\r\n", 1)[1] for part in received.split(b"HTTP/1.1 200")[1:]]
        assert [json.loads(body) for body in bodies] == [
            {} if number % 2 == 0 else {"Item": item(pk=f"k{number // 2}")} for number in range(20)
        ]


def test_a_request_in_single_bytes_is_understood(endpoint):
    with Connection(endpoint) as connection:
        wire = connection.connect()
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = (
            b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n"
            b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"
        )
        for position in range(len(request)):
            wire.sendall(request[position : position + 1])
        wire.settimeout(10)
        assert wire.recv(12) == b"HTTP/1.1 200"


def test_a_chunked_body_is_understood(connection):
    http = connection._http
    http.request(
        "POST",
        "/",
        iter([b"{", b"}"]),
        {
            "X-Amz-Target": "DynamoDB_20120810.ListTables",
            "Content-Type": "application/x-amz-json-1.0",
            "Transfer-Encoding": "chunked",
        },
        encode_chunked=True,
    )
    assert http.getresponse().status == 200


def test_expect_100_continue_is_answered(endpoint):
    with Connection(endpoint) as connection:
        wire = connection.connect()
        wire.settimeout(10)
        wire.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n"
            b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert wire.recv(12) == b"HTTP/1.1 100"
        wire.sendall(b"{}")
        received = b""
        while b"HTTP/1.1 200" not in received:
            chunk = wire.recv(65536)
            assert chunk, received
            received += chunk


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
     b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
     b"A" * 100_000],
)
def test_what_is_not_http_ends_only_its_own_connection(endpoint, garbage):
    with Connection(endpoint) as bad:
        wire = bad.connect()
        wire.settimeout(10)
        try:
            wire.sendall(garbage)
            wire.shutdown(socket.SHUT_WR)
            while wire.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    with Connection(endpoint) as good:
        assert good.send({}, "ListTables").check().status == 200
