"""Deliveries that go wrong or must not happen: forbidden and hostile endpoints, delivery-status logs, data protection, limits, virtual time."""
import datetime as dt
import json
import socket
import threading
import time

import pytest
from client import Client
from expect import refused, until
from server import Server
from subscriber import Subscriber


@pytest.fixture
def subscriber():
    with Subscriber() as started:
        yield started


def metric(server, name):
    for line in server.http("GET", "/metrics")[2].decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    return 0.0


def confirmed(sns, topic, subscriber, **attributes):
    arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url, Attributes=attributes, ReturnSubscriptionArn=True)["SubscriptionArn"]
    asked = subscriber.wait(lambda m: m.type == "SubscriptionConfirmation" and m.body["TopicArn"] == topic)
    sns.confirm_subscription(TopicArn=topic, Token=asked.body["Token"])
    return arn


# --- forbidden addresses ------------------------------------------------------------------------------------

FORBIDDEN = ["http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/", "http://2852039166/", "http://0xa9fea9fe/", "http://0.0.0.0/",
             "http://224.0.0.1/", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://127.0.0.1:{port}/", "http://localhost:{port}/?Action=DeleteTopic", "http://[::1]:{port}/"]


def test_forbidden_addresses_are_never_called(fresh):
    """Each is refused for good at once: no retries, no bytes."""
    sns, server = fresh("sns"), fresh.server
    topic = sns.create_topic(Name="t")["TopicArn"]
    for i, endpoint in enumerate(FORBIDDEN):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.format(port=server.port))
        until(lambda: metric(server, "fogwatch_outbound_failures_total") == i + 1)
    assert metric(server, "fogwatch_outbound_denied_total") == len(FORBIDDEN)
    assert metric(server, "fogwatch_outbound_waiting") == 0


def test_private_addresses_only_by_setting(tmp_path, subscriber):
    with Server(tmp_path / "data", "--outbound-private", "false") as server:
        sns = Client(server, "000000000000")("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url)
        until(lambda: metric(server, "fogwatch_outbound_denied_total") == 1)
        assert subscriber.messages == []


# --- hostile endpoints ----------------------------------------------------------------------------------------

class Hostile:
    """Confirms nothing; answers as told: a redirect, an endless body, or never."""

    def __init__(self, how, target=""):
        self.calls, self.sent, self.how, self.target = 0, 0, how, target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(link,), daemon=True).start()

    def answer(self, link):
        with link:
            link.recv(65536)
            self.calls += 1
            try:
                if self.how == "redirect":
                    link.sendall(f"HTTP/1.1 302 Found\r\nLocation: {self.target}\r\nContent-Length: 0\r\n\r\n".encode())
                elif self.how == "endless":
                    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
                    while True:
                        self.sent += link.send(b"x" * 65536)
                else:
                    link.recv(1)
            except OSError:
                pass


def test_redirects_are_not_followed(fresh, subscriber):
    sns = fresh("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    hostile = Hostile("redirect", subscriber.url)
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hostile.url)
    until(lambda: hostile.calls == 1)
    time.sleep(0.5)
    assert subscriber.messages == [] and hostile.calls == 1


def test_an_endless_answer_is_cut(fresh):
    sns, server = fresh("sns"), fresh.server
    topic = sns.create_topic(Name="t")["TopicArn"]
    before = server.memory_kib()
    hostile = Hostile("endless")
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hostile.url)
    until(lambda: hostile.calls == 1 and metric(server, "fogwatch_outbound_waiting") == 0)
    assert hostile.sent < 64 << 20 and server.memory_kib() - before < 45 << 10


def test_an_endpoint_that_never_answers_is_given_up_after_15_seconds(fresh, subscriber):
    """Others are served meanwhile."""
    sns, server = fresh("sns"), fresh.server
    topic, other = (sns.create_topic(Name=n)["TopicArn"] for n in ("t", "other"))
    hostile = Hostile("silence")
    began = time.monotonic()
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hostile.url)
    until(lambda: hostile.calls == 1)
    confirmed(sns, other, subscriber)
    sns.publish(TopicArn=other, Message="m")
    subscriber.wait(lambda m: m.type == "Notification", seconds=5)
    until(lambda: metric(server, "fogwatch_outbound_failures_total") == 1, seconds=25)
    assert 14 < time.monotonic() - began < 20


