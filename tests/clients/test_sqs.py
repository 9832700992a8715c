"""SQS: the built-in queues, through whatever protocol this boto3 speaks (JSON 1.0 or query)."""
import json
import time

import pytest
from expect import refused, until


@pytest.fixture
def sqs(aws):
    client = aws("sqs")
    client.account, client.server = aws.account, aws.server
    client.queue = client.create_queue(QueueName="work")["QueueUrl"]
    return client


def arn(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def bodies(sqs, url, **more):
    return [m["Body"] for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **more).get("Messages", [])]


def test_queues_live_and_die(sqs):
    assert sqs.queue == f"{sqs.server.url}/{sqs.account}/work"
    assert sqs.create_queue(QueueName="work")["QueueUrl"] == sqs.queue
    assert sqs.get_queue_url(QueueName="work")["QueueUrl"] == sqs.queue
    assert arn(sqs, sqs.queue) == f"arn:aws:sqs:us-east-1:{sqs.account}:work"
    found = sqs.get_queue_attributes(QueueUrl=sqs.queue, AttributeNames=["All"])["Attributes"]
    assert {k: found[k] for k in ("VisibilityTimeout", "DelaySeconds", "MessageRetentionPeriod", "ApproximateNumberOfMessages")} == {
        "VisibilityTimeout": "30", "DelaySeconds": "0", "MessageRetentionPeriod": "345600", "ApproximateNumberOfMessages": "0"}
    sqs.create_queue(QueueName="other", Attributes={"VisibilityTimeout": "5"}, tags={"a": "1"})
    assert [u.rsplit("/", 1)[1] for u in sqs.list_queues()["QueueUrls"]] == ["other", "work"]
    assert [u.rsplit("/", 1)[1] for u in sqs.list_queues(QueueNamePrefix="wo")["QueueUrls"]] == ["work"]
    page = sqs.list_queues(MaxResults=1)
    assert [u.rsplit("/", 1)[1] for u in sqs.list_queues(MaxResults=1, NextToken=page["NextToken"])["QueueUrls"]] == ["work"]
    refused(lambda: sqs.create_queue(QueueName="other", Attributes={"VisibilityTimeout": "6"}), ("QueueAlreadyExists", "QueueNameExists"),
            "A queue already exists with the same name and a different value for attribute VisibilityTimeout")
    sqs.delete_queue(QueueUrl=sqs.queue)
    refused(lambda: sqs.get_queue_url(QueueName="work"), ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"), status=400,
            exception=sqs.exceptions.QueueDoesNotExist)


def test_tags(sqs):
    sqs.tag_queue(QueueUrl=sqs.queue, Tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=sqs.queue, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=sqs.queue)["Tags"] == {"b": "2"}


