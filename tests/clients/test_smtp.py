"""E-mail through a real SMTP relay (aiosmtpd): STARTTLS, AUTH, layout, confirmation by the mail's link."""
import email
import email.policy
import re
import ssl
import subprocess
import threading
import urllib.parse

import pytest
from client import Client
from expect import refused, until
from server import Server

pytest.importorskip("aiosmtpd", reason="aiosmtpd is not installed here (tests/clients/requirements.txt)")
from aiosmtpd.controller import Controller  # noqa: E402
from aiosmtpd.smtp import SMTP, AuthResult  # noqa: E402


class Sink:
    """Keeps every mail that a relay would take on."""

    def __init__(self, **options):
        self.mails, self.envelopes, self.logins, self.tls = [], [], [], []
        self.arrived = threading.Condition()
        self.refuse = None  # "550 no such user"
        sink = self

        class Handler:
            async def handle_RCPT(self, server, session, envelope, address, options):
                if sink.refuse:
                    return sink.refuse
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, server, session, envelope):
                with sink.arrived:
                    sink.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
                    sink.envelopes.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
                    sink.tls.append(session.ssl is not None)
                    sink.arrived.notify_all()
                return "250 taken"

        def login(server, session, envelope, mechanism, data):
            sink.logins.append((data.login, data.password))
            return AuthResult(success=(data.login, data.password) == (b"fog", b"secret"))

        context, require_auth = options.get("tls_context"), options.get("auth", False)

        class Relay(Controller):
            def factory(self):
                return SMTP(self.handler, tls_context=context, require_starttls=context is not None, auth_required=require_auth,
                            authenticator=login, auth_require_tls=context is not None, enable_SMTPUTF8=True)
        self.relay = Relay(Handler(), hostname="127.0.0.1", port=0)

    def __enter__(self):
        # Port 0 is chosen here: the controller cannot tell which one it got.
        import socket
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.relay.port = probe.getsockname()[1]
        self.relay.start()
        return self

    def __exit__(self, *_):
        self.relay.stop()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.relay.port}"

    def wait(self, wanted, seconds=20):
        import time
        deadline = time.monotonic() + seconds
        with self.arrived:
            while True:
                for mail in self.mails:
                    if wanted(mail):
                        return mail
                left = deadline - time.monotonic()
                assert left > 0, f"no such mail: {[m['Subject'] for m in self.mails]}"
                self.arrived.wait(left)


@pytest.fixture
def relay():
    with Sink() as sink:
        yield sink


@pytest.fixture
def mailed(tmp_path, relay):
    with Server(tmp_path / "data", "--smtp-url", relay.url, "--smtp-from", "no-reply@sns.example.org") as server:
        yield Client(server, "000000000000")


def text_of(mail):
    return mail.get_content().replace("\r\n", "\n")


def open_link(server, url):
    parts = urllib.parse.urlparse(url)
    status, _, body = server.http("GET", parts.path + "?" + parts.query)
    return status, body.decode()


def test_subscription_confirmed_by_the_mails_link(mailed, relay):
    sns, server = mailed("sns"), mailed.server
    topic = sns.create_topic(Name="ops", Attributes={"DisplayName": "Operations"})["TopicArn"]
    assert sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ann@example.org")["SubscriptionArn"] == "pending confirmation"
    mail = relay.wait(lambda m: m["Subject"] == "AWS Notification - Subscription Confirmation")
    assert mail["From"] == "Operations <no-reply@sns.example.org>" and mail["To"] == "ann@example.org"
    assert mail.get_content_type() == "text/html" and f"<b>{topic}</b>" in text_of(mail)
    [link] = re.findall(r'<a href="([^"]+)">Confirm subscription</a>', text_of(mail))
    assert re.match(re.escape(server.url) + r"/confirmation\.html\?TopicArn=" + re.escape(topic) + r"&Token=[0-9a-f]+&Endpoint=ann@example\.org$", link)
    status, page = open_link(server, link)
    assert status == 200 and "<h1>Subscription confirmed!</h1>" in page and "Your subscription's id is:" in page
    [found] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert found["SubscriptionArn"].startswith(topic + ":") and found["SubscriptionArn"] in page

    sns.publish(TopicArn=topic, Subject="Disk", Message="full\nreally")
    mail = relay.wait(lambda m: m["Subject"] == "Disk")
    text = text_of(mail)
    assert mail.get_content_type() == "text/plain" and mail.get_content_charset() == "utf-8"
    assert text.split("\n\n--\n")[0] == "full\nreally"
    footer = text.split("\n\n--\n")[1].split("\n")
    assert footer[0].startswith("If you wish to stop receiving notifications from this topic")
    assert footer[1] == f"{server.url}/unsubscribe.html?SubscriptionArn={found['SubscriptionArn']}&Endpoint=ann@example.org"
    assert footer[2] == "" and footer[3].startswith("Please do not reply directly to this email")
    sns.publish(TopicArn=topic, Message="\u00e4\u00f6\u2713 \U0001f600")
    mail = relay.wait(lambda m: m["Subject"] == "AWS Notification Message")
    assert text_of(mail).startswith("\u00e4\u00f6\u2713 \U0001f600\n\n--\n")
    status, page = open_link(server, footer[1])
    assert status == 200 and "Subscription removed!" in page
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_email_json_carries_the_envelope(mailed, relay):
    import json
    sns = mailed("sns")
    topic = sns.create_topic(Name="ops")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="bot@example.org")
    asked = json.loads(text_of(relay.wait(lambda m: "Confirmation" in m["Subject"])))
    assert (asked["Type"], asked["TopicArn"]) == ("SubscriptionConfirmation", topic)
    sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])
    sns.publish(TopicArn=topic, Subject="S", Message="m")
    got = json.loads(text_of(relay.wait(lambda m: m["Subject"] == "S")).split("\n\n--\n")[0])
    assert (got["Type"], got["Message"], got["Subject"]) == ("Notification", "m", "S") and got["Signature"]