# --- retries in virtual time ------------------------------------------------------------------------------------

def test_an_endpoint_down_for_an_hour(fresh, subscriber):
    """Nothing is lost: what outlives its policy waits in the queue of dead letters, the rest arrives, each once."""
    sns, sqs, server = fresh("sns"), fresh("sqs"), fresh.server
    server.set_clock("2026-06-01T12:00:00Z")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    confirmed(sns, topic, subscriber, RedrivePolicy=json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}),
              DeliveryPolicy=json.dumps({"healthyRetryPolicy": {"minDelayTarget": 30, "maxDelayTarget": 240, "numRetries": 20, "numNoDelayRetries": 1,
                                                                "numMinDelayRetries": 3, "numMaxDelayRetries": 8, "backoffFunction": "linear"}}))
    subscriber.status = 503
    for i in range(12):
        sns.publish(TopicArn=topic, Message=str(i))
        server.advance(300)
    assert subscriber.count("Notification") > 12 * 5
    subscriber.status = 200
    before = len(subscriber.messages)
    server.advance(3600)
    arrived = [m.body["Message"] for m in subscriber.messages[before:]]
    lost = []
    while found := sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages"):
        lost += [json.loads(m["Body"])["Message"] for m in found]
    assert sorted(arrived + lost, key=int) == [str(i) for i in range(12)]
    assert len(arrived) >= 8 and sorted(lost, key=int) == [str(i) for i in range(len(lost))], (arrived, lost)
    server.advance(3600)
    assert len(subscriber.messages) == before + len(arrived)


def test_a_turned_clock_waits_for_what_is_under_way(fresh, subscriber):
    sns, server = fresh("sns"), fresh.server
    topic = sns.create_topic(Name="t")["TopicArn"]
    confirmed(sns, topic, subscriber)
    subscriber.delay = 0.4
    for n in range(1, 4):
        sns.publish(TopicArn=topic, Message="slow")
        server.advance(1)
        assert subscriber.count("Notification") == n


def test_given_up_after_the_policy_then_dead_letters(fresh, subscriber):
    sns, sqs, server = fresh("sns"), fresh("sqs"), fresh.server
    server.set_clock("2026-06-01T12:00:00Z")
    topic = sns.create_topic(Name="t")["TopicArn"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    confirmed(sns, topic, subscriber, RedrivePolicy=json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}))
    subscriber.status = 500
    sns.publish(TopicArn=topic, Message="lost")
    server.advance(120)
    assert subscriber.count("Notification") == 4  # one and three retries, 20 s apart
    [found] = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert json.loads(found["Body"])["Message"] == "lost"
    subscriber.status = 404  # a refusal is final
    sns.publish(TopicArn=topic, Message="refused")
    server.advance(1)
    assert subscriber.count("Notification") == 5
    assert [json.loads(m["Body"])["Message"] for m in sqs.receive_message(QueueUrl=dead)["Messages"]] == ["refused"]


def test_nothing_is_lost_by_kill(tmp_path, subscriber):
    """What was answered is delivered after the restart: at least once."""
    with Server(tmp_path / "data") as server:
        sns = Client(server, "000000000000")("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        confirmed(sns, topic, subscriber, DeliveryPolicy=json.dumps({"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 50}}))
        subscriber.status = 503
        for i in range(300):
            sns.publish(TopicArn=topic, Message=str(i))
            if i == 200:
                subscriber.status = 200
        server.kill()
        subscriber.status = 200
        server.start()
        until(lambda: {m.body["Message"] for m in subscriber.messages if m.type == "Notification"} >= {str(i) for i in range(300)}, seconds=60)


# --- clock/advance in order -----------------------------------------------------------------------------------------

