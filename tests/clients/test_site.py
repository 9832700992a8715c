"""The profile `site`: what it insists on, who gets to the control plane, and how people sign in."""
import http.client
import json
import shutil
import signal
import ssl
import subprocess
import time

import pytest
from server import Server
from site_server import ACCOUNT, PASSWORD, Browser, Site, fogwatch


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def browser(site):
    made = Browser(site)
    status, _, _ = made.sign_in()
    assert status == 200
    return made


def test_one_line_says_what_is_on(site):
    assert "profile site, durability strict, signatures enforced, TLS off" in site.server.lines


@pytest.mark.parametrize("args, words", [
    (["--profile", "site"], "needs --keys-file"),
    (["--profile", "site", "--keys-file", "{keys}", "--durability", "relaxed"], "durability is strict"),
    (["--profile", "site", "--keys-file", "{keys}", "--listen", "0.0.0.0:0"], "--tls-cert"),
    (["--profile", "site", "--keys-file", "{keys}", "--xray-listen", "0.0.0.0:0", "--allow-open-dev"], "--xray-listen"),
    (["--profile", "site", "--keys-file", "{empty}"], "neither a key nor a user"),
    (["--profile", "site", "--keys-file", "{folder}/none.json"], "No such file"),
])
def test_a_site_does_not_start_open(site, tmp_path, args, words):
    empty = tmp_path / "empty.json"
    empty.write_text('{"keys": []}')
    empty.chmod(0o600)
    args = [a.format(keys=site.file, empty=empty, folder=tmp_path) for a in args]
    with pytest.raises(RuntimeError, match=words):
        Server(tmp_path / "data", *args).start()


# --- the control plane ---------------------------------------------------------------------------

SHUT = [("GET", "/_fogwatch/requests"), ("POST", "/_fogwatch/reset"), ("POST", "/_fogwatch/clock/advance"), ("PUT", "/_fogwatch/faults"),
        ("GET", "/_fogwatch/outbox"), ("GET", "/_fogwatch/keys"), ("POST", "/_fogwatch/keys"), ("GET", "/_fogwatch/users"), ("GET", "/_fogwatch/usage"),
        ("POST", "/_fogwatch/snapshot"), ("GET", "/_aws/sns/sms-messages"), ("GET", "/_aws/sns/platform-endpoint-messages"),
        ("POST", "/_localstack/state/reset"), ("GET", "/_localstack/health"), ("GET", "/health/detailed"), ("GET", "/_fogwatch/no-such-page")]


@pytest.mark.parametrize("method, path", SHUT)
def test_pages_are_shut_unless_signed_for_fogwatch_and_allowed(site, method, path):
    body = b"{}" if method in ("POST", "PUT") else b""
    assert site.server.http(method, path, body or None)[0] == 403
    status, answer = site.signed(method, path, body, service="logs")
    assert status == 403 and b"signed for the service 'fogwatch'" in answer
    status, answer = site.signed(method, path, body, name="monitor")
    assert status == 403 and b"is not authorized to perform: fogwatch:" in answer, answer


def test_signed_calls_of_an_admin_do_what_pages_do(site):
    assert site.signed("GET", "/_fogwatch/requests?limit=5")[0] == 200
    assert site.signed("PUT", "/_fogwatch/faults", b'{"rules": []}')[0] == 200
    assert site.signed("GET", "/health/detailed")[0] == 200
    status, body = site.signed("GET", "/_fogwatch/keys")
    assert status == 200
    listed = json.loads(body)
    assert {k["name"] for k in listed["keys"]} >= {"admin", "monitor"} and {u["name"] for u in listed["users"]} >= {"ann", "bob"}
    for secret in [s for _, s in site.secrets.values()] + ["scrypt$"]:
        assert secret not in body.decode()


def test_telemetry_needs_a_signature_wherever_it_knocks(site):
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics", "/prefix/v1/traces", "/a/b/v1/logs", "/api/v1/write", "/services/collector/event", "/ingest/bulk?logGroup=g&logStream=s"):
        assert site.server.http("POST", path, b"{}", {"Content-Type": "application/json"})[0] == 403, path
    span = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "s", "kind": 2,
                                                          "startTimeUnixNano": str(time.time_ns()), "endTimeUnixNano": str(time.time_ns() + 1000)}]}]}]}
    body = json.dumps(span).encode()
    assert site.signed("POST", "/v1/traces", body, service="logs", headers={"Content-Type": "application/json"})[0] == 403
    status, answer = site.signed("POST", "/v1/traces", body, name="monitor", service="xray", headers={"Content-Type": "application/json"})
    assert status == 200, answer
    status, answer = site.signed("POST", "/v1/logs", b'{"resourceLogs": []}', name="monitor", service="logs", headers={"Content-Type": "application/json"})
    assert status == 403 and b"logs:PutLogEvents" in answer