def test_no_line_break_reaches_a_header(mailed, relay):
    sns = mailed("sns")
    topic = sns.create_topic(Name="ops")["TopicArn"]
    for subject in ("a\r\nBcc: x@example.org", "a\nb", "a\rb", "\u0007"):
        refused(lambda: sns.publish(TopicArn=topic, Subject=subject, Message="m"), "InvalidParameter", "Invalid parameter: Subject")
    for address in ("ann@example.org\r\nBcc: x@example.org", "ann@example.org>\r\nDATA", "no at sign"):
        refused(lambda: sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address), "InvalidParameter", "Invalid parameter: Email address")
    refused(lambda: sns.create_topic(Name="x", Attributes={"DisplayName": "a\r\nBcc: x@example.org"}), "InvalidParameter")


def test_a_refused_recipient_is_tried_again_in_virtual_time(mailed, relay):
    sns, server = mailed("sns"), mailed.server
    server.set_clock("2026-06-01T12:00:00Z")
    topic = sns.create_topic(Name="ops")["TopicArn"]
    relay.refuse = "451 try later"
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ann@example.org")
    server.advance(15)
    assert relay.mails == []
    relay.refuse = None
    server.advance(60)
    relay.wait(lambda m: "Confirmation" in m["Subject"])


def test_starttls_and_auth(tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with Sink(tls_context=context, auth=True) as relay:
        options = ["--smtp-url", relay.url, "--smtp-require-tls", "true", "--smtp-user", "fog", "--smtp-ca", str(cert)]
        with Server(tmp_path / "data", *options, env={"FOGWATCH_SMTP_PASSWORD": "secret"}) as server:
            sns = Client(server, "000000000000")("sns")
            topic = sns.create_topic(Name="ops")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ann@example.org")
            relay.wait(lambda m: "Confirmation" in m["Subject"])
            assert relay.logins == [(b"fog", b"secret")] and relay.tls == [True]
            assert relay.envelopes[0][:2] == ("no-reply@fogwatch.localhost", ["ann@example.org"])
            assert "secret" not in server.log(1 << 20)
        # A relay whose certificate nobody vouches for gets neither password nor mail.
        with Server(tmp_path / "other", *options[:-2], env={"FOGWATCH_SMTP_PASSWORD": "secret"}) as server:
            sns = Client(server, "000000000000")("sns")
            topic = sns.create_topic(Name="ops")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="bob@example.org")
            until(lambda: b"fogwatch_outbound_failures_total 1" in server.http("GET", "/metrics")[2])
            assert len(relay.mails) == 1 and len(relay.logins) == 1


# --- the lab: an error in a function, told by mail ---------------------------------------------------------

def test_lambda_errors_lab(mailed, relay):
    """Topic, mail confirmed by its link, alarm on AWS/Lambda Errors > 0 over 5 minutes, errors, ALARM mail, recovery, OK mail."""
    import datetime as dt
    sns, cw, server = mailed("sns"), mailed("cloudwatch"), mailed.server
    start = dt.datetime(2026, 6, 1, 12, 0, tzinfo=dt.timezone.utc)
    server.set_clock((start + dt.timedelta(seconds=3)).isoformat().replace("+00:00", "Z"))
    topic = sns.create_topic(Name="mlops-lambda-alerts")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="student@example.org")
    mail = relay.wait(lambda m: "Confirmation" in m["Subject"])
    assert open_link(server, re.findall(r'href="([^"]+)"', text_of(mail))[0])[0] == 200
    cw.put_metric_alarm(AlarmName="mlops-lambda-errors", AlarmDescription="Errors of the model", Namespace="AWS/Lambda", MetricName="Errors",
                        Dimensions=[{"Name": "FunctionName", "Value": "predict"}], Statistic="Sum", Period=300, EvaluationPeriods=1,
                        Threshold=0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching", AlarmActions=[topic], OKActions=[topic])
    server.advance(60)
    assert cw.describe_alarms()["MetricAlarms"][0]["StateValue"] == "OK"
    relay.wait(lambda m: m["Subject"] == 'OK: "mlops-lambda-errors" in US East (N. Virginia)')
    for second in (70, 80, 90):
        cw.put_metric_data(Namespace="AWS/Lambda", MetricData=[{"MetricName": "Errors", "Value": 1, "Dimensions": [{"Name": "FunctionName", "Value": "predict"}],
                                                               "Timestamp": start + dt.timedelta(seconds=second - 65)}])
    server.advance(60)
    mail = relay.wait(lambda m: m["Subject"] == 'ALARM: "mlops-lambda-errors" in US East (N. Virginia)')
    text = text_of(mail)
    assert text.startswith('You are receiving this email because your Amazon CloudWatch Alarm "mlops-lambda-errors" in the US East (N. Virginia) region has entered '
                           'the ALARM state, because "Threshold Crossed: 1 datapoint [3.0 (')
    for line in ("- Name:                       mlops-lambda-errors", "- Description:                Errors of the model", "- State Change:               OK -> ALARM",
                 "- AWS Account:                000000000000", "- MetricNamespace:                     AWS/Lambda", "- Statistic:                           Sum",
                 "- Dimensions:                          [FunctionName = predict]"):
        assert line in text.split("\n"), line
    server.advance(1200)  # past the range that evaluation looks back over
    assert cw.describe_alarms()["MetricAlarms"][0]["StateValue"] == "OK"
    until(lambda: sum(m["Subject"] == 'OK: "mlops-lambda-errors" in US East (N. Virginia)' for m in relay.mails) == 2)
