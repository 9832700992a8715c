"""A server with a keys file: signatures are verified, policies enforced, pages shut."""
import signal
import time

import boto3
import botocore
import pytest
from botocore.config import Config
from server import Server
from site_server import ACCOUNT, Site, fogwatch


def keys(*words):
    return fogwatch("keys", *words)


@pytest.fixture
def locked(tmp_path):
    with Site(tmp_path) as made:
        yield made


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    error = caught.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Message"]


def test_the_wafer_monitor_may_do_its_work_and_nothing_else(locked):
    metrics, logs, xray, sns = (locked.client(name, "monitor") for name in ("cloudwatch", "logs", "xray", "sns"))
    metrics.put_metric_data(Namespace="WaferMonitor", MetricData=[{"MetricName": "Etch", "Value": 1}])
    user = f"arn:aws:iam::{ACCOUNT}:user/monitor"
    code, status, message = refused(metrics.put_metric_data, Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1}])
    assert code in ("AccessDenied", "AccessDeniedException") and status in (400, 403)
    assert message == (f"User: {user} is not authorized to perform: cloudwatch:PutMetricData on resource: * "
                       "because no identity-based policy allows the cloudwatch:PutMetricData action")
    logs.create_log_group(logGroupName="/wafer-monitor/etch")
    logs.create_log_stream(logGroupName="/wafer-monitor/etch", logStreamName="s1")
    logs.put_log_events(logGroupName="/wafer-monitor/etch", logStreamName="s1",
                        logEvents=[{"timestamp": int(time.time() * 1000), "message": "hot"}])
    code, status, message = refused(logs.create_log_group, logGroupName="/wafer-monitor")
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"logs:CreateLogGroup on resource: arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/wafer-monitor" in message
    assert refused(logs.get_log_events, logGroupName="/wafer-monitor/etch", logStreamName="s1")[0] == "AccessDeniedException"
    xray.put_trace_segments(TraceSegmentDocuments=[])
    assert refused(xray.get_sampling_rules)[:2] == ("AccessDeniedException", 403)
    assert refused(sns.create_topic, Name="t")[:2] == ("AuthorizationError", 403)
    assert [g["logGroupName"] for g in locked.client("logs", "admin").describe_log_groups()["logGroups"]] == ["/wafer-monitor/etch"]


def test_wrong_signatures_and_unknown_keys(locked):
    rows = [("cloudwatch", "list_metrics"), ("logs", "describe_log_groups"), ("xray", "get_sampling_rules"), ("sns", "list_topics")]
    for service, call in rows:
        wrong = locked.client(service, "admin", secret="x" * 40)
        assert refused(getattr(wrong, call))[0] in ("SignatureDoesNotMatch", "InvalidSignatureException"), service
        unsigned = locked.client(service, "admin", signature_version=botocore.UNSIGNED)
        assert refused(getattr(unsigned, call))[0].startswith("MissingAuthenticationToken"), service
        stranger = boto3.client(service, region_name="us-east-1", endpoint_url=locked.server.url, aws_access_key_id="AKIAUNKNOWN00001",
                                aws_secret_access_key="x" * 40)
        assert refused(getattr(stranger, call))[0] in ("InvalidClientTokenId", "UnrecognizedClientException"), service


def test_pages_console_and_receivers_are_shut(locked):
    server = locked.server
    assert server.http("GET", "/health")[0] == 200
    for method, path in (("GET", "/_fogwatch/requests"), ("POST", "/_fogwatch/reset"), ("POST", "/_fogwatch/clock/advance"), ("GET", "/_aws/sns/sms-messages"),
                         ("POST", "/v1/traces"), ("POST", "/services/collector/event"), ("GET", "/health/detailed")):
        status, _, body = server.http(method, path, b"{}" if method == "POST" else None)
        assert status == 403, (path, status, body)
    assert locked.client("sts", "monitor").get_caller_identity()["Account"] == ACCOUNT


def test_keys_are_listed_without_secrets_and_revoked_without_a_restart(locked):
    key, secret = locked.secrets["monitor"]
    listed = keys("list", "--file", locked.file).stdout
    assert key in listed and secret not in listed
    locked.client("xray", "monitor").put_trace_segments(TraceSegmentDocuments=[])
    assert keys("revoke", "--file", locked.file, key).returncode == 0
    locked.server.process.send_signal(signal.SIGHUP)
    for _ in range(100):
        try:
            locked.client("xray", "monitor").put_trace_segments(TraceSegmentDocuments=[])
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "UnrecognizedClientException"
            break
        time.sleep(0.05)
    else:
        pytest.fail("the revoked key still works")
    (locked.folder / "keys.json").write_text("broken")
    locked.server.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    locked.client("sns", "admin").list_topics()  # what was read before stays in force


def test_a_server_does_not_start_with_a_wrong_keys_file(tmp_path):
    (tmp_path / "keys.json").write_text('{"keys": []}')
    (tmp_path / "keys.json").chmod(0o644)
    with pytest.raises(RuntimeError, match="may be read by others"):
        Server(tmp_path / "data", "--keys-file", str(tmp_path / "keys.json")).start()
