"""The API over TLS with access keys in force: SDKs and the CLI sign for real and check the certificate."""
import datetime as dt
import gzip
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from server import Server, binary

ACCOUNT = "123456789012"
ALL = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
JS = pathlib.Path(__file__).parent / "js"


def keys(*words):
    return subprocess.run([str(binary()), "keys", *words], capture_output=True, text=True, timeout=20)


def make_certificate(folder, name="localhost"):
    """A certificate authority and a certificate that it signed: server.crt, server.key, ca.pem."""
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    ca, ca_key, key, crt = folder / "ca.pem", folder / "ca.key", folder / "server.key", folder / "server.crt"
    if not ca.exists():
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj", "/CN=Test CA",
                "-addext", "keyUsage=critical,keyCertSign", "-out", ca, "-keyout", ca_key)
    request, extensions = folder / "request.pem", folder / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-out", request, "-keyout", folder / "fresh.key")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", 2, "-extfile", extensions, "-out", folder / "fresh.crt")
    (folder / "fresh.key").chmod(0o600)
    (folder / "fresh.key").rename(key)
    (folder / "fresh.crt").rename(crt)
    return str(crt), str(key), str(ca)


class Sealed:
    """A server with TLS and the key `admin`."""

    def __init__(self, folder, *args):
        self.folder = folder
        self.crt, self.key, self.ca = make_certificate(folder)
        (folder / "all.json").write_text(json.dumps(ALL))
        made = keys("add", "--file", str(folder / "keys.json"), "--name", "admin", "--account", ACCOUNT, "--policy", str(folder / "all.json"))
        assert made.returncode == 0, made.stderr
        self.access_key, self.secret = (line.split(" = ")[1] for line in made.stdout.splitlines()[:2])
        self.server = Server(folder / "data", "--tls-cert", self.crt, "--tls-key", self.key, "--keys-file", str(folder / "keys.json"), *args)

    def client(self, service, **config):
        return boto3.client(service, region_name="us-east-1", endpoint_url=self.server.url, verify=self.ca, aws_access_key_id=self.access_key,
                            aws_secret_access_key=self.secret, config=Config(retries={"max_attempts": 0}, **config))

    def environment(self):
        return {**os.environ, "AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}

    def context(self):
        return ssl.create_default_context(cafile=self.ca)

    def subject(self):
        with socket.create_connection(("127.0.0.1", self.server.port)) as raw, self.context().wrap_socket(raw, server_hostname="127.0.0.1") as link:
            return dict(pair[0] for pair in link.getpeercert()["subject"])["commonName"]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    made = Sealed(tmp_path_factory.mktemp("tls"))
    with made.server:
        yield made


def test_metrics_and_alarms(sealed):
    metrics = sealed.client("cloudwatch")
    now = dt.datetime.now(dt.timezone.utc)
    metrics.put_metric_data(Namespace="Tls", MetricData=[{"MetricName": "m", "Value": n, "Timestamp": now, "Dimensions": [{"Name": "d", "Value": "e v+/="}]}
                                                         for n in range(500)])
    got = metrics.get_metric_statistics(Namespace="Tls", MetricName="m", Dimensions=[{"Name": "d", "Value": "e v+/="}], Period=3600,
                                        StartTime=now - dt.timedelta(hours=2), EndTime=now + dt.timedelta(hours=1), Statistics=["SampleCount"])
    assert got["Datapoints"][0]["SampleCount"] == 500
    metrics.put_metric_alarm(AlarmName="a", Namespace="Tls", MetricName="m", Period=60, EvaluationPeriods=1, Threshold=1,
                             ComparisonOperator="GreaterThanThreshold", Statistic="Sum")
    assert [a["AlarmName"] for a in metrics.describe_alarms()["MetricAlarms"]] == ["a"]
    with pytest.raises(ClientError) as caught:
        metrics.put_metric_data(Namespace="Tls", MetricData=[{"MetricName": "m", "Value": 1, "Dimensions": [{"Name": "d", "Value": "\u00e9"}]}])
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_logs_with_a_large_batch_and_a_query(sealed):
    logs = sealed.client("logs")
    logs.create_log_group(logGroupName="/tls", tags={"k": "v w"})
    logs.create_log_stream(logGroupName="/tls", logStreamName="s")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + n, "message": f"line {n} " + "x" * 150} for n in range(5000)]  # a body of about 1 MB
    logs.put_log_events(logGroupName="/tls", logStreamName="s", logEvents=events)
    got = logs.get_log_events(logGroupName="/tls", logStreamName="s", startFromHead=True)["events"]
    assert [e["message"] for e in got] == [e["message"] for e in events[:len(got)]] and len(got) > 1000
    query = logs.start_query(logGroupName="/tls", startTime=now // 1000 - 60, endTime=now // 1000 + 60, queryString="stats count(*) as n")["queryId"]
    for _ in range(100):
        answer = logs.get_query_results(queryId=query)
        if answer["status"] == "Complete":
            break
        time.sleep(0.05)
    assert answer["results"] == [[{"field": "n", "value": "5000"}]]


def test_live_tail_streams_over_tls(sealed):
    logs = sealed.client("logs")
    logs.create_log_group(logGroupName="/tail")
    logs.create_log_stream(logGroupName="/tail", logStreamName="s")
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/tail"
    try:
        stream = logs.start_live_tail(logGroupIdentifiers=[arn])["responseStream"]
    except Exception as error:  # SDKs put "streaming-" before the host, which an address of numbers cannot have
        pytest.skip(f"this SDK cannot be pointed at an address for live tail: {error}")
    messages = []
    for event in stream:
        if "sessionStart" in event:
            logs.put_log_events(logGroupName="/tail", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "seen"}])
        messages += [r["message"] for r in event.get("sessionUpdate", {}).get("sessionResults", [])]
        if messages:
            break
    assert messages == ["seen"]


