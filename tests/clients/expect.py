"""What the tests of all services ask of an answer."""
import json
import re
import time

import boto3
import pytest
from botocore.exceptions import ClientError

# Operations and members that a distribution's boto3 does not have yet.
newest_boto = pytest.mark.skipif(tuple(map(int, boto3.__version__.split(".")[:2])) < (1, 40),
                                 reason="this boto3 does not know the operation")


def refused(call, code, message=None, *, start=None, status=None, exception=None):
    """Calls, expects an AWS error; `message` is the whole text, `start` its beginning."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value
    found = error.response["Error"]
    codes = (code,) if isinstance(code, str) else code
    assert found["Code"] in codes, f"{found['Code']}: {found.get('Message')}"
    if message is not None:
        assert found.get("Message", "") == message
    if start is not None:
        assert found.get("Message", "").startswith(start), found.get("Message")
    if status is not None:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status
    if exception is not None:
        assert isinstance(error, exception), type(error)
    assert error.response["ResponseMetadata"].get("RequestId")
    return error


def until(question, seconds=20, every=0.05):
    """Asks until the answer is true; returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s; last answer {answer!r}"
        time.sleep(every)


def pages(call, key, **request):
    """All items over all pages, following the token by hand; checks that a token never repeats."""
    token_in = token_out = request.pop("token", "NextToken")
    items, seen = [], set()
    while True:
        answer = call(**request)
        items.append(answer[key])
        token = answer.get(token_out)
        if not token:
            assert token_out not in answer or answer[token_out] is None, "a finished listing has no token"
            return items
        assert token not in seen, "token repeats"
        seen.add(token)
        request[token_in] = token


def token_in(mail):
    """The confirmation token of a mail in the outbox: in its link or, for email-json, in its envelope."""
    return re.search(r'(?i)token(?:=|\\?": ?\\?")([0-9A-Za-z]+)', json.dumps(mail)).group(1)