def test_send_receive_delete(sqs):
    sent = sqs.send_message(QueueUrl=sqs.queue, MessageBody="h\u00e9llo & <b>", MessageAttributes={
        "kind": {"DataType": "String", "StringValue": "x"}, "n": {"DataType": "Number", "StringValue": "1.5"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}})  # botocore checks the digests itself
    [got] = sqs.receive_message(QueueUrl=sqs.queue, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"]
    assert (got["MessageId"], got["Body"], got["MD5OfBody"]) == (sent["MessageId"], "h\u00e9llo & <b>", sent["MD5OfMessageBody"])
    assert got["MessageAttributes"]["raw"]["BinaryValue"] == b"\x00\xff" and got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert got["Attributes"]["ApproximateReceiveCount"] == "1" and int(got["Attributes"]["SentTimestamp"]) > 1_700_000_000_000
    assert bodies(sqs, sqs.queue) == []  # hidden
    counts = sqs.get_queue_attributes(QueueUrl=sqs.queue, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("0", "1")
    sqs.change_message_visibility(QueueUrl=sqs.queue, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
    [again] = sqs.receive_message(QueueUrl=sqs.queue, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert again["Attributes"] == {"ApproximateReceiveCount": "2"} and "MessageAttributes" not in again
    sqs.delete_message(QueueUrl=sqs.queue, ReceiptHandle=again["ReceiptHandle"])
    sqs.delete_message(QueueUrl=sqs.queue, ReceiptHandle=again["ReceiptHandle"])
    refused(lambda: sqs.delete_message(QueueUrl=sqs.queue, ReceiptHandle="nonsense"), "ReceiptHandleIsInvalid")
    assert sqs.get_queue_attributes(QueueUrl=sqs.queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"] == {"ApproximateNumberOfMessages": "0"}


def test_batches(sqs):
    answer = sqs.send_message_batch(QueueUrl=sqs.queue, Entries=[{"Id": str(i), "MessageBody": f"m{i}"} for i in range(9)] +
                                    [{"Id": "bad", "MessageBody": "late", "DelaySeconds": 1000}])
    assert [s["Id"] for s in answer["Successful"]] == [str(i) for i in range(9)]
    assert [(f["Id"], f["SenderFault"], f["Code"]) for f in answer["Failed"]] == [("bad", True, "InvalidParameterValue")]
    got = sqs.receive_message(QueueUrl=sqs.queue, MaxNumberOfMessages=10)["Messages"]
    assert sorted(m["Body"] for m in got) == [f"m{i}" for i in range(9)]
    changed = sqs.change_message_visibility_batch(QueueUrl=sqs.queue, Entries=[
        {"Id": "a", "ReceiptHandle": got[0]["ReceiptHandle"], "VisibilityTimeout": 0}, {"Id": "b", "ReceiptHandle": "x", "VisibilityTimeout": 0}])
    assert [s["Id"] for s in changed["Successful"]] == ["a"] and [f["Id"] for f in changed["Failed"]] == ["b"]
    removed = sqs.delete_message_batch(QueueUrl=sqs.queue, Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)])
    assert len(removed["Successful"]) == 9 and not removed.get("Failed")
    code = lambda c: ("AWS.SimpleQueueService." + c, c)
    entry = {"Id": "1", "MessageBody": "x"}
    refused(lambda: sqs.send_message_batch(QueueUrl=sqs.queue, Entries=[entry, entry]), code("BatchEntryIdsNotDistinct"), "Id 1 repeated.")
    refused(lambda: sqs.send_message_batch(QueueUrl=sqs.queue, Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(11)]),
            code("TooManyEntriesInBatchRequest"), "Maximum number of entries per request are 10. You have sent 11.")
    refused(lambda: sqs.send_message_batch(QueueUrl=sqs.queue, Entries=[{"Id": "a b", "MessageBody": "x"}]), code("InvalidBatchEntryId"))
    refused(lambda: sqs.send_message_batch(QueueUrl=sqs.queue, Entries=[{"Id": str(i), "MessageBody": "x" * 200_000} for i in range(6)]),
            code("BatchRequestTooLong"))


def test_limits(sqs):
    refused(lambda: sqs.send_message(QueueUrl=sqs.queue, MessageBody="a\u0000b"), "InvalidMessageContents")
    refused(lambda: sqs.send_message(QueueUrl=sqs.queue, MessageBody=""), "MissingParameter", "The request must contain the parameter MessageBody.")
    refused(lambda: sqs.send_message(QueueUrl=sqs.queue, MessageBody="x" * 1_048_577), "InvalidParameterValue",
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.")
    refused(lambda: sqs.receive_message(QueueUrl=sqs.queue, MaxNumberOfMessages=11), "InvalidParameterValue",
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.")
    refused(lambda: sqs.set_queue_attributes(QueueUrl=sqs.queue, Attributes={"VisibilityTimeout": "43201"}), "InvalidAttributeValue",
            "Invalid value for the parameter VisibilityTimeout.")
    refused(lambda: sqs.set_queue_attributes(QueueUrl=sqs.queue, Attributes={"Colour": "red"}), "InvalidAttributeName", "Unknown Attribute Colour.")
    refused(lambda: sqs.create_queue(QueueName="a b"), "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
    sqs.purge_queue(QueueUrl=sqs.queue)
    refused(lambda: sqs.purge_queue(QueueUrl=sqs.queue), ("AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress"),
            "Only one PurgeQueue operation on work is allowed every 60 seconds.")


def test_long_poll_wakes_and_ends(sqs):
    import threading
    threading.Timer(0.5, lambda: sqs.send_message(QueueUrl=sqs.queue, MessageBody="there")).start()
    began = time.monotonic()
    assert bodies(sqs, sqs.queue, WaitTimeSeconds=10) == ["there"]
    assert 0.3 < time.monotonic() - began < 4
    began = time.monotonic()
    assert bodies(sqs, sqs.queue, WaitTimeSeconds=2) == []
    assert 1 < time.monotonic() - began < 5


def test_many_polls_hold_no_thread(sqs):
    """Twenty receivers wait; the server still answers others, and every receiver gets one message."""
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(bodies, sqs, sqs.queue, WaitTimeSeconds=15) for _ in range(20)]
        time.sleep(0.7)
        assert sqs.list_queues()["QueueUrls"]
        for i in range(20):
            sqs.send_message(QueueUrl=sqs.queue, MessageBody=str(i))
        got = [body for future in waiting for body in future.result(20)]
        got += bodies(sqs, sqs.queue) + bodies(sqs, sqs.queue)
    assert sorted(got, key=int) == [str(i) for i in range(20)]


def test_visibility_delay_and_dead_letters_in_virtual_time(fresh):
    sqs, server = fresh("sqs"), fresh.server
    server.set_clock("2026-06-01T12:00:00Z")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    queue = sqs.create_queue(QueueName="q", Attributes={"RedrivePolicy": json.dumps(
        {"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 2})})["QueueUrl"]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [queue]
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=60)
    assert bodies(sqs, queue) == []
    server.advance(60)
    for _ in range(2):
        assert bodies(sqs, queue, VisibilityTimeout=30) == ["late"]
        assert bodies(sqs, queue) == []
        server.advance(30)
    assert bodies(sqs, queue) == []
    [moved] = sqs.receive_message(QueueUrl=dead, AttributeNames=["All"])["Messages"]
    assert moved["Body"] == "late" and moved["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, queue)
    sqs.send_message(QueueUrl=dead, MessageBody="forgotten")
    server.advance(4 * 86400 + 1)
    assert bodies(sqs, dead) == []  # past its retention


def test_fifo(fresh):
    sqs, server = fresh("sqs"), fresh.server
    server.set_clock("2026-06-01T12:00:00Z")
    queue = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
    sent = [sqs.send_message(QueueUrl=queue, MessageBody=f"{group}{i}", MessageGroupId=group) for i in range(3) for group in "ab"]
    assert [s["SequenceNumber"] for s in sent] == sorted(s["SequenceNumber"] for s in sent)
    twin = sqs.send_message(QueueUrl=queue, MessageBody="a0", MessageGroupId="a")
    assert twin["MessageId"] == sent[0]["MessageId"]
    [first] = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert first["Body"] == "a0"
    assert bodies(sqs, queue) == ["b0", "b1", "b2"]  # group a waits for its first message
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
    assert bodies(sqs, queue) == ["a1", "a2"]
    refused(lambda: sqs.send_message(QueueUrl=queue, MessageBody="x"), "MissingParameter", "The request must contain the parameter MessageGroupId.")
    server.advance(301)
    assert sqs.send_message(QueueUrl=queue, MessageBody="a0", MessageGroupId="a")["MessageId"] != sent[0]["MessageId"]


def test_queues_survive_kill(fresh):
    sqs, server = fresh("sqs"), fresh.server
    queue = sqs.create_queue(QueueName="q", tags={"k": "v"})["QueueUrl"]
    for i in range(20):
        sqs.send_message(QueueUrl=queue, MessageBody=str(i))
    [gone] = sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=gone["ReceiptHandle"])
    [hidden] = sqs.receive_message(QueueUrl=queue)["Messages"]
    server.kill()
    server.start()
    sqs = fresh("sqs")
    queue = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"k": "v"}
    got = bodies(sqs, queue) + bodies(sqs, queue) + bodies(sqs, queue)
    assert sorted(map(int, got)) == sorted(set(range(20)) - {int(gone["Body"]), int(hidden["Body"])})
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=hidden["ReceiptHandle"])


def test_fan_out_to_queues(aws):
    """One topic, two queues, filters; envelope and raw; the trace header goes on."""
    sns, sqs = aws("sns"), aws("sqs")
    topic = sns.create_topic(Name="orders")["TopicArn"]
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("all", "eu")}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(sqs, queues["all"]))
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(sqs, queues["eu"]),
                  Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"region": ["eu"]})})
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    sns.meta.events.register("before-send.sns.Publish", lambda request, **_: request.headers.__setitem__("X-Amzn-Trace-Id", trace))
    sent = sns.publish(TopicArn=topic, Message="one", Subject="S", MessageAttributes={"region": {"DataType": "String", "StringValue": "eu"}})
    sns.publish(TopicArn=topic, Message="two", MessageAttributes={"region": {"DataType": "String", "StringValue": "us"}})
    got = []
    until(lambda: got.extend(sqs.receive_message(QueueUrl=queues["all"], MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"]).get("Messages", [])) or len(got) == 2)
    envelopes = {json.loads(m["Body"])["Message"]: json.loads(m["Body"]) for m in got}
    assert set(envelopes) == {"one", "two"} and envelopes["one"]["MessageId"] == sent["MessageId"]
    assert list(envelopes["one"])[:5] == ["Type", "MessageId", "TopicArn", "Subject", "Message"] and envelopes["one"]["Signature"]
    assert {m["Attributes"]["AWSTraceHeader"] for m in got} == {trace}
    [raw] = sqs.receive_message(QueueUrl=queues["eu"], MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageAttributeNames=["All"])["Messages"]
    assert raw["Body"] == "one" and raw["MessageAttributes"]["region"]["StringValue"] == "eu"


def test_dead_letters_of_a_topic(aws):
    """A queue that is gone: what was meant for it goes to the queue of dead letters."""
    sns, sqs = aws("sns"), aws("sqs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    gone = sqs.create_queue(QueueName="gone")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(sqs, gone),
                  Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn(sqs, dead)})})
    sqs.delete_queue(QueueUrl=gone)
    sns.publish(TopicArn=topic, Message="lost")
    [found] = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=10)["Messages"]
    assert json.loads(found["Body"])["Message"] == "lost"