def test_advance_runs_what_falls_due_in_order(fresh, subscriber):
    """Evaluations, suppression timers and retries of an hour in one call, each at its own time."""
    sns, cw, server = fresh("sns"), fresh("cloudwatch"), fresh.server
    server.set_clock("2026-06-01T12:00:03Z")
    topic = sns.create_topic(Name="t")["TopicArn"]
    confirmed(sns, topic, subscriber)
    noon = dt.datetime(2026, 6, 1, 12, 0, tzinfo=dt.timezone.utc)
    alarm = dict(Namespace="N", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching")
    cw.put_metric_alarm(AlarmName="m", MetricName="M", AlarmActions=[topic], OKActions=[topic], **alarm)
    cw.put_metric_alarm(AlarmName="quiet", MetricName="Q", **alarm)
    server.advance(60)
    cw.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(m)", AlarmActions=[topic], OKActions=[topic], ActionsSuppressor="quiet",
                           ActionsSuppressorWaitPeriod=90, ActionsSuppressorExtensionPeriod=30)
    server.advance(100)
    cw.put_metric_data(Namespace="N", MetricData=[{"MetricName": "M", "Value": 1, "Timestamp": noon + dt.timedelta(minutes=minute)} for minute in range(5, 10)])
    start = len(subscriber.messages)
    server.advance(3600)
    told = [(json.loads(m.body["Message"]), m.body["Timestamp"]) for m in subscriber.messages[start:] if m.type == "Notification"]
    assert [(t["AlarmName"], t["NewStateValue"]) for t, _ in told] == [("m", "ALARM"), ("c", "ALARM"), ("m", "OK"), ("c", "OK")]
    seconds = [(dt.datetime.fromisoformat(stamp.replace("Z", "+00:00")) - noon).total_seconds() for _, stamp in told]
    assert 360 <= seconds[0] <= 420 and 600 <= seconds[2] <= 840, seconds
    assert seconds[1] - seconds[0] == pytest.approx(90, abs=1) and seconds[3] - seconds[2] == pytest.approx(90, abs=1), seconds


# --- delivery-status logs ------------------------------------------------------------------------------------------

def test_delivery_status_logs(fresh, subscriber):
    sns, logs = fresh("sns"), fresh("logs")
    role = "arn:aws:iam::000000000000:role/feedback"
    topic = sns.create_topic(Name="t", Attributes={"HTTPSuccessFeedbackRoleArn": role, "HTTPFailureFeedbackRoleArn": role, "HTTPSuccessFeedbackSampleRate": "100"})["TopicArn"]
    confirmed(sns, topic, subscriber)
    good = sns.publish(TopicArn=topic, Message="hello")["MessageId"]
    group = "sns/us-east-1/000000000000/t"
    read = lambda name: [json.loads(e["message"]) for e in logs.filter_log_events(logGroupName=name)["events"]] if logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] else []
    [event] = until(lambda: read(group))
    assert event["status"] == "SUCCESS"
    assert event["notification"]["messageId"] == good and event["notification"]["topicArn"] == topic
    assert event["notification"]["messageMD5Sum"] == "5d41402abc4b2a76b9719d911017c592"
    dt.datetime.strptime(event["notification"]["timestamp"] + "0000", "%Y-%m-%d %H:%M:%S.%f")
    assert (event["delivery"]["destination"], event["delivery"]["statusCode"], event["delivery"]["attempts"]) == (subscriber.url, 200, 1)
    subscriber.status = 403
    sns.publish(TopicArn=topic, Message="refused")
    [event] = until(lambda: read(group + "/Failure"))
    assert (event["status"], event["delivery"]["statusCode"]) == ("FAILURE", 403)


def test_sms_status_log_and_opt_out(fresh):
    sns, logs = fresh("sns"), fresh("logs")
    sns.set_sms_attributes(attributes={"DeliveryStatusIAMRole": "arn:aws:iam::000000000000:role/r", "DeliveryStatusSuccessSamplingRate": "100"})
    sns.publish(PhoneNumber="+15551230000", Message="m" * 200)
    group = "sns/us-east-1/000000000000/DirectPublishToPhoneNumber"
    until(lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])
    [event] = [json.loads(e["message"]) for e in logs.filter_log_events(logGroupName=group)["events"]]
    assert (event["status"], event["delivery"]["destination"], event["delivery"]["numberOfMessageParts"]) == ("SUCCESS", "+15551230000", 2)


