"""Where a program thinks it runs: EC2 instance metadata with tokens, ECS task metadata, and the credentials they hand out."""
import json

import boto3
import pytest
from botocore.session import Session as CoreSession
from server import Server

PLACE = {"account": "123456789012", "region": "eu-central-1",
         "ec2": {"instance_id": "i-00000000000000001", "role": "worker", "tags": {"Name": "etcher"}, "user_data": "#!/bin/sh\n", "values": {"meta-data/ami-id": "ami-1"}},
         "ecs": {"cluster": "tools", "family": "worker", "container": "app", "id": "abc", "authorization": "secret"}}


@pytest.fixture
def place(tmp_path):
    file = tmp_path / "place.json"
    file.write_text(json.dumps(PLACE))
    with Server(tmp_path / "data", "--metadata-file", str(file)) as started:
        yield started


def token(server, ttl="60", **headers):
    return server.http("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": ttl, **headers} if ttl else headers)


def read(server, path, with_token=True):
    headers = {"X-aws-ec2-metadata-token": token(server)[2].decode()} if with_token else {}
    status, _, body = server.http("GET", path, headers=headers)
    return status, body.decode()


def test_tokens(place):
    status, headers, body = token(place)
    assert status == 200 and len(body) > 20 and headers["X-aws-ec2-metadata-token-ttl-seconds"] == "60"
    for ttl in (None, "0", "21601", "x", ""):
        assert token(place, ttl)[0] == 400, ttl
    assert token(place, **{"X-Forwarded-For": "1.2.3.4"})[0] == 403
    assert place.http("GET", "/latest/api/token")[0] == 405
    assert read(place, "/latest/meta-data/", False)[0] == 401, "version 1 is off"
    assert place.http("GET", "/latest/meta-data/", headers={"X-aws-ec2-metadata-token": "wrong"})[0] == 401


@pytest.mark.parametrize("path, answer", [
    ("/latest/meta-data/instance-id", "i-00000000000000001"), ("/latest/meta-data/ami-id", "ami-1"), ("/2021-07-15/meta-data/placement/region", "eu-central-1"),
    ("/latest/meta-data/placement/", "availability-zone\nregion"), ("/latest/meta-data/placement", "availability-zone\nregion"), ("/latest/", "dynamic/\nmeta-data/\nuser-data"),
    ("/latest/user-data", "#!/bin/sh\n"), ("/latest/meta-data/tags/instance/Name", "etcher"), ("/latest/meta-data/iam/security-credentials/", "worker")])
def test_what_an_instance_knows(place, path, answer):
    assert read(place, path) == (200, answer)


def test_documents_and_what_is_not_there(place):
    document = json.loads(read(place, "/latest/dynamic/instance-identity/document")[1])
    assert (document["accountId"], document["region"], document["instanceId"]) == ("123456789012", "eu-central-1", "i-00000000000000001")
    assert json.loads(read(place, "/latest/meta-data/iam/security-credentials/worker")[1])["Code"] == "Success"
    assert read(place, "/latest/meta-data/nothing")[0] == 404


def account_of(server, monkeypatch, **environment):
    """The account that botocore's own chain of credentials arrives in."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", **environment}.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(botocore_session=CoreSession(), region_name="eu-central-1")
    logs = session.client("logs", endpoint_url=server.url)
    logs.create_log_group(logGroupName="/here")
    return session.client("sts", endpoint_url=server.url).get_caller_identity()["Account"], session.get_credentials().method


def test_credentials_of_the_instance_work(place, monkeypatch):
    assert account_of(place, monkeypatch, AWS_EC2_METADATA_SERVICE_ENDPOINT=place.url) == ("123456789012", "iam-role")


def test_credentials_of_the_task_work(place, monkeypatch):
    full = f"{place.url}/v2/credentials/abc"
    assert account_of(place, monkeypatch, AWS_CONTAINER_CREDENTIALS_FULL_URI=full, AWS_CONTAINER_AUTHORIZATION_TOKEN="secret") == ("123456789012", "container-role")
    assert place.http("GET", "/v2/credentials/abc")[0] == 401


def test_what_a_task_knows(place):
    status, _, body = place.http("GET", "/v4/abc")
    assert status == 200 and json.loads(body)["Name"] == "app" and json.loads(body)["LogOptions"]["awslogs-group"] == "/ecs/worker"
    task = json.loads(place.http("GET", "/v4/abc/task")[2])
    assert task["TaskARN"] == "arn:aws:ecs:eu-central-1:123456789012:task/tools/abc" and task["Containers"][0]["Name"] == "app"
    assert json.loads(place.http("GET", "/v3/abc/task")[2])["Family"] == "worker"
    assert place.http("GET", "/v4/abc/stats")[0] == 200 and place.http("GET", "/v4/other")[0] == 404


def test_without_the_file_there_is_no_such_place(server):
    assert token(server)[0] == 404 and server.http("GET", "/v4/abc")[0] == 404


@pytest.mark.parametrize("text, words", [("[", "not a JSON object"), ('{"ec3": {}}', "is not known here"), ('{"account": "1", "ec2": {}}', "twelve digits"), ('{"ec2": {"role": 1}}', "is not a text")])
def test_a_file_that_is_wrong_is_refused(tmp_path, text, words):
    file = tmp_path / "place.json"
    file.write_text(text)
    with pytest.raises(RuntimeError, match=words):
        Server(tmp_path / "data", "--metadata-file", str(file)).start()