def test_query_protocol_by_hand(server):
    """Flattened members in and out, whatever the SDK here speaks."""
    import urllib.parse

    def call(**parameters):
        status, headers, body = server.http("POST", "/", urllib.parse.urlencode({"Version": "2012-11-05", **parameters}),
                                            {"Content-Type": "application/x-www-form-urlencoded",
                                             "Authorization": "AWS4-HMAC-SHA256 Credential=000000000123/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"})
        return status, headers, body.decode()
    status, _, text = call(**{"Action": "CreateQueue", "QueueName": "byhand", "Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "7", "Tag.1.Key": "a", "Tag.1.Value": "b"})
    url = text.split("<QueueUrl>")[1].split("</QueueUrl>")[0]
    assert status == 200 and url.endswith("/000000000123/byhand") and '<CreateQueueResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">' in text
    text = call(**{"Action": "GetQueueAttributes", "QueueUrl": url, "AttributeName.1": "VisibilityTimeout"})[2]
    assert "<GetQueueAttributesResult><Attribute><Name>VisibilityTimeout</Name><Value>7</Value></Attribute></GetQueueAttributesResult>" in text
    text = call(**{"Action": "SendMessageBatch", "QueueUrl": url, "SendMessageBatchRequestEntry.1.Id": "x", "SendMessageBatchRequestEntry.1.MessageBody": "hi",
                   "SendMessageBatchRequestEntry.1.MessageAttribute.1.Name": "k", "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType": "String",
                   "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue": "v"})[2]
    assert "<SendMessageBatchResultEntry><Id>x</Id>" in text
    text = call(**{"Action": "ReceiveMessage", "QueueUrl": url, "MessageAttributeName.1": "All"})[2]
    assert "<Message><MessageId>" in text and "<MessageAttribute><Name>k</Name><Value><StringValue>v</StringValue>" in text
    status, _, text = call(Action="DeleteQueue", QueueUrl=url + "x")
    assert status == 400 and "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in text
    status, headers, body = server.http("POST", "/", json.dumps({"QueueUrl": url + "x"}), {
        "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.DeleteQueue"})
    assert status == 400 and headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert json.loads(body)["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"


def test_a_topic_with_active_tracing_is_part_of_the_trace(aws):
    sqs, sns, xray = aws("sqs"), aws("sns"), aws("xray")
    url = sqs.create_queue(QueueName="traced-queue")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    arn = sns.create_topic(Name="traced-topic", Attributes={"TracingConfig": "Active"})["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    trace_id, parent = f"1-{int(time.time()):08x}-{'1234567890abcdef12345678'}", "53995c3f42cd8ad8"
    headers = {"sampled": f"Root={trace_id};Parent={parent};Sampled=1", "other": f"Root=1-{int(time.time()):08x}-{'0' * 24};Parent={parent};Sampled=0"}
    sent = {}
    sns.meta.events.register("before-send.sns.Publish", lambda request, **_: request.headers.__setitem__("X-Amzn-Trace-Id", sent["header"]))
    for name, header in headers.items():
        sent["header"] = header
        sns.publish(TopicArn=arn, Message=name)
    got = {}
    while len(got) < 2:
        for m in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, AttributeNames=["All"]).get("Messages", []):
            got[json.loads(m["Body"])["Message"]] = m["Attributes"]["AWSTraceHeader"]
    assert got["other"] == headers["other"]  # passed on as it came

    def documents():
        traces = xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
        return {d["origin"]: d for t in traces for s in t["Segments"] for d in [json.loads(s["Document"])]}

    found = until(lambda: (d := documents()) and "AWS::SQS" in d and d)  # what the delivery leads to is inferred
    topic = found["AWS::SNS::Topic"]
    [delivery] = topic["subsegments"]
    assert (topic["name"], topic["parent_id"]) == ("traced-topic", parent)
    assert (delivery["name"], delivery["namespace"]) == ("SQS", "aws")
    assert got["sampled"] == f"Root={trace_id};Parent={topic['id']};Sampled=1"
    assert not xray.batch_get_traces(TraceIds=[headers["other"][5:40]])["Traces"]