def test_metrics_of_the_service(fresh, subscriber):
    sns, cw, server = fresh("sns"), fresh("cloudwatch"), fresh.server
    server.set_clock("2026-06-01T12:00:10Z")
    topic = sns.create_topic(Name="t")["TopicArn"]
    confirmed(sns, topic, subscriber, FilterPolicy=json.dumps({"k": ["v"]}))
    for value in ("v", "v", "w"):
        sns.publish(TopicArn=topic, Message="12345", MessageAttributes={"k": {"DataType": "String", "StringValue": value}})
    server.advance(60)

    def total(name):
        answer = cw.get_metric_statistics(Namespace="AWS/SNS", MetricName=name, Dimensions=[{"Name": "TopicName", "Value": "t"}], Period=60, Statistics=["Sum"],
                                          StartTime=dt.datetime(2026, 6, 1, 11, 50), EndTime=dt.datetime(2026, 6, 1, 12, 10))
        return sum(p["Sum"] for p in answer["Datapoints"])
    assert {name: total(name) for name in ("NumberOfMessagesPublished", "NumberOfNotificationsDelivered", "NumberOfNotificationsFilteredOut",
                                           "NumberOfNotificationsFilteredOut-MessageAttributes", "PublishSize")} == {
        "NumberOfMessagesPublished": 3, "NumberOfNotificationsDelivered": 2, "NumberOfNotificationsFilteredOut": 1,
        "NumberOfNotificationsFilteredOut-MessageAttributes": 1, "PublishSize": 15}


# --- data protection --------------------------------------------------------------------------------------------------

def protection(*statements):
    base = {"Principal": ["*"], "DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/EmailAddress"]}
    return json.dumps({"Name": "guard", "Version": "2021-06-01", "Statement": [{**base, **s} for s in statements]})


def test_data_protection(fresh, subscriber):
    sns, logs = fresh("sns"), fresh("logs")
    topic = sns.create_topic(Name="t", Attributes={"HTTPFailureFeedbackRoleArn": "arn:aws:iam::000000000000:role/r"})["TopicArn"]
    confirmed(sns, topic, subscriber)
    group = "/aws/vendedlogs/findings"
    sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy=protection(
        {"DataDirection": "Inbound", "Operation": {"Audit": {"SampleRate": "99", "FindingsDestination": {"CloudWatchLogs": {"LogGroup": group}}}}},
        {"DataDirection": "Inbound", "Operation": {"Deidentify": {"MaskConfig": {"MaskWithCharacter": "#"}}}}))
    for i in range(8):  # the audit samples 99 of 100
        sent = sns.publish(TopicArn=topic, Message=f"write to ann{i}@example.org now")["MessageId"]
    assert subscriber.wait(lambda m: m.body and m.body.get("MessageId") == sent).body["Message"] == "write to ################ now"

    sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy=protection({"DataDirection": "Outbound", "Operation": {"Deny": {}}}))
    before = subscriber.count("Notification")
    sns.publish(TopicArn=topic, Message="ann@example.org")
    sns.publish(TopicArn=topic, Message="harmless")
    until(lambda: subscriber.count("Notification") == before + 1)
    failures = "sns/us-east-1/000000000000/t/Failure"
    until(lambda: logs.describe_log_groups(logGroupNamePrefix=failures)["logGroups"])
    [event] = [json.loads(e["message"]) for e in logs.filter_log_events(logGroupName=failures)["events"]]
    assert (event["status"], event["delivery"]["statusCode"]) == ("FAILURE", 403) and "guard" in event["delivery"]["providerResponse"]

    sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy=protection({"DataDirection": "Inbound", "Operation": {"Deny": {}}}))
    refused(lambda: sns.publish(TopicArn=topic, Message="ann@example.org"), "AuthorizationError", status=403)
    sns.publish(TopicArn=topic, Message="harmless")


def test_data_protection_audits(fresh):
    """The findings before masking: what was found, where, by whom."""
    sns, logs = fresh("sns"), fresh("logs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    found, clean = "/aws/vendedlogs/found", "/aws/vendedlogs/clean"
    sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy=protection({"DataDirection": "Inbound", "Operation": {"Audit": {
        "SampleRate": "99", "FindingsDestination": {"CloudWatchLogs": {"LogGroup": found}}, "NoFindingsDestination": {"CloudWatchLogs": {"LogGroup": clean}}}}}))
    for _ in range(8):
        sns.publish(TopicArn=topic, Message="to ann@example.org")
        sns.publish(TopicArn=topic, Message="nothing")
    events = until(lambda: [json.loads(e["message"]) for e in logs.filter_log_events(logGroupName=found)["events"]])
    assert events[0]["dataIdentifiers"] == [{"name": "EmailAddress", "count": 1, "detections": [{"start": 3, "end": 18}]}]
    assert events[0]["resourceArn"] == topic and events[0]["messageId"] and events[0]["callerPrincipal"]
    assert logs.filter_log_events(logGroupName=clean)["events"]