def test_neighbours_need_a_policy_but_for_ones_own_name(site):
    assert site.client("sts", "monitor").get_caller_identity()["Account"] == ACCOUNT
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, answer = site.signed("POST", "/", b"Action=ListAccountAliases&Version=2010-05-08", name="monitor", service="iam", headers=form)
    assert status == 403 and b"iam:ListAccountAliases" in answer
    assert site.signed("POST", "/", b"Action=ListAccountAliases&Version=2010-05-08", service="iam", headers=form)[0] == 200


# --- people --------------------------------------------------------------------------------------

def test_the_console_is_there_and_shows_nothing_before_one_signs_in(site):
    browser = Browser(site)
    status, headers, _ = browser("GET", "/console/")
    assert status == 200 and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert json.loads(browser("GET", "/_fogwatch/session")[2]) == {"required": True, "user": None}
    status, _, body = browser.logs("DescribeLogGroups", {})
    assert status == 401 and json.loads(body)["__type"] == "SignInRequired"
    assert browser("GET", "/_fogwatch/requests")[0] == 401


def test_a_session_is_a_cookie_that_only_this_server_and_no_script_gets(site):
    browser = Browser(site)
    status, headers, body = browser.sign_in()
    assert status == 200 and body == {"user": "ann", "account": ACCOUNT}
    name, _, rest = headers["Set-Cookie"].partition("=")
    token, *attributes = [part.strip() for part in rest.split(";")]
    assert name == "fogwatch_session" and len(token) == 64
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes) and "Secure" not in attributes
    assert headers["Cache-Control"] == "no-store"
    session = json.loads(browser("GET", "/_fogwatch/session")[2])
    assert (session["user"], session["account"]) == ("ann", ACCOUNT) and 0 < session["seconds_left"] <= 1800
    # Signing in again leaves the old session.
    old = browser.cookie
    browser.sign_in()
    fresh = browser.cookie
    assert fresh != old
    browser.cookie = old
    assert browser("GET", "/_fogwatch/requests")[0] == 401


