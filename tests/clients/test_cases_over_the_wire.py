"""The shared cases of filter policies and alarm evaluation, through an SDK: what the pure code answers natively must come out of the door."""
import datetime as dt
import json
import pathlib

from botocore.exceptions import ClientError
from expect import until

QUERY = pathlib.Path(__file__).resolve().parents[1] / "query"
UTC = dt.timezone.utc


def cases(folder):
    return json.loads((QUERY / folder / "cases.json").read_text())["cases"]


def attribute(value):
    if value["Type"] == "Binary":
        import base64
        return {"DataType": "Binary", "BinaryValue": base64.b64decode(value["Value"])}
    return {"DataType": value["Type"], "StringValue": value["Value"]}


def test_filter_policies(aws):
    """A topic a case with a filtered queue, and one queue that gets everything and says when all has been worked through."""
    sns, sqs = aws("sns"), aws("sqs")
    arn = lambda name: f"arn:aws:sqs:us-east-1:{aws.account}:{name}"
    sqs.create_queue(QueueName="control")
    waiting, wrong = [], []
    for i, case in enumerate(cases("filter_policy")):
        topic = sns.create_topic(Name=f"t{i}")["TopicArn"]
        url = sqs.create_queue(QueueName=f"q{i}")["QueueUrl"]
        policy = case["policy"] if isinstance(case["policy"], str) else json.dumps(case["policy"])
        try:
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(f"q{i}"),
                          Attributes={"FilterPolicy": policy, "FilterPolicyScope": case["scope"], "RawMessageDelivery": "true"})
        except ClientError as error:
            if not case.get("error"):
                wrong.append((i, "refused", error.response["Error"]["Message"]))
            elif case.get("message_contains", "") not in error.response["Error"]["Message"]:
                wrong.append((i, error.response["Error"]["Message"], case["message_contains"]))
            continue
        if case.get("error"):
            wrong.append((i, "taken", case["policy"]))
            continue
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn("control"))
        body = case.get("body", "x")
        sns.publish(TopicArn=topic, Message=body if isinstance(body, str) else json.dumps(body),
                    MessageAttributes={k: attribute(v) for k, v in case.get("attributes", {}).items()})
        waiting.append((i, case, url))
    control = sqs.get_queue_url(QueueName="control")["QueueUrl"]
    count = lambda url: int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]["ApproximateNumberOfMessages"])
    until(lambda: count(control) == len(waiting))
    for i, case, url in waiting:
        found = count(url) == 1
        if found != case["match"]:
            wrong.append((i, "matched" if found else "did not match", case))
    assert not wrong, "\n".join(map(str, wrong))
    assert len(waiting) > 50


def test_alarm_evaluation(fresh):
    """All cases as alarms of one server, evaluated together when the clock jumps to the end of their windows."""
    cw, server = fresh("cloudwatch"), fresh.server
    end = dt.datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    clock = lambda t: server.set_clock(t.isoformat().replace("+00:00", "Z"))
    clock(end - dt.timedelta(minutes=50))
    rows = cases("alarm_rules")
    for row in rows:
        cw.put_metric_alarm(AlarmName=row["id"], Namespace="Cases", MetricName=row["id"], Statistic="Average", Period=60, EvaluationPeriods=row["n"],
                            DatapointsToAlarm=row["m"], Threshold=0.5, ComparisonOperator="GreaterThanThreshold", TreatMissingData=row["treat"])
    server.advance(1)
    for row in rows:
        data = [{"MetricName": row["id"], "Value": 1 if point == "X" else 0, "Timestamp": end - dt.timedelta(minutes=len(row["points"]) - i)}
                for i, point in enumerate(row["points"]) if point != "-"]
        if data:
            cw.put_metric_data(Namespace="Cases", MetricData=data)
        cw.set_alarm_state(AlarmName=row["id"], StateValue=row["current"], StateReason="before")
    clock(end + dt.timedelta(seconds=3))
    server.advance(1)
    found = {}
    for page in cw.get_paginator("describe_alarms").paginate():
        found |= {a["AlarmName"]: (a["StateValue"], a["StateReason"]) for a in page["MetricAlarms"]}
    wrong = [(row["id"], row["title"], row["expect"], found[row["id"]]) for row in rows if found[row["id"]][0] != row["expect"]]
    assert not wrong, "\n".join(map(str, wrong))
