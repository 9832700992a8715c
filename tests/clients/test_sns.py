"""SNS: topics, subscriptions with their handshake, publishing, delivery by http and into the outbox."""
import json
import urllib.parse

import pytest
from expect import pages, refused, token_in, until
from subscriber import Subscriber


@pytest.fixture
def sns(aws):
    client = aws("sns")
    client.account, client.server = aws.account, aws.server
    client.topic = client.create_topic(Name="ops")["TopicArn"]
    return client


@pytest.fixture
def subscriber():
    with Subscriber() as started:
        yield started


def confirmed(sns, subscriber, **attributes):
    """ARN of an http subscription that went through the handshake."""
    arn = sns.subscribe(TopicArn=sns.topic, Protocol="http", Endpoint=subscriber.url, Attributes=attributes, ReturnSubscriptionArn=True)["SubscriptionArn"]
    asked = subscriber.wait(lambda m: m.type == "SubscriptionConfirmation")
    sns.confirm_subscription(TopicArn=sns.topic, Token=asked.body["Token"])
    return arn


def test_topics_live_and_die(sns):
    assert sns.topic == f"arn:aws:sns:us-east-1:{sns.account}:ops"
    assert sns.create_topic(Name="ops")["TopicArn"] == sns.topic
    attributes = sns.get_topic_attributes(TopicArn=sns.topic)["Attributes"]
    assert {k: attributes[k] for k in ("TopicArn", "Owner", "DisplayName", "SubscriptionsConfirmed", "SubscriptionsPending", "SubscriptionsDeleted")} == {
        "TopicArn": sns.topic, "Owner": sns.account, "DisplayName": "", "SubscriptionsConfirmed": "0", "SubscriptionsPending": "0", "SubscriptionsDeleted": "0"}
    assert json.loads(attributes["Policy"])["Id"] == "__default_policy_ID"
    assert json.loads(attributes["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3
    sns.set_topic_attributes(TopicArn=sns.topic, AttributeName="DisplayName", AttributeValue="Operations")
    assert sns.get_topic_attributes(TopicArn=sns.topic)["Attributes"]["DisplayName"] == "Operations"
    refused(lambda: sns.create_topic(Name="ops", Attributes={"DisplayName": "other"}), "InvalidParameter",
            "Invalid parameter: Attributes Reason: Topic already exists with different attributes")
    sns.delete_topic(TopicArn=sns.topic)
    sns.delete_topic(TopicArn=sns.topic)
    refused(lambda: sns.get_topic_attributes(TopicArn=sns.topic), "NotFound", "Topic does not exist", status=404,
            exception=sns.exceptions.NotFoundException)


def test_topics_page_by_100(aws):
    sns = aws("sns")
    arns = sorted(sns.create_topic(Name=f"t{i:03}")["TopicArn"] for i in range(120))
    found = pages(sns.list_topics, "Topics")
    assert [len(page) for page in found] == [100, 20]
    assert sorted(t["TopicArn"] for page in found for t in page) == arns
    assert aws("sns", region="eu-west-1").list_topics()["Topics"] == []


def test_tags(sns):
    sns.tag_resource(ResourceArn=sns.topic, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sns.untag_resource(ResourceArn=sns.topic, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=sns.topic)["Tags"] == [{"Key": "b", "Value": "2"}]
    refused(lambda: sns.tag_resource(ResourceArn=sns.topic, Tags=[{"Key": "a", "Value": "1"}] * 2), "InvalidParameter",
            "Invalid parameter: Duplicated keys are not allowed.")
    refused(lambda: sns.list_tags_for_resource(ResourceArn=sns.topic + "x"), "ResourceNotFound", status=404)


def test_http_handshake_and_delivery(sns, subscriber):
    answer = sns.subscribe(TopicArn=sns.topic, Protocol="http", Endpoint=subscriber.url)
    assert answer["SubscriptionArn"] == "pending confirmation"
    assert sns.list_subscriptions_by_topic(TopicArn=sns.topic)["Subscriptions"][0]["SubscriptionArn"] == "PendingConfirmation"
    asked = subscriber.wait(lambda m: m.type == "SubscriptionConfirmation")
    assert asked.headers["x-amz-sns-topic-arn"] == sns.topic
    assert asked.body["Message"] == (f"You have chosen to subscribe to the topic {sns.topic}.\n"
                                     "To confirm the subscription, visit the SubscribeURL included in this message.")
    status, _, text = sns.server.http("GET", asked.body["SubscribeURL"].split(str(sns.server.port), 1)[1])
    assert status == 200 and b"<ConfirmSubscriptionResult><SubscriptionArn>" + sns.topic.encode() in text
    arn = sns.list_subscriptions_by_topic(TopicArn=sns.topic)["Subscriptions"][0]["SubscriptionArn"]
    assert arn.startswith(sns.topic + ":")

    message = sns.publish(TopicArn=sns.topic, Subject="Hi", Message="a b&c=d+\u00e9*~\n\u2713",
                          MessageAttributes={"kind": {"DataType": "String", "StringValue": "x"}, "bin": {"DataType": "Binary", "BinaryValue": b"\x00\xff\x10"}})["MessageId"]
    got = subscriber.wait(lambda m: m.type == "Notification")
    assert (got.headers["x-amz-sns-message-id"], got.headers["x-amz-sns-subscription-arn"]) == (message, arn)
    assert got.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert (got.body["Subject"], got.body["Message"], got.body["MessageId"]) == ("Hi", "a b&c=d+\u00e9*~\n\u2713", message)
    assert got.body["MessageAttributes"] == {"kind": {"Type": "String", "Value": "x"}, "bin": {"Type": "Binary", "Value": "AP8Q"}}
    assert list(got.body)[:5] == ["Type", "MessageId", "TopicArn", "Subject", "Message"]

    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions_by_topic(TopicArn=sns.topic)["Subscriptions"] == []


def test_signature_is_valid(sns, subscriber):
    """Checked with openssl's own verifier against the certificate the message names."""
    import base64
    import subprocess
    import tempfile
    confirmed(sns, subscriber)
    sns.publish(TopicArn=sns.topic, Message="signed", Subject="S")
    body = subscriber.wait(lambda m: m.type == "Notification").body
    text = "".join(f"{name}\n{body[name]}\n" for name in ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"))
    status, _, pem = sns.server.http("GET", urllib.parse.urlparse(body["SigningCertURL"]).path)
    assert status == 200 and pem.startswith(b"-----BEGIN CERTIFICATE-----")
    with tempfile.TemporaryDirectory() as folder:
        def file(name, data):
            with open(f"{folder}/{name}", "wb") as out:
                out.write(data)
            return f"{folder}/{name}"
        key = subprocess.run(["openssl", "x509", "-pubkey", "-noout", "-in", file("pem", pem)], check=True, capture_output=True).stdout
        digest = {"1": "-sha1", "2": "-sha256"}[body["SignatureVersion"]]
        subprocess.run(["openssl", "dgst", digest, "-verify", file("key", key), "-signature", file("signature", base64.b64decode(body["Signature"])),
                        file("text", text.encode())], check=True, capture_output=True)


def test_raw_delivery(sns, subscriber):
    confirmed(sns, subscriber, RawMessageDelivery="true")
    sns.publish(TopicArn=sns.topic, Message="just this")
    got = subscriber.wait(lambda m: m.type == "Notification")
    assert got.raw == b"just this" and got.headers["x-amz-sns-rawdelivery"] == "true"


def test_email_and_sms_go_to_the_outbox(sns):
    waiting = sns.subscribe(TopicArn=sns.topic, Protocol="email", Endpoint="ann@example.org")["SubscriptionArn"]
    assert waiting == "pending confirmation"
    sms = sns.subscribe(TopicArn=sns.topic, Protocol="sms", Endpoint="+15551234567")["SubscriptionArn"]
    assert sms.startswith(sns.topic + ":")
    outbox = lambda **more: [m for m in sns.server.outbox(topic=sns.topic) if all(m[k] == v for k, v in more.items())]
    [mail] = until(lambda: outbox(protocol="email"))
    assert (mail["endpoint"], mail["subject"]) == ("ann@example.org", "AWS Notification - Subscription Confirmation")
    token = token_in(mail)
    arn = sns.confirm_subscription(TopicArn=sns.topic, Token=token)["SubscriptionArn"]
    assert sns.confirm_subscription(TopicArn=sns.topic, Token=token)["SubscriptionArn"] == arn
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "false"
    sns.publish(TopicArn=sns.topic, Subject="Disk", Message="full")
    [text] = until(lambda: outbox(protocol="sms"))
    assert (text["endpoint"], text["message"]) == ("+15551234567", "full")
    found = until(lambda: [m for m in outbox(protocol="email") if m["subject"] == "Disk"])
    assert found[0]["message"].startswith("full")


def test_message_structure_json(sns):
    sns.subscribe(TopicArn=sns.topic, Protocol="sms", Endpoint="+15557654321")
    sns.publish(TopicArn=sns.topic, MessageStructure="json", Message=json.dumps({"default": "long text", "sms": "short"}))
    [text] = until(lambda: sns.server.outbox(topic=sns.topic, protocol="sms"))
    assert text["message"] == "short"


def test_filter_policy_is_stored(sns, subscriber):
    arn = confirmed(sns, subscriber)
    policy = json.dumps({"kind": ["a"]})
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=policy)
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert json.loads(attributes["FilterPolicy"]) == {"kind": ["a"]} and attributes["FilterPolicyScope"] == "MessageAttributes"
    assert attributes["TopicArn"] == sns.topic and attributes["Protocol"] == "http" and attributes["Owner"] == sns.account


def test_failing_endpoint_is_tried_again(fresh):
    """Three more tries, 20 s apart by the default policy, on a clock the test moves."""
    with Subscriber() as subscriber:
        sns = fresh("sns")
        topic = sns.create_topic(Name="ops")["TopicArn"]
        fresh.server.control("PUT", "clock", {"now": "2026-06-01T12:00:00Z", "rate": 0})
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url)
        sns.confirm_subscription(TopicArn=topic, Token=subscriber.wait(lambda m: m.type == "SubscriptionConfirmation").body["Token"])
        subscriber.status = 500
        sns.publish(TopicArn=topic, Message="x")
        until(lambda: subscriber.count("Notification") == 1)
        fresh.server.advance(45)
        assert subscriber.count("Notification") == 3
        fresh.server.advance(600)
        assert subscriber.count("Notification") == 4
        assert len({m.headers["x-amz-sns-message-id"] for m in subscriber.messages if m.type == "Notification"}) == 1


def test_publish_batch(sns, subscriber):
    confirmed(sns, subscriber)
    answer = sns.publish_batch(TopicArn=sns.topic, PublishBatchRequestEntries=[{"Id": str(i), "Message": f"m{i}"} for i in range(10)])
    assert [e["Id"] for e in answer["Successful"]] == [str(i) for i in range(10)] and answer["Failed"] == []
    until(lambda: subscriber.count("Notification") == 10)
    assert sorted(m.body["Message"] for m in subscriber.messages if m.type == "Notification") == sorted(f"m{i}" for i in range(10))


def entry(id="a", **more):
    return {"Id": id, "Message": "m"} | more


INVALID = "InvalidParameter"
BAD = [
    ("topic_name", "create_topic", {"Name": "a b"}, INVALID, "Invalid parameter: Topic Name"),
    ("topic_name_of_257", "create_topic", {"Name": "t" * 257}, INVALID, "Invalid parameter: Topic Name"),
    ("fifo_without_attribute", "create_topic", {"Name": "a.fifo"}, INVALID, "Invalid parameter: Topic Name"),
    ("short_arn", "publish", {"TopicArn": "arn:aws:sns"}, INVALID, "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 3"),
    ("unknown_topic", "publish", {"TopicArn": "arn:aws:sns:us-east-1:{account}:none"}, "NotFound", "Topic does not exist"),
    ("empty_message", "publish", {"Message": ""}, INVALID, "Invalid parameter: Empty message"),
    ("message_too_long", "publish", {"Message": "x" * 262_145}, INVALID, "Invalid parameter: Message too long"),
    ("subject_empty", "publish", {"Subject": ""}, INVALID, "Invalid parameter: Subject"),
    ("subject_of_101", "publish", {"Subject": "s" * 101}, INVALID, "Invalid parameter: Subject"),
    ("subject_with_line_break", "publish", {"Subject": "a\nb"}, INVALID, "Invalid parameter: Subject"),
    ("no_message", "publish", {"Message": None}, "ValidationError",
     "1 validation error detected: Value null at 'message' failed to satisfy constraint: Member must not be null"),
    ("structure_not_json", "publish", {"MessageStructure": "json"}, INVALID, "Invalid parameter: Message Structure - JSON message body failed to parse"),
    ("structure_no_default", "publish", {"MessageStructure": "json", "Message": "{}"}, INVALID,
     "Invalid parameter: Message Structure - No default entry in JSON message body"),
    ("phone", "publish", {"TopicArn": None, "PhoneNumber": "12x"}, INVALID, "Invalid parameter: PhoneNumber Reason: 12x is not valid to publish to"),
    ("attribute_type", "publish", {"MessageAttributes": {"a": {"DataType": "Odd", "StringValue": "x"}}}, "ParameterValueInvalid",
     "The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."),
    ("attribute_empty", "publish", {"MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}}, "ParameterValueInvalid",
     "The message attribute 'a' must contain non-empty message attribute value for message attribute type 'String'."),
    ("deduplication_on_standard", "publish", {"MessageDeduplicationId": "x"}, INVALID,
     "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type"),
    ("protocol", "subscribe", {"Protocol": "fax"}, INVALID, "Invalid parameter: Amazon SNS does not support this protocol string: fax"),
    ("http_endpoint", "subscribe", {"Endpoint": "ftp://x"}, INVALID, "Invalid parameter: Endpoint must match the specified protocol"),
    ("sms_endpoint", "subscribe", {"Protocol": "sms", "Endpoint": "abc"}, INVALID, "Invalid SMS endpoint: abc"),
    ("sqs_endpoint", "subscribe", {"Protocol": "sqs", "Endpoint": "http://q"}, INVALID, "Invalid parameter: SQS endpoint ARN"),
    ("subscription_attribute", "subscribe", {"Attributes": {"Odd": "x"}}, INVALID, "Invalid parameter: Attributes Reason: AttributeName"),
    ("raw_delivery", "subscribe", {"Attributes": {"RawMessageDelivery": "x"}}, INVALID,
     "Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [x]. Must be true or false."),
    ("read_only_attribute", "set_topic_attributes", {"AttributeName": "Owner"}, INVALID, "Invalid parameter: AttributeName"),
    ("token", "confirm_subscription", {"Token": "bogus"}, INVALID, None),
    ("unknown_subscription", "get_subscription_attributes", {"SubscriptionArn": "arn:aws:sns:us-east-1:{account}:ops:00000000-0000-0000-0000-000000000000"},
     "NotFound", "Subscription does not exist"),
    ("unsubscribe_topic", "unsubscribe", {"SubscriptionArn": "arn:aws:sns:us-east-1:{account}:ops"}, INVALID, "Invalid parameter: SubscriptionId"),
    ("batch_empty", "publish_batch", {"PublishBatchRequestEntries": []}, "EmptyBatchRequest", None),
    ("batch_of_11", "publish_batch", {"PublishBatchRequestEntries": [entry(str(i)) for i in range(11)]}, "TooManyEntriesInBatchRequest",
     "The batch request contains more entries than permissible."),
    ("batch_same_id", "publish_batch", {"PublishBatchRequestEntries": [entry(), entry()]}, "BatchEntryIdsNotDistinct",
     "Two or more batch entries in the request have the same Id."),
    ("batch_id", "publish_batch", {"PublishBatchRequestEntries": [entry("a b")]}, "InvalidBatchEntryId", None),
    ("batch_too_long", "publish_batch", {"PublishBatchRequestEntries": [entry(str(i), Message="x" * 140_000) for i in range(2)]}, "BatchRequestTooLong",
     "The length of all the messages put together is more than the limit."),
]


@pytest.mark.parametrize("operation, change, code, message", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_call(sns, operation, change, code, message):
    defaults = {"create_topic": {}, "publish": {"TopicArn": sns.topic, "Message": "m"},
                "subscribe": {"TopicArn": sns.topic, "Protocol": "http", "Endpoint": "http://127.0.0.1:1/"},
                "set_topic_attributes": {"TopicArn": sns.topic, "AttributeValue": "x"}, "confirm_subscription": {"TopicArn": sns.topic},
                "get_subscription_attributes": {}, "unsubscribe": {}, "publish_batch": {"TopicArn": sns.topic}}
    request = {k: v.replace("{account}", sns.account) if isinstance(v, str) else v for k, v in (defaults[operation] | change).items() if v is not None}
    refused(lambda: getattr(sns, operation)(**request), code, message, status=404 if code == "NotFound" else 400)
    assert sns.list_subscriptions()["Subscriptions"] == [] and len(sns.list_topics()["Topics"]) == 1


def test_the_largest_message(sns, subscriber):
    confirmed(sns, subscriber)
    sns.publish(TopicArn=sns.topic, Message="x" * 262_144)
    assert len(subscriber.wait(lambda m: m.type == "Notification").body["Message"]) == 262_144


def test_presigned_publish(sns):
    """A signed URL works from any program; an unsigned GET of another action does not."""
    url = sns.generate_presigned_url("publish", Params={"TopicArn": sns.topic, "Message": "a b"}, HttpMethod="GET")
    parts = urllib.parse.urlparse(url)
    status, headers, body = sns.server.http("GET", f"/?{parts.query}")
    assert status == 200 and b"<MessageId>" in body and headers["Content-Type"].startswith("text/xml")
    status, _, body = sns.server.http("GET", f"/?Action=Publish&TopicArn={urllib.parse.quote(sns.topic)}&Message=x")
    assert status == 403 and b"<Code>MissingAuthenticationToken</Code>" in body