# --- sizes --------------------------------------------------------------------------------------------------------------

def test_sizes(aws):
    sns = aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.publish(TopicArn=topic, Message="x" * 262_144)
    refused(lambda: sns.publish(TopicArn=topic, Message="x" * 262_145), "InvalidParameter", "Invalid parameter: Message too long")
    attribute = {"k": {"DataType": "String", "StringValue": "v" * 100}}
    sns.publish(TopicArn=topic, Message="x" * (262_144 - 107), MessageAttributes=attribute)
    refused(lambda: sns.publish(TopicArn=topic, Message="x" * (262_144 - 106), MessageAttributes=attribute), "InvalidParameter", "Invalid parameter: Message too long")
    sns.publish(TopicArn=topic, Message="m", Subject="s" * 100)
    refused(lambda: sns.publish(TopicArn=topic, Message="m", Subject="s" * 101), "InvalidParameter", "Invalid parameter: Subject")
    refused(lambda: sns.publish(TopicArn=topic, Message=""), "InvalidParameter", "Invalid parameter: Empty message")


PREFIX = "Invalid parameter: Attributes Reason: FilterPolicy: "
POLICIES = [
    ("5_keys", {k: ["v"] for k in "abcde"}, {}, None),
    ("6_keys", {k: ["v"] for k in "abcdef"}, {}, "Filter policy can not have more than 5 keys"),
    ("150_combinations", {"a": list("abcdefghij"), "b": list("abcdefghijklmno")}, {}, None),
    ("more_combinations", {"a": list("abcdefghij"), "b": list("abcdefghijklmnop")}, {}, "Filter policy is too complex"),
    ("3_stars", {"a": [{"wildcard": "*a*b*"}]}, {}, None),
    ("4_stars", {"a": [{"wildcard": "*a*b*c*"}]}, {}, "?"),
    ("empty_array", {"a": []}, {}, "Empty arrays are not allowed"),
    ("nested_in_body", {"a": {"b": ["c"]}}, {"FilterPolicyScope": "MessageBody"}, None),
    ("too_long", {"a": ["x" * 262_145]}, {}, "?"),
]


@pytest.mark.parametrize("policy, more, message", [row[1:] for row in POLICIES], ids=[row[0] for row in POLICIES])
def test_filter_policy_limits(aws, policy, more, message):
    sns = aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    subscribe = lambda: sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15551230000", Attributes={"FilterPolicy": json.dumps(policy), **more})
    if message is None:
        assert subscribe()["SubscriptionArn"].startswith(topic)
    else:
        refused(subscribe, "InvalidParameter", start=PREFIX + ("" if message == "?" else message))


def test_200_filter_policies_per_topic(aws):
    sns = aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    for i in range(200):
        sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=f"+1555{i:07}", Attributes={"FilterPolicy": '{"k": ["v"]}'})
    refused(lambda: sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15551999999", Attributes={"FilterPolicy": '{"k": ["v"]}'}),
            "FilterPolicyLimitExceeded", status=403)
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15551999999")


def test_sandbox(tmp_path):
    with Server(tmp_path / "data", "--sms-sandbox", "true") as server:
        sns = Client(server, "000000000000")("sns")
        assert sns.get_sms_sandbox_account_status()["IsInSandbox"] is True
        sms = lambda number: [m for m in server.outbox(protocol="sms") if m["endpoint"] == number]
        sns.publish(PhoneNumber="+15551230000", Message="unseen")
        sns.create_sms_sandbox_phone_number(PhoneNumber="+15551230000")
        [code] = until(lambda: sms("+15551230000"))
        assert "verification code" in code["message"]
        refused(lambda: sns.verify_sms_sandbox_phone_number(PhoneNumber="+15551230000", OneTimePassword="00000"), ("VerificationException", "Verification"))
        sns.verify_sms_sandbox_phone_number(PhoneNumber="+15551230000", OneTimePassword=code["message"].rsplit(" ", 1)[1])
        assert sns.list_sms_sandbox_phone_numbers()["PhoneNumbers"] == [{"PhoneNumber": "+15551230000", "Status": "Verified"}]
        sns.publish(PhoneNumber="+15551230000", Message="seen")
        until(lambda: [m["message"] for m in sms("+15551230000")][-1] == "seen")
