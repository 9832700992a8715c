"""Injected faults as SDKs meet them: their retries see what they would see of AWS on a bad day."""
import time

import botocore
import pytest


@pytest.fixture
def faults(server, aws):
    """Sets rules for this test's account alone; none are left behind."""
    def put(*rules):
        server.control("PUT", "faults", {"rules": [{"account": aws.account, **rule} for rule in rules]})
    yield put
    server.control("DELETE", "faults")


def fired(server):
    return [rule["fired"] for rule in server.control("GET", "faults")["rules"]]


THROTTLED = [("cloudwatch", "list_metrics", ("ThrottlingException", "Throttling"), 400),
             ("logs", "describe_log_groups", ("ThrottlingException",), 400),
             ("xray", "get_sampling_rules", ("ThrottledException",), 429),
             ("sns", "list_topics", ("Throttled",), 429)]


@pytest.mark.parametrize("service, call, codes, status", THROTTLED)
def test_throttling_in_the_words_of_each_service(server, aws, faults, service, call, codes, status):
    faults({"service": service, "throttle": True, "count": 1})
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(aws(service), call)()
    assert caught.value.response["Error"]["Code"] in codes
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    getattr(aws(service), call)()  # the rule is spent
    assert fired(server) == [1]


def test_an_sdk_retries_through_them(server, aws, faults):
    faults({"service": "logs", "throttle": True, "count": 1},
           {"service": "logs", "error": {"code": "InternalFailure", "status": 500}, "count": 1},
           {"service": "logs", "drop": True, "count": 1})
    aws("logs", retries={"max_attempts": 4, "mode": "standard"}).describe_log_groups()
    assert fired(server) == [1, 1, 1]


def test_a_dropped_connection_has_no_answer(aws, faults):
    faults({"service": "sns", "operation": "ListTopics", "drop": True})
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        aws("sns").list_topics()
    aws("sns").list_subscriptions()


def test_latency_delays_the_right_answer(aws, faults):
    faults({"service": "cloudwatch", "operation": "ListMetrics", "latency_ms": 300})
    began = time.monotonic()
    assert aws("cloudwatch").list_metrics()["Metrics"] == []
    assert time.monotonic() - began >= 0.3


def test_faults_outlive_a_reset_and_nobody_else_meets_them(server, aws, faults):
    faults({"service": "sns", "throttle": True})
    server.control("POST", "reset", {"account": aws.account})
    with pytest.raises(botocore.exceptions.ClientError):
        aws("sns").list_topics()
    aws.account = "999999999999"
    aws("sns").list_topics()


def test_bad_rules_are_refused_and_change_nothing(server, faults):
    faults({"service": "sns", "drop": True, "count": 0})
    for body in (b"", b"[]", b'{"rules": [{"service": "s3", "drop": true}]}', b'{"rules": [{"probability": 2, "drop": true}]}'):
        status, _, answer = server.http("PUT", "/_fogwatch/faults", body)
        assert status == 400 and b"InvalidFaults" in answer, answer
    assert len(server.control("GET", "faults")["rules"]) == 1
    assert server.http("POST", "/_fogwatch/faults")[0] == 405
