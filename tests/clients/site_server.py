"""A server with `--profile site`, its keys and its people; what a program or a browser would send it."""
import http.client
import json
import re
import subprocess

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from server import Server, binary

ACCOUNT = "123456789012"
PASSWORD = "correct horse battery"
ALL = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
READER = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["logs:Describe*", "sns:List*", "fogwatch:Get*"], "Resource": "*"}}
# The policy of the users' documents.
WAFER_MONITOR = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
     "Condition": {"StringEquals": {"cloudwatch:namespace": "WaferMonitor"}}},
    {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
     "Resource": "arn:aws:logs:*:*:log-group:/wafer-monitor/*"},
    {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"}]}


def fogwatch(*words, stdin=None):
    return subprocess.run([str(binary()), *words], capture_output=True, text=True, timeout=30, input=stdin)


class Site:
    """Keys `admin` (everything) and `monitor` (the wafer monitor's policy); people `ann` (everything) and `bob` (reading)."""

    def __init__(self, folder, *args, **more):
        self.folder, self.file, self.secrets = folder, str(folder / "keys.json"), {}
        self.add_key("admin", ALL)
        self.add_key("monitor", WAFER_MONITOR)
        self.add_user("ann", ALL)
        self.add_user("bob", READER)
        self.server = Server(folder / "data", "--profile", "site", "--keys-file", self.file, *args, **more)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()

    def policy(self, name, policy):
        path = self.folder / f"{name}.policy.json"
        path.write_text(json.dumps(policy))
        return str(path)

    def add_key(self, name, policy):
        made = fogwatch("keys", "add", "--file", self.file, "--name", name, "--account", ACCOUNT, "--policy", self.policy(name, policy))
        assert made.returncode == 0, made.stderr
        self.secrets[name] = re.fullmatch(r"aws_access_key_id = (\w+)\naws_secret_access_key = (\w+)\n", made.stdout).groups()

    def add_user(self, name, policy):
        made = fogwatch("users", "add", "--file", self.file, "--account", ACCOUNT, "--policy", self.policy(name, policy), name, stdin=PASSWORD + "\n")
        assert made.returncode == 0, made.stderr

    def client(self, service, name="admin", secret=None, **config):
        key, right = self.secrets[name]
        return boto3.client(service, region_name="us-east-1", endpoint_url=self.server.url, aws_access_key_id=key,
                            aws_secret_access_key=secret or right, config=Config(retries={"max_attempts": 0}, **config))

    def signed(self, method, path, body=b"", name="admin", service="fogwatch", headers=None):
        """One signed call of any path: (status, body)."""
        key, secret = self.secrets[name]
        request = AWSRequest(method=method, url=self.server.url + path, data=body, headers=dict(headers or {}))
        SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(request)
        status, _, answer = self.server.http(method, path, body or None, dict(request.headers))
        return status, answer


class Browser:
    """Calls as the console makes them: a cookie, and the console's header."""

    def __init__(self, site, header="1"):
        self.site, self.cookie, self.header = site, None, header

    def __call__(self, method, path, body=None, headers=None, console=True):
        sent = {"User-Agent": "Mozilla/5.0", "Origin": self.site.server.url, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        if console:
            sent["X-Fogwatch-Console"] = self.header
        if self.cookie:
            sent["Cookie"] = self.cookie
        if isinstance(body, dict):
            body, sent["Content-Type"] = json.dumps(body), sent.get("Content-Type", "application/json")
        link = http.client.HTTPConnection("127.0.0.1", self.site.server.port, timeout=30)
        try:
            link.request(method, path, body, sent)
            answer = link.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            link.close()

    def sign_in(self, user="ann", password=PASSWORD):
        status, headers, body = self("POST", "/_fogwatch/login", {"user": user, "password": password})
        if status == 200:
            self.cookie = headers["Set-Cookie"].split(";")[0]
        return status, headers, json.loads(body)

    def logs(self, operation, body, **more):
        scope = f"AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature={'0' * 64}"
        return self("POST", "/", body, {"Authorization": scope, "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328." + operation}, **more)
