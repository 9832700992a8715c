"""What suites written against LocalStack or moto look at: start-up, health, state, what was sent, what was measured."""
import json
import re
import time

import pytest


def get(server, path):
    status, _, body = server.http("GET", path)
    assert status == 200, (path, status, body)
    return json.loads(body)


def test_the_wait_strategies_of_testcontainers_are_met(server):
    """Java waits for the line `.*Ready\\.\\n`, Node for "Ready" in the log, Python and others ask for health."""
    assert re.fullmatch(r".*Ready\.\n", server.lines[-1] + "\n")
    health = get(server, "/_localstack/health")
    assert {health["services"][name] for name in ("cloudwatch", "logs", "sns", "sqs", "xray", "sts")} <= {"running", "available"} and health["version"]
    assert server.http("HEAD", "/_localstack/health")[0] == 200


def test_info_and_stages(server):
    info = get(server, "/_localstack/info")
    assert info["version"] and info["edition"] and isinstance(info["uptime"], int) and info["is_license_activated"] is False
    assert get(server, "/_localstack/init")["completed"] == {"BOOT": True, "START": True, "READY": True, "SHUTDOWN": False}
    assert get(server, "/_localstack/init/ready") == {"completed": True, "scripts": []}
    assert server.http("GET", "/_localstack/init/nothing")[0] == 404


@pytest.mark.parametrize("path", ["/_localstack/state/reset", "/moto-api/reset"])
def test_state_is_reset(fresh, path):
    fresh("sns").create_topic(Name="t")
    assert fresh.server.http("GET", path)[0] == 405
    assert fresh.server.http("POST", path)[0] == 200
    assert fresh("sns").list_topics()["Topics"] == []


@pytest.mark.parametrize("path", ["/_aws/cloudwatch/metrics/raw", "/cloudwatch/metrics/raw"])
def test_metrics_as_they_were_put(fresh, path):
    assert get(fresh.server, path) == {"metrics": []}
    now = int(time.time()) // 60 * 60
    dimensions = [{"Name": "d", "Value": "v"}]
    fresh("cloudwatch").put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1.5, "Timestamp": now}, {"MetricName": "m", "Value": 2.5, "Timestamp": now},
                                                                  {"MetricName": "x", "Values": [7.0], "Counts": [2], "Timestamp": now, "Dimensions": dimensions}])
    metrics = get(fresh.server, path)["metrics"]
    assert sorted((m["ns"], m["n"], m["v"], m["t"], tuple((d["n"], d["v"]) for d in m["d"])) for m in metrics) == [
        ("N", "m", 1.5, now, ()), ("N", "m", 2.5, now, ()), ("N", "x", 7.0, now, (("d", "v"),)), ("N", "x", 7.0, now, (("d", "v"),))]
    assert {(m["account"], m["region"]) for m in metrics} == {("000000000000", "us-east-1")}


def test_what_was_sent_by_sms_and_push(fresh):
    sns = fresh("sns")
    sns.publish(PhoneNumber="+15551230000", Message="hello")
    deadline = time.monotonic() + 5
    while not get(fresh.server, "/_aws/sns/sms-messages")["sms_messages"] and time.monotonic() < deadline:
        time.sleep(0.05)
    messages = get(fresh.server, "/_aws/sns/sms-messages?accountId=000000000000&region=us-east-1&phoneNumber=%2B15551230000")
    [message] = messages["sms_messages"]["+15551230000"]
    assert message["Message"] == "hello" and message["PhoneNumber"] == "+15551230000" and message["TopicArn"] is None and messages["region"] == "us-east-1"
    assert fresh.server.http("DELETE", "/_aws/sns/sms-messages")[0] == 204
    assert get(fresh.server, "/_aws/sns/sms-messages")["sms_messages"] == {}
    application = sns.create_platform_application(Name="app", Platform="GCM", Attributes={"PlatformCredential": "key"})["PlatformApplicationArn"]
    endpoint = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="token")["EndpointArn"]
    sns.publish(TargetArn=endpoint, Message="push")
    deadline = time.monotonic() + 5
    while not get(fresh.server, "/_aws/sns/platform-endpoint-messages")["platform_endpoint_messages"] and time.monotonic() < deadline:
        time.sleep(0.05)
    [message] = get(fresh.server, "/_aws/sns/platform-endpoint-messages")["platform_endpoint_messages"][endpoint]
    assert message["TargetArn"] == endpoint and "push" in message["Message"]


def test_subscription_tokens(fresh):
    sns = fresh("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com", ReturnSubscriptionArn=True)["SubscriptionArn"]
    deadline = time.monotonic() + 5
    while fresh.server.http("GET", f"/_aws/sns/subscription-tokens/{arn}")[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    answer = get(fresh.server, f"/_aws/sns/subscription-tokens/{arn}")
    assert answer["subscription_arn"] == arn
    assert sns.confirm_subscription(TopicArn=topic, Token=answer["subscription_token"])["SubscriptionArn"] == arn
    assert fresh.server.http("GET", "/_aws/sns/subscription-tokens/arn:none")[0] == 404
