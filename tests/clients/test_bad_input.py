"""Bytes no SDK would send. After each: the exact AWS error, a server that serves on, nothing stored."""
import gzip
import json
import socket
import struct
import time
import zlib

import pytest

SCOPE = "Credential={account}/20261101/us-east-1/{service}/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
JSON10 = "application/x-amz-json-1.0"
JSON11 = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded"


class Wire:
    """Raw HTTP with the headers an SDK would add."""

    def __init__(self, aws):
        self.server, self.account = aws.server, aws.account

    def headers(self, service, **more):
        return {"Authorization": "AWS4-HMAC-SHA256 " + SCOPE.format(account=self.account, service=service),
                "X-Amz-Date": "20261101T000000Z"} | {k.replace("_", "-"): v for k, v in more.items()}

    def logs(self, operation, body, **more):
        return self.server.http("POST", "/", body, self.headers("logs", X_Amz_Target=f"Logs_20140328.{operation}", **({"Content_Type": JSON11} | more)))

    def metrics(self, operation, body, **more):
        return self.server.http("POST", "/", body, self.headers("monitoring", X_Amz_Target=f"GraniteServiceVersion20100801.{operation}",
                                                               **({"Content_Type": JSON10} | more)))

    def form(self, service, body, **more):
        return self.server.http("POST", "/", body, self.headers(service, **({"Content_Type": FORM} | more)))

    def cbor(self, operation, body, **more):
        return self.server.http("POST", f"/service/GraniteServiceVersion20100801/operation/{operation}", body,
                                self.headers("monitoring", **({"Content_Type": "application/cbor", "Smithy_Protocol": "rpc-v2-cbor"} | more)))

    def xray(self, path, body, **more):
        return self.server.http("POST", path, body, self.headers("xray", **({"Content_Type": "application/json"} | more)))


@pytest.fixture
def wire(aws):
    client = Wire(aws)
    yield client
    assert aws.server.is_alive(), aws.server.log()
    status, _, _ = aws.server.http("GET", "/health")
    assert status == 200
    assert aws("cloudwatch").list_metrics()["Metrics"] == []
    assert aws("logs").describe_log_groups()["logGroups"] == []
    assert aws("sns").list_topics()["Topics"] == []


def is_json_error(answer, name, status=400):
    code, headers, body = answer
    error = json.loads(body)
    assert code == status, (code, body[:300])
    assert error["__type"].split("#")[-1] == name, body[:300]
    assert headers["x-amzn-RequestId"] and headers["Date"]
    return error


def is_xml_error(answer, name, status=400):
    code, headers, body = answer
    assert code == status, (code, body[:300])
    assert f"<Code>{name}</Code>".encode() in body, body[:300]
    assert headers["x-amzn-RequestId"] and headers["Content-Type"].startswith("text/xml")


def is_cbor_error(answer, name, status=400):
    code, headers, body = answer
    assert code == status, (code, body[:300])
    assert f"#{name}".encode() in body, body[:300]
    assert headers["smithy-protocol"] == "rpc-v2-cbor" and headers["Content-Type"] == "application/cbor"


GROUP = b'{"logGroupName":"/bad"}'
DEEP = 10_000

