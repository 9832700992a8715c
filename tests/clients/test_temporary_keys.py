"""Temporary credentials where signatures are enforced: they do what their key may, less what their session policy
leaves out, until they expire or their key is revoked; a restart ends none of them."""
import json
import signal
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from site_server import ACCOUNT, Site, fogwatch

ROLE = f"arn:aws:iam::{ACCOUNT}:role/ops/reader"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("temporary")) as site:
        yield site


def client(site, service, given, token=None):
    return boto3.client(service, region_name="us-east-1", endpoint_url=site.server.url, aws_access_key_id=given["AccessKeyId"],
                        aws_secret_access_key=given["SecretAccessKey"], aws_session_token=token or given["SessionToken"], config=Config(retries={"max_attempts": 0}))


def policy(*actions, effect="Allow"):
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": list(actions), "Resource": "*"}})


def refused(call, **input):
    with pytest.raises(ClientError) as caught:
        call(**input)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_a_session_token_stands_for_its_key_in_every_protocol(site):
    given = site.client("sts").get_session_token()["Credentials"]
    assert given["AccessKeyId"].startswith("ASIA") and 12 * 3600 - 60 < given["Expiration"].timestamp() - time.time() < 12 * 3600 + 60
    client(site, "cloudwatch", given).put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1}])
    client(site, "logs", given).create_log_group(logGroupName="/temporary")
    client(site, "sns", given).create_topic(Name="temporary")
    client(site, "xray", given).get_groups()
    me = client(site, "sts", given).get_caller_identity()
    assert (me["Arn"], me["Account"]) == (f"arn:aws:iam::{ACCOUNT}:user/admin", ACCOUNT)
    assert me["UserId"] == site.client("sts").get_caller_identity()["UserId"]


def test_a_session_does_no_more_than_its_key(site):
    given = site.client("sts", "monitor").get_session_token()["Credentials"]  # as at AWS, this takes no policy
    client(site, "cloudwatch", given).put_metric_data(Namespace="WaferMonitor", MetricData=[{"MetricName": "m", "Value": 1}])
    code, message = refused(client(site, "logs", given).describe_log_groups)
    assert code == "AccessDeniedException" and "user/monitor is not authorized" in message and "no identity-based policy allows" in message
    assert refused(site.client("sts", "monitor").assume_role, RoleArn=ROLE, RoleSessionName="me")[0] in ("AccessDenied", "AccessDeniedException")


def test_a_role_is_a_session_that_its_policy_narrows(site):
    made = site.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="nightly", Policy=policy("logs:*", "sts:*"), DurationSeconds=900)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/nightly"
    assert made["AssumedRoleUser"]["Arn"] == arn and 0 < made["PackedPolicySize"] < 20
    given = made["Credentials"]
    assert client(site, "sts", given).get_caller_identity()["Arn"] == arn
    client(site, "logs", given).describe_log_groups()
    code, message = refused(client(site, "sns", given).list_topics)
    assert code == "AuthorizationError" and f"User: {arn} is not authorized" in message
    assert message.endswith("because no session policy allows the sns:ListTopics action"), message
    # A role assumed with it keeps what narrowed this one.
    chained = client(site, "sts", given).assume_role(RoleArn=ROLE, RoleSessionName="chained", Policy=policy("logs:DescribeLogGroups", "sns:*"))["Credentials"]
    client(site, "logs", chained).describe_log_groups()
    assert refused(client(site, "sns", chained).list_topics)[0] == "AuthorizationError"
    assert refused(client(site, "logs", chained).create_log_group, logGroupName="/no")[0] == "AccessDeniedException"
    denying = site.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="no", Policy=policy("logs:*", effect="Deny"))["Credentials"]
    assert "with an explicit deny in a session policy" in refused(client(site, "logs", denying).describe_log_groups)[1]


@pytest.mark.parametrize("change, code", [
    ({"RoleArn": "arn:aws:iam::999999999999:role/reader"}, "AccessDenied"),
    ({"Policy": "{}"}, "MalformedPolicyDocument"),
    ({"Policy": policy("a" * 2100)}, "ValidationError"),
    ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}, "MalformedPolicyDocument"),
    ({"DurationSeconds": 43201}, "ValidationError")])
def test_bad_roles(site, change, code):
    if change.get("DurationSeconds", 0) > 43200 or len(change.get("Policy", "")) > 2048:
        ask = boto3.client("sts", region_name="us-east-1", endpoint_url=site.server.url, aws_access_key_id=site.secrets["admin"][0],
                           aws_secret_access_key=site.secrets["admin"][1], config=Config(parameter_validation=False, retries={"max_attempts": 0}))
    else:
        ask = site.client("sts")
    assert refused(ask.assume_role, **{"RoleArn": ROLE, "RoleSessionName": "me", **change})[0] == code


def test_a_session_makes_no_sessions_of_its_own_and_no_long_roles(site):
    sts = client(site, "sts", site.client("sts").get_session_token()["Credentials"])
    assert refused(sts.get_session_token) == ("AccessDenied", "Cannot call GetSessionToken with session credentials")
    assert "role chaining" in refused(sts.assume_role, RoleArn=ROLE, RoleSessionName="me", DurationSeconds=7200)[1]
    assert refused(sts.assume_role_with_web_identity, RoleArn=ROLE, RoleSessionName="me", WebIdentityToken="a.e30.b")[0] in (
        "InvalidIdentityToken", "AccessDenied", "AccessDeniedException", "MissingAuthenticationToken")


def test_tokens_are_not_made_up(site):
    given = site.client("sts").get_session_token()["Credentials"]
    other = site.client("sts", "monitor").get_session_token()["Credentials"]
    token = given["SessionToken"]
    for wrong in (token[:-8] + "AAAAAAAA", "A" + token[1:] if token[0] != "A" else "B" + token[1:], other["SessionToken"], "FwoGZXIvYXdzEnonsense", "x" * 20_000):
        code, message = refused(client(site, "logs", given, wrong).describe_log_groups)
        assert (code, message) == ("UnrecognizedClientException", "The security token included in the request is invalid."), wrong[:40]
    unsigned = {**given, "SessionToken": None}
    assert refused(client(site, "logs", unsigned).describe_log_groups)[0] == "UnrecognizedClientException"
    forged = {**given, "SecretAccessKey": "x" * 40}
    assert refused(client(site, "logs", forged).describe_log_groups)[0] == "InvalidSignatureException"


def test_they_outlive_a_restart_and_end_with_their_key(tmp_path):
    with Site(tmp_path) as site:
        site.add_key("short", json.loads(policy("logs:*", "sts:*")))
        site.server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while True:  # until the file has been read again
            try:
                given = site.client("sts", "short").get_session_token()["Credentials"]
                break
            except ClientError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        client(site, "logs", given).describe_log_groups()
        site.server.stop()
        site.server.start()
        client(site, "logs", given).describe_log_groups()
        assert fogwatch("keys", "revoke", "--file", site.file, site.secrets["short"][0]).returncode == 0
        site.server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                client(site, "logs", given).describe_log_groups()
                time.sleep(0.05)
            except ClientError as error:
                assert error.response["Error"]["Code"] == "UnrecognizedClientException"
                return
        raise AssertionError("a session outlived its key")