def test_calls_of_a_session_are_its_users(site, browser):
    status, _, body = browser.logs("CreateLogGroup", {"logGroupName": "/console/made"})
    assert status == 200, body
    [group] = site.client("logs").describe_log_groups(logGroupNamePrefix="/console/made")["logGroups"]
    assert f":{ACCOUNT}:" in group["arn"]  # not of the account that the console named
    bob = Browser(site)
    bob.sign_in("bob")
    assert bob.logs("DescribeLogGroups", {})[0] == 200
    status, _, body = bob.logs("DeleteLogGroup", {"logGroupName": "/console/made"})
    answer = json.loads(body)
    assert (status, answer["__type"]) == (400, "AccessDeniedException")
    assert answer["message"].startswith(f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: logs:DeleteLogGroup")
    assert bob("GET", "/_fogwatch/requests")[0] == 200
    assert bob("POST", "/_fogwatch/reset", {})[0] == 403
    assert browser.logs("DeleteLogGroup", {"logGroupName": "/console/made"})[0] == 200


def test_without_the_consoles_header_a_cookie_changes_nothing(site, browser):
    assert browser.logs("CreateLogGroup", {"logGroupName": "/csrf"}, console=False)[0] in (400, 403)
    assert browser("POST", "/_fogwatch/reset", {}, console=False)[0] == 403
    assert browser("DELETE", "/_fogwatch/outbox", console=False)[0] == 403
    assert browser("POST", "/_fogwatch/logout", {}, console=False)[0] == 403
    assert browser("GET", "/?Action=CreateTopic&Name=csrf&Version=2010-03-31", console=False)[0] in (400, 403)
    assert browser("POST", "/_fogwatch/login", {"user": "bob", "password": PASSWORD}, console=False)[0] == 403
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser("POST", "/", "Action=CreateTopic&Name=csrf&Version=2010-03-31", form, console=False)[0] == 403
    assert site.client("sns").list_topics()["Topics"] == []
    assert site.client("logs").describe_log_groups(logGroupNamePrefix="/csrf")["logGroups"] == []
    assert browser("GET", "/_fogwatch/requests", console=False)[0] == 200  # reading is all a cookie alone may do


def test_signing_out_ends_the_session(browser):
    status, headers, _ = browser("POST", "/_fogwatch/logout", {})
    assert status == 200 and "Max-Age=0" in headers["Set-Cookie"]
    assert browser("GET", "/_fogwatch/requests")[0] == 401


def test_another_password_or_none_ends_sessions(site):
    site.add_user("eve", {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    site.server.process.send_signal(signal.SIGHUP)
    eve = Browser(site)
    for _ in range(100):
        if eve.sign_in("eve")[0] == 200:
            break
        time.sleep(0.05)
    assert eve("GET", "/_fogwatch/requests")[0] == 200
    assert fogwatch("users", "password", "--file", site.file, "eve", stdin="quite another password\n").returncode == 0
    site.server.process.send_signal(signal.SIGHUP)
    for _ in range(100):
        if eve("GET", "/_fogwatch/requests")[0] == 401:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the session outlives its password")
    assert eve.sign_in("eve", "quite another password")[0] == 200
    ann = Browser(site)
    ann.sign_in()
    assert ann("DELETE", "/_fogwatch/users/eve")[0] == 200
    assert eve("GET", "/_fogwatch/requests")[0] == 401
    listed = fogwatch("users", "list", "--file", site.file).stdout
    assert "ann" in listed and "eve" not in listed


@pytest.mark.parametrize("password", ["short", ""])
def test_weak_passwords_are_refused(site, password):
    made = fogwatch("users", "add", "--file", site.file, "weak", stdin=password + "\n")
    assert made.returncode == 2 and "fewer than 12" in made.stderr


def test_keys_are_made_changed_and_revoked_by_page(site, browser):
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:ListTopics", "Resource": "*"}]}
    status, _, body = browser("POST", "/_fogwatch/keys", {"name": "lister", "account": ACCOUNT, "policies": [policy]})
    assert status == 200, body
    made = json.loads(body)
    site.secrets["lister"] = (made["access_key"], made["secret_key"])
    lister = site.client("sns", "lister")
    lister.list_topics()
    with pytest.raises(lister.exceptions.ClientError, match="AuthorizationError"):
        lister.create_topic(Name="t")
    policy["Statement"][0]["Action"] = "sns:*"
    assert browser("PUT", f"/_fogwatch/keys/{made['access_key']}", {"policies": [policy]})[0] == 200
    arn = lister.create_topic(Name="t")["TopicArn"]
    lister.delete_topic(TopicArn=arn)
    for wrong in ({"policies": "x"}, {"policies": [{"Statement": {"Effect": "Maybe", "Action": "*", "Resource": "*"}}]}, {"policies": [{}]}, {}):
        status, _, body = browser("PUT", f"/_fogwatch/keys/{made['access_key']}", wrong)
        assert status == 400 and json.loads(body)["error"]["message"], (wrong, body)
    lister.list_topics()  # nothing of a wrong policy is taken over
    assert browser("PUT", "/_fogwatch/keys/AKIANOBODYATALL00", {"policies": []})[0] == 404
    assert browser("POST", "/_fogwatch/keys", {"name": "../../etc/passwd\n"})[0] == 400
    assert browser("POST", "/_fogwatch/keys", {"name": "half", "policies": [{"Statement": 5}]})[0] == 400
    assert "half" not in fogwatch("keys", "list", "--file", site.file).stdout
    assert browser("DELETE", f"/_fogwatch/keys/{made['access_key']}")[0] == 200
    with pytest.raises(lister.exceptions.ClientError, match="InvalidClientTokenId|UnrecognizedClient"):
        lister.list_topics()


def test_under_tls_the_cookie_is_for_tls_alone(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    key.chmod(0o600)
    with Site(tmp_path, "--tls-cert", str(certificate), "--tls-key", str(key)) as site:
        assert "profile site, durability strict, signatures enforced, TLS on" in site.server.lines
        link = http.client.HTTPSConnection("127.0.0.1", site.server.port, context=ssl.create_default_context(cafile=str(certificate)))
        link.request("POST", "/_fogwatch/login", json.dumps({"user": "ann", "password": PASSWORD}), {"X-Fogwatch-Console": "1", "User-Agent": "Mozilla/5.0"})
        answer = link.getresponse()
        answer.read()
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-fogwatch_session=") and "; Secure" in cookie and "Domain" not in cookie
        assert "max-age" in answer.headers["Strict-Transport-Security"]
        link.request("GET", "/_fogwatch/requests", headers={"Cookie": cookie.split(";")[0]})
        assert link.getresponse().status == 200


# Last: it locks this machine's address out of one user's door.
def test_guessing_makes_one_wait_ever_longer(site):
    site.add_user("victim", {"Version": "2012-10-17", "Statement": []})
    site.server.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    guesser = Browser(site)
    answers = [guesser.sign_in("victim", f"guess number {i}") for i in range(8)]
    assert [status for status, _, _ in answers[:5]] == [401] * 5
    assert {body["error"]["code"] for _, _, body in answers[:5]} == {"WrongPassword"}
    assert 429 in [status for status, _, _ in answers]
    status, headers, body = guesser.sign_in("victim", PASSWORD)  # the right one, too soon
    assert status == 429 and int(headers["Retry-After"]) >= 1 and body["error"]["code"] == "TooManyAttempts"
    # Whether there is such a user is not told, and costs the same time.
    began = time.monotonic()
    status, _, body = Browser(site).sign_in("nobody-of-this-name", "some password here")
    unknown = time.monotonic() - began
    assert status == 401 and body["error"]["code"] == "WrongPassword" and unknown > 0.02
    assert Browser(site).sign_in("ann")[0] == 200
