"""Fixtures: one server for the whole run, an account of its own for every test.

A 12-digit access key is the account (protocols: the folk standard), so tests share a server without
seeing each other's data. A test that moves the clock or restarts the server asks for `fresh`.
"""
import itertools
import os
import pathlib
import signal
import sys

import boto3
import botocore
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "run"))
from client import Client  # noqa: E402
from server import Server  # noqa: E402

TEST_SECONDS_MAX = 90
accounts = itertools.count(100000000000 + os.getpid() * 1000)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server") / "data") as started:
        yield started


@pytest.fixture
def aws(server):
    assert server.is_alive(), "the server died in an earlier test:\n" + server.log()
    return Client(server, f"{next(accounts):012d}")


@pytest.fixture
def fresh(tmp_path):
    """A server of the test's own; its account is the default one."""
    with Server(tmp_path / "data") as started:
        yield Client(started, "000000000000")


@pytest.fixture(autouse=True)
def time_limit():
    def too_long(*_):
        raise TimeoutError(f"test ran longer than {TEST_SECONDS_MAX} s")
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TEST_SECONDS_MAX)
    yield
    signal.alarm(0)


OLD = tuple(int(part) for part in botocore.__version__.split(".")[:2]) < (1, 40)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """A distribution's older botocore knows neither this year's operations nor their new members: such a test
    is skipped there. The newest one, which the suite also runs with, must know them all."""
    if not OLD:
        return None
    try:
        pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames})
    except (AttributeError, KeyError) as error:
        frame = error.__traceback__
        while frame.tb_next:
            frame = frame.tb_next
        if "/botocore/" not in frame.tb_frame.f_code.co_filename:
            raise
        pytest.skip(f"botocore {botocore.__version__} does not know {error}")
    return True


def pytest_report_header():
    return f"boto3 {boto3.__version__}, botocore {botocore.__version__}"