def test_traces_topics_queues_and_identity(sealed):
    xray, sns, sqs = sealed.client("xray"), sealed.client("sns"), sealed.client("sqs")
    now = time.time()
    trace = f"1-{int(now):08x}-{os.urandom(12).hex()}"
    xray.put_trace_segments(TraceSegmentDocuments=[json.dumps({"trace_id": trace, "id": os.urandom(8).hex(), "name": "tls", "start_time": now - 1, "end_time": now})])
    assert xray.batch_get_traces(TraceIds=[trace])["Traces"][0]["Id"] == trace
    assert xray.get_sampling_rules()["SamplingRuleRecords"]
    topic = sns.create_topic(Name="tls")["TopicArn"]
    queue = sqs.create_queue(QueueName="tls")["QueueUrl"]
    assert queue.startswith("https://")
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="by TLS")
    got = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    envelope = json.loads(got[0]["Body"])
    assert envelope["Message"] == "by TLS" and envelope["UnsubscribeURL"].startswith("https://")
    assert sealed.client("sts").get_caller_identity()["Account"] == ACCOUNT


def test_a_wrong_signature_and_a_certificate_nobody_signed(sealed, tmp_path):
    wrong = boto3.client("logs", region_name="us-east-1", endpoint_url=sealed.server.url, verify=sealed.ca, aws_access_key_id=sealed.access_key,
                         aws_secret_access_key="x" * 40)
    with pytest.raises(ClientError) as caught:
        wrong.describe_log_groups()
    assert caught.value.response["Error"]["Code"] in ("SignatureDoesNotMatch", "InvalidSignatureException")
    (tmp_path / "other").mkdir()
    _, _, other = make_certificate(tmp_path / "other")
    stranger = boto3.client("logs", region_name="us-east-1", endpoint_url=sealed.server.url, verify=other, aws_access_key_id="a", aws_secret_access_key="b",
                            config=Config(retries={"max_attempts": 0}))
    with pytest.raises(Exception, match="(?i)certificate verify failed"):
        stranger.describe_log_groups()