MALFORMED_JSON = [
    ("cut_short", b'{"logGroupName":"/ba'), ("no_json", b"hello"), ("trailing", b'{"logGroupName":"/bad"} x'), ("array", b"[]"), ("text", b'"x"'),
    ("number", b"1"), ("two_commas", b'{"logGroupName":"/bad",,}'), ("wrong_type_number", b'{"logGroupName":7}'), ("wrong_type_object", b'{"logGroupName":{}}'),
    ("wrong_type_list", b'{"logGroupName":["/bad"]}'), ("deep_lists", b'{"x":' + b"[" * DEEP + b"]" * DEEP + b"}"),
    ("deep_objects", b'{"a":' * DEEP + b"1" + b"}" * DEEP), ("deep_open", b"[" * DEEP), ("bad_utf8", b'{"logGroupName":"/b\xff\xfe"}'),
    ("cut_utf8", b'{"logGroupName":"/b\xe2\x82"}'), ("surrogate_utf8", b'{"logGroupName":"/b\xed\xa0\x80"}'), ("raw_control", b'{"logGroupName":"/b\x01"}'),
    ("raw_nul", b'{"logGroupName":"/b\x00ad"}'), ("bad_escape", b'{"logGroupName":"\\q"}'), ("blanks", b"   "), ("only_nul", b"\x00" * 100),
    ("huge_number", b'{"logGroupName":' + b"9" * 5000 + b"}"), ("text_for_number", b'{"logGroupName":"/bad","retentionInDays":"x"}'),
]


@pytest.mark.parametrize("body", [row[1] for row in MALFORMED_JSON], ids=[row[0] for row in MALFORMED_JSON])
def test_malformed_json(wire, body):
    operation = "PutRetentionPolicy" if b"retention" in body else "CreateLogGroup"
    error = is_json_error(wire.logs(operation, body), "SerializationException")
    assert len(json.dumps(error)) < 2000, "an error does not echo the body"


def test_empty_body_is_an_empty_input(wire):
    error = is_json_error(wire.logs("CreateLogGroup", b""), "InvalidParameterException")
    assert error["message"] == "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"
    is_json_error(wire.metrics("PutMetricData", b""), "MissingRequiredParameterException")
    is_cbor_error(wire.cbor("PutMetricData", b""), "MissingRequiredParameterException")
    is_xml_error(wire.form("sns", b""), "MissingAction")


def test_unknown_operations(wire):
    is_json_error(wire.logs("Frobnicate", b"{}"), "UnknownOperationException")
    is_json_error(wire.metrics("Frobnicate", b"{}"), "UnknownOperationException")
    is_xml_error(wire.form("sns", b"Action=Frobnicate&Version=2010-03-31"), "InvalidAction")
    is_xml_error(wire.form("monitoring", b"Action=Frobnicate&Version=2010-08-01"), "InvalidAction")
    is_cbor_error(wire.cbor("Frobnicate", b"\xa0"), "UnknownOperationException", 404)
    assert wire.xray("/Frobnicate", b"{}")[0] == 404


def test_wrong_content_type(wire):
    for content_type in ("text/plain", "application/xml", "application/octet-stream", "multipart/form-data; boundary=x"):
        status, _, body = wire.server.http("POST", "/", b"Action=CreateTopic&Name=bad", wire.headers("sns", Content_Type=content_type))
        assert 400 <= status < 500, body[:200]
        status, _, _ = wire.cbor("ListMetrics", b"{}", Content_Type=content_type)
        assert 400 <= status < 500


COMPRESSED = gzip.compress(GROUP)


@pytest.mark.parametrize("body", [COMPRESSED[:10], COMPRESSED[:-4], COMPRESSED[:-12], GROUP, b"", b"\x1f\x8b", COMPRESSED[:-8] + b"\0" * 8, zlib.compress(GROUP)],
                         ids=["head_only", "cut_length", "cut_data", "not_gzip", "empty", "magic", "bad_checksum", "zlib"])
def test_bad_gzip(wire, body):
    status, _, answer = wire.logs("CreateLogGroup", body, Content_Encoding="gzip")
    assert status == 400 and b"__type" in answer, answer[:200]


def test_gzip_bombs(wire):
    """41 MiB and 1 GiB inflated: refused without being held in memory."""
    before = wire.server.memory_kib()
    for size in (41 << 20, 1 << 30):
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        chunk = b" " * (1 << 20)
        bomb = b"".join(packer.compress(chunk) for _ in range(size >> 20)) + packer.flush()
        for answer in (wire.logs("CreateLogGroup", bomb, Content_Encoding="gzip"), wire.metrics("PutMetricData", bomb[: 1 << 19], Content_Encoding="gzip")):
            assert answer[0] in (400, 413), answer[2][:200]
    assert wire.server.memory_kib() < before + 128 * 1024


