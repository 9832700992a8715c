"""A damaged disk under the whole program: it starts, says what it lost, and everything else answers."""
import json
import subprocess
import time

import pytest
from client import Client
from expect import until
from server import Server

EVENTS = 40_000  # more than one block: 32,768 are sealed, the rest waits in the log of writes


def put_all(client):
    for group in ("/damaged", "/whole"):
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="s")
    at = int(time.time() * 1000) - 300_000
    for first in range(0, EVENTS, 8000):
        client.put_log_events(logGroupName="/damaged", logStreamName="s", logEvents=[
            {"timestamp": at + i, "message": json.dumps({"n": i})} for i in range(first, first + 8000)])
    client.put_log_events(logGroupName="/whole", logStreamName="s", logEvents=[{"timestamp": at, "message": "here"}])


def count(client, group):
    end = int(time.time()) + 60
    query = client.start_query(logGroupName=group, startTime=end - 7200, endTime=end, queryString="filter strlen(@message) > 0 | stats count(*) as n")["queryId"]
    answer = until(lambda: (a := client.get_query_results(queryId=query))["status"] not in ("Scheduled", "Running") and a)
    assert answer["status"] == "Complete", answer
    return int(answer["results"][0][0]["value"]) if answer["results"] else 0


def metric(server, name):
    for line in server.http("GET", "/metrics")[2].decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(name)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data folder with a sealed segment and a log of writes; the server over it was killed."""
    data = tmp_path_factory.mktemp("damage") / "data"
    with Server(data) as server:
        client = Client(server, "000000000000")("logs")
        put_all(client)
        until(lambda: metric(server, "fogwatch_log_segments") >= 1)
        assert count(client, "/damaged") == EVENTS
        server.kill()  # one that stops seals what it has, and its log says nothing more
    return data


def check(server):
    done = subprocess.run([server.program, "check", str(server.data)], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def flip(path, *places):
    damaged = bytearray(path.read_bytes())
    for at in places:
        damaged[at] ^= 0x10
    path.write_bytes(damaged)


def victims(data):
    segment = max((data / "logs").rglob("*.seg"), key=lambda f: f.stat().st_size)
    return {"segment": (segment, segment.stat().st_size // 2), "footer": (segment, segment.stat().st_size - 40),
            "manifest": (segment.parent / "MANIFEST", 60), "wal": (sorted((data / "wal").glob("*.wal"))[-1], 100_000)}


def test_a_sound_folder_has_no_findings(prepared):
    code, text = check(Server(prepared))
    assert (code, text.splitlines()[-1]) == (0, "All is well.")


@pytest.mark.parametrize("how", ["flip", "cut"])
@pytest.mark.parametrize("what", ["segment", "footer", "manifest", "wal"])
def test_damage_costs_no_more_than_its_block(prepared, tmp_path, what, how):
    data = tmp_path / "data"
    subprocess.run(["cp", "-r", str(prepared), str(data)], check=True)
    path, at = victims(data)[what]
    if how == "flip" and what == "segment":
        flip(path, *range(20, at // 5, 100))  # something in every column of the first block, whichever it is
    elif how == "flip":
        flip(path, at)
    else:
        with path.open("r+b") as file:
            file.truncate(at)
    server = Server(data)
    if (what, how) != ("wal", "cut"):  # a log that ends in the middle of a record is what a crash leaves
        code, text = check(server)
        assert code == 1 and path.name in text or path.parent.name in text, text
    with server:
        client = Client(server, "000000000000")("logs")
        left = count(client, "/damaged")
        assert count(client, "/whole") == (0 if (what, how) == ("wal", "cut") else 1)
        if what == "segment":
            assert EVENTS - 32_768 <= left < EVENTS or how == "cut"  # without its footer the whole file is lost
            assert metric(server, "fogwatch_log_damaged_blocks") + metric(server, "fogwatch_log_damaged_files") >= 1
            assert metric(server, "fogwatch_log_events_lost") == EVENTS - left
        elif what == "wal":
            assert left <= EVENTS
            assert how == "cut" or metric(server, "fogwatch_wal_damaged_bytes") > 0
        # It takes events as before.
        client.put_log_events(logGroupName="/whole", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "new"}])
        assert count(client, "/whole") >= 1