def test_the_command_line_tool(sealed):
    aws = shutil.which("aws")
    if aws is None:
        pytest.skip("no aws command here")
    def run(*words):
        done = subprocess.run([aws, "--endpoint-url", sealed.server.url, "--ca-bundle", sealed.ca, "--output", "json", *words], capture_output=True, text=True,
                              env=sealed.environment(), timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")
    run("cloudwatch", "put-metric-data", "--namespace", "Cli", "--metric-name", "m", "--value", "1")
    run("logs", "create-log-group", "--log-group-name", "/cli")
    assert [g["logGroupName"] for g in run("logs", "describe-log-groups", "--log-group-name-prefix", "/cli")["logGroups"]] == ["/cli"]
    assert run("sns", "create-topic", "--name", "cli")["TopicArn"].endswith(":cli")
    assert run("xray", "get-sampling-rules")["SamplingRuleRecords"]
    assert run("sts", "get-caller-identity")["Account"] == ACCOUNT


def test_the_javascript_sdk(sealed):
    node = next((str(n) for n in (pathlib.Path(__file__).resolve().parents[2] / "build").glob("node*/bin/node")), None) or shutil.which("node")
    if node is None or not (JS / "node_modules").exists():
        pytest.skip("no Node, or the SDK for it is not installed")
    done = subprocess.run([node, str(JS / "tls_calls.mjs")], capture_output=True, text=True, cwd=JS, timeout=80,
                          env={**sealed.environment(), "NODE_EXTRA_CA_CERTS": sealed.ca, "FOGWATCH_URL": sealed.server.url})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith("all done"), done.stdout


def test_plain_http_on_the_tls_port_is_told_what_to_do(sealed):
    link = http.client.HTTPConnection("127.0.0.1", sealed.server.port, timeout=10)
    link.request("GET", "/health")
    answer = link.getresponse()
    assert answer.status == 400 and b"use https://" in answer.read() and answer.headers["Connection"] == "close"


def test_pages_are_hardened(sealed):
    link = http.client.HTTPSConnection("127.0.0.1", sealed.server.port, context=sealed.context(), timeout=10)
    for browser in ({"User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},):
        link.request("GET", "/console/", headers=browser)
        answer = link.getresponse()
        answer.read()
        policy = answer.headers["Content-Security-Policy"]
        assert answer.status in (200, 404)
        if answer.status == 404:
            pytest.skip("built without its console")
        assert "frame-ancestors 'none'" in policy and "object-src 'none'" in policy and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_a_certificate_is_replaced_while_calls_go_on(tmp_path):
    made = Sealed(tmp_path)
    with made.server:
        logs = made.client("logs")
        logs.describe_log_groups()
        assert made.subject() == "localhost"
        link = made.context().wrap_socket(socket.create_connection(("127.0.0.1", made.server.port)), server_hostname="127.0.0.1")
        make_certificate(tmp_path, "renewed")
        for _ in range(100):  # it is noticed without a signal
            if made.subject() == "renewed":
                break
            time.sleep(0.05)
        assert made.subject() == "renewed"
        link.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 200")  # begun with the old one
        pathlib.Path(made.key).write_text("broken")
        made.server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert made.subject() == "renewed"
        make_certificate(tmp_path, "third")
        made.server.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            if made.subject() == "third":
                break
            time.sleep(0.02)
        assert made.subject() == "third"
        logs.describe_log_groups()
        assert "stays in force" in made.server.log()


@pytest.mark.parametrize("spoil, words", [
    (lambda f: (f / "server.key").chmod(0o644), "can be read or changed by others"),
    (lambda f: shutil.copy(f / "ca.key", f / "server.key"), "is not the key of the certificate"),
    (lambda f: (f / "server.key").write_text("x"), "no private key in PEM form"),
    (lambda f: (f / "server.crt").write_text("x"), "no certificate in PEM form"),
    (lambda f: (f / "server.crt").unlink(), "No such file"),
])
def test_what_is_wrong_with_the_files_is_said_at_the_start(tmp_path, spoil, words):
    crt, key, _ = make_certificate(tmp_path)
    spoil(tmp_path)
    server = Server(tmp_path / "data", "--tls-cert", crt, "--tls-key", key)
    with pytest.raises(RuntimeError, match=words):
        server.start()
    assert server.process.wait(10) == 2


def test_a_certificate_needs_its_key(tmp_path):
    done = subprocess.run([str(binary()), "serve", "--ephemeral", "--tls-cert", "x"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "tls-cert needs tls-key" in done.stderr


def test_compressed_and_chunked_bodies_over_tls(sealed):
    # an older botocore compresses nothing and does not know the setting
    knows = "request_min_compression_size_bytes" in Config.OPTION_DEFAULTS
    metrics = sealed.client("cloudwatch", **({"request_min_compression_size_bytes": 128} if knows else {}))
    metrics.put_metric_data(Namespace="Zip", MetricData=[{"MetricName": f"m{n}", "Value": n} for n in range(200)])
    link = http.client.HTTPSConnection("127.0.0.1", sealed.server.port, context=sealed.context(), timeout=10)
    link.request("POST", "/v1/traces", gzip.compress(b"{}"), {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert link.getresponse().status == 403  # unsigned