def test_unknown_encodings(wire):
    for encoding in ("br", "zstd", "aws-chunked", "gzip, br"):
        status, _, _ = wire.logs("CreateLogGroup", GROUP, Content_Encoding=encoding)
        assert 400 <= status < 500, encoding


def raw(server, *parts, seconds=15):
    """Everything the server says to these bytes until it closes or falls silent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as link:
        try:
            for part in parts:
                link.sendall(part)
        except OSError:
            pass  # the server may refuse before we are done
        answer = b""
        try:
            while True:
                data = link.recv(65536)
                if not data:
                    break
                answer += data
                head, _, body = answer.partition(b"\r\n\r\n")
                sizes = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                if b"\r\n\r\n" in answer and sizes and len(body) >= sizes[0]:
                    break
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def test_a_100_mib_body_is_refused_early(wire):
    """The answer comes while the client still sends; memory does not follow Content-Length."""
    head = (f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON11}\r\nX-Amz-Target: Logs_20140328.CreateLogGroup\r\n"
            f"Content-Length: {100 << 20}\r\n\r\n").encode()
    before = wire.server.memory_kib()
    answer = raw(wire.server, head, *[b" " * (1 << 20)] * 100)
    assert b" 413 " in answer.split(b"\r\n")[0] + b" " or answer == b"", answer[:200]
    assert wire.server.memory_kib() < before + 64 * 1024
    answer = raw(wire.server, head)
    assert answer.startswith(b"HTTP/1.1 413"), answer[:200]


def test_a_large_log_batch_in_escapes_is_fine(aws):
    """1 MiB of text may be 6 MiB of JSON; the limit is on the text."""
    logs = aws("logs")
    logs.create_log_group(logGroupName="/big")
    logs.create_log_stream(logGroupName="/big", logStreamName="s")
    body = (b'{"logGroupName":"/big","logStreamName":"s","logEvents":[{"timestamp":%d,"message":"' % int(time.time() * 1000)
            + b"\\u0041" * 1_000_000 + b'"}]}')
    status, _, answer = Wire(aws).logs("PutLogEvents", body)
    assert status == 200, answer[:300]
    [event] = logs.get_log_events(logGroupName="/big", logStreamName="s")["events"]
    assert event["message"] == "A" * 1_000_000


FRAMING = [
    ("no_request", b"\r\n\r\n"), ("not_http", b"hello world\r\n\r\n"), ("tls_hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200),
    ("http2_preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ("http_3", b"GET /health HTTP/3.0\r\nHost: x\r\n\r\n"),
    ("two_lengths", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    ("length_and_chunked", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("negative_length", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"), ("odd_length", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n{"),
    ("plus_length", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}"),
    ("bad_chunk", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
    ("double_chunked", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("odd_coding", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("space_before_colon", b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n"), ("nul_in_header", b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n"),
    ("folded_header", b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"), ("bare_cr", b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"),
    ("no_host", b"GET /health HTTP/1.1\r\n\r\n"), ("two_hosts", b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("head_of_1_mib", b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"b" * (1 << 20) + b"\r\n\r\n"),
    ("url_of_1_mib", b"GET /" + b"b" * (1 << 20) + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("10000_headers", b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"".join(b"h%d: v\r\n" % i for i in range(10_000)) + b"\r\n"),
]


@pytest.mark.parametrize("data", [row[1] for row in FRAMING], ids=[row[0] for row in FRAMING])
def test_bad_framing_is_refused_with_4xx_or_a_closed_door(wire, data):
    answer = raw(wire.server, data)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.0 4") or answer.startswith(b"HTTP/1.1 505"), answer[:120]


def test_bodies_cut_short_store_nothing(wire):
    body = GROUP
    for cut in (0, 1, len(body) - 1):
        with socket.create_connection(("127.0.0.1", wire.server.port), timeout=5) as link:
            link.sendall((f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON11}\r\nX-Amz-Target: Logs_20140328.CreateLogGroup\r\n"
                          f"Authorization: AWS4-HMAC-SHA256 {SCOPE.format(account=wire.account, service='logs')}\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n").encode() + body[:cut])


def test_chunked_and_expect_continue_work(aws):
    """What is unusual but right must not be refused."""
    account = aws.account
    head = (f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON11}\r\nX-Amz-Target: Logs_20140328.CreateLogGroup\r\n"
            f"Authorization: AWS4-HMAC-SHA256 {SCOPE.format(account=account, service='logs')}\r\n")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b'{"logGroup', b'Name":"/chunked"}')) + b"0\r\n\r\n"
    assert raw(aws.server, (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunks).startswith(b"HTTP/1.1 200")
    body = b'{"logGroupName":"/expect"}'
    answer = raw(aws.server, (head + f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode() + body)
    assert b"HTTP/1.1 200" in answer
    packed = gzip.compress(b'{"logGroupName":"/packed"}')
    assert Wire(aws).logs("CreateLogGroup", packed, Content_Encoding="gzip")[0] == 200
    assert [g["logGroupName"] for g in aws("logs").describe_log_groups()["logGroups"]] == ["/chunked", "/expect", "/packed"]


MALFORMED_CBOR = [
    ("cut_map", b"\xa2\x64Name"), ("not_a_map", b"\x80"), ("text", b"\x63abc"), ("garbage", b"\xff\xfe\xfd"), ("long_length", b"\xbb" + b"\xff" * 8),
    ("long_text", b"\xa1\x7b" + struct.pack(">Q", 1 << 62)), ("deep", b"\xa1\x61x" + b"\x81" * DEEP + b"\x00"), ("bad_utf8", b"\xa1\x69Namespace\x62\xff\xfe"),
    ("wrong_type", b"\xa1\x69Namespace\x07"), ("open_map", b"\xbf\x69Namespace\x61a"), ("trailing", b"\xa0\xa0"),
]


@pytest.mark.parametrize("body", [row[1] for row in MALFORMED_CBOR], ids=[row[0] for row in MALFORMED_CBOR])
def test_malformed_cbor(wire, body):
    is_cbor_error(wire.cbor("PutMetricData", body), "SerializationException")


FORMS = [
    ("no_action", "sns", b"Version=2010-03-31", "MissingAction"), ("bad_number", "monitoring", b"Action=DescribeAlarms&Version=2010-08-01&MaxRecords=x", None),
    ("bad_time", "monitoring", b"Action=DescribeAlarmHistory&Version=2010-08-01&StartDate=yesterday", None),
    ("bad_percent", "sns", b"Action=CreateTopic&Version=2010-03-31&Name=%zz", None), ("bad_utf8", "sns", b"Action=CreateTopic&Version=2010-03-31&Name=%ff%fe", None),
    ("nul", "sns", b"Action=CreateTopic&Version=2010-03-31&Name=a%00b", None), ("deep", "sns", b"Action=CreateTopic&Version=2010-03-31&Name" + b".a" * DEEP + b"=x", None),
    ("huge_index", "monitoring", b"Action=PutMetricData&Version=2010-08-01&Namespace=App&MetricData.member.4294967296.MetricName=a", None),
]


@pytest.mark.parametrize("service, body, code", [row[1:] for row in FORMS], ids=[row[0] for row in FORMS])
def test_malformed_forms(wire, service, body, code):
    status, headers, answer = wire.form(service, body)
    assert status == 400 and b"<Error>" in answer and headers["x-amzn-RequestId"], answer[:300]
    if code:
        assert f"<Code>{code}</Code>".encode() in answer


def test_far_times(aws):
    """Milliseconds at the ends of 64 bits are too old or too new, never a crash."""
    logs, wire = aws("logs"), Wire(aws)
    logs.create_log_group(logGroupName="/t")
    logs.create_log_stream(logGroupName="/t", logStreamName="s")
    for at, member in ((0, "tooOldLogEventEndIndex"), (9223372036854775807, "tooNewLogEventStartIndex"), (253402300799999, "tooNewLogEventStartIndex")):
        status, _, answer = wire.logs("PutLogEvents", json.dumps({"logGroupName": "/t", "logStreamName": "s", "logEvents": [{"timestamp": at, "message": "m"}]}).encode())
        assert status == 200 and member in json.loads(answer)["rejectedLogEventsInfo"], answer
    for at in ("-1", "9223372036854775808", "1e400", "1.5"):
        body = b'{"logGroupName":"/t","logStreamName":"s","logEvents":[{"timestamp":%s,"message":"m"}]}' % at.encode()
        assert wire.logs("PutLogEvents", body)[0] == 400, at
    assert logs.get_log_events(logGroupName="/t", logStreamName="s")["events"] == []
    for at in ("1e300", "-1e300", '"9999999-01-01T00:00:00Z"', '"x"', "253402300800000"):
        body = b'{"Namespace":"App","MetricData":[{"MetricName":"M","Value":1,"Timestamp":%s}]}' % at.encode()
        assert wire.metrics("PutMetricData", body)[0] == 400, at
    assert aws("cloudwatch").list_metrics()["Metrics"] == []
    for start, end in (("-9223372036854775808", "9223372036854775807"), ("0", "9223372036854775807")):
        body = b'{"logGroupName":"/t","logStreamName":"s","startTime":%s,"endTime":%s}' % (start.encode(), end.encode())
        assert wire.logs("GetLogEvents", body)[0] in (200, 400)


def test_text_stays_text(aws):
    """Names with quotes, tags and XML-forbidden characters neither break an answer nor inject into it."""
    sns = aws("sns")
    topic = sns.create_topic(Name="ops")["TopicArn"]
    for name in ("</DisplayName><x>&amp;\"'", "]]>", "\u0001", "\ufffe"):
        sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue=name)
        got = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"]
        assert got == name or name in ("\u0001", "\ufffe")


def test_browsers_from_elsewhere_are_refused(wire):
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"},
                    {"Host": "evil.example", "Origin": "http://evil.example"}):
        status, _, _ = wire.server.http("POST", "/", b"Action=CreateTopic&Version=2010-03-31&Name=bad", {"Content-Type": FORM} | headers)
        assert status == 403, headers


def test_a_thousand_random_bodies(wire):
    """Mutations of good requests over every protocol: 4xx or 200, never 5xx, never silence."""
    import random
    dice = random.Random(20261101)
    good = [
        (wire.logs, "CreateLogGroup", b'{"logGroupName": 5}'), (wire.metrics, "DescribeAlarms", b'{"MaxRecords": 7, "AlarmNames": ["a", "b"]}'),
        (wire.cbor, "DescribeAlarms", b"\xa2\x6aMaxRecords\x07\x6aAlarmNames\x82\x61a\x61b"),
        (wire.xray, "/TraceSummaries", b'{"StartTime": 1, "EndTime": 2, "FilterExpression": "service(\\"a\\") { fault }"}'),
        (wire.form, "monitoring", b"Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1=a&MaxRecords=7"),
    ]
    for _ in range(1000):
        call, operation, body = dice.choice(good)
        changed = bytearray(body)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(changed))
            kind = dice.randrange(3)
            if kind == 0:
                changed[at] = dice.randrange(256)
            elif kind == 1:
                del changed[at]
            else:
                changed[at:at] = bytes([dice.randrange(256)]) * dice.randint(1, 4)
        status, headers, answer = call(operation, bytes(changed))
        assert status == 200 or 400 <= status < 500, (operation, bytes(changed), answer[:300])
        assert headers["x-amzn-RequestId"]
