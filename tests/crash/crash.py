"""Kills the server with SIGKILL again and again under mixed load and compares what it kept with what it acknowledged.

Eight writers (three of logs, two of metrics, two of traces, one of alarms, topics and queues) keep a journal in this
process: an item is `sent` before the call and `acknowledged` after the 200. The server dies at a random moment
50 to 2000 ms after it was ready (`--early`: 20 to 400 ms), starts again on the same folder, and everything is read
back: every acknowledged item must be there, complete; an item that was sent but not acknowledged may be there
whole or not at all. Ten times, the last time at the end, all items since the start are compared, after the other
kills those of the last two rounds. Standard library only; a seed makes the kill times repeatable.
"""
import argparse
import http.client
import json
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.parse
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/run"))
from server import Server, binary  # noqa: E402

ACCOUNT = "000000000000"
GROUP = "/crash"
JSON11, JSON10, FORM = "application/x-amz-json-1.1", "application/x-amz-json-1.0", "application/x-www-form-urlencoded"


class Refused(Exception):
    """An answer that is no 200: under this load there is no reason for one."""


class Caller:
    """One kept-alive connection; any trouble on it means the call was not acknowledged."""

    def __init__(self, server):
        self.link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)

    def post(self, service, body, path="/", content_type=JSON11, target=None):
        headers = {"Content-Type": content_type, "X-Amz-Date": "20261101T000000Z",
                   "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20261101/us-east-1/{service}/aws4_request, "
                                    "SignedHeaders=host, Signature=" + "0" * 64}
        if target:
            headers["X-Amz-Target"] = target
        self.link.request("POST", path, body, headers)
        answer = self.link.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise Refused(f"{target or path} {answer.status}: {data[:400]!r}")
        return data

    def logs(self, operation, **request):
        data = self.post("logs", json.dumps(request).encode(), target=f"Logs_20140328.{operation}")
        return json.loads(data) if data else {}

    def metrics(self, operation, **request):
        data = self.post("monitoring", json.dumps(request).encode(), content_type=JSON10, target=f"GraniteServiceVersion20100801.{operation}")
        return json.loads(data) if data else {}

    def xray(self, path, **request):
        return json.loads(self.post("xray", json.dumps(request).encode(), path=path, content_type="application/json"))

    def sqs(self, operation, **request):
        data = self.post("sqs", json.dumps(request).encode(), content_type=JSON10, target=f"AmazonSQS.{operation}")
        return json.loads(data) if data else {}

    def sns(self, **parameters):
        return self.post("sns", urllib.parse.urlencode({"Version": "2010-03-31"} | parameters).encode(), content_type=FORM)


class Item:
    """One thing written: its key, what must come back, and whether the server said yes."""
    __slots__ = ("key", "value", "round", "acknowledged")

    def __init__(self, key, value, round_):
        self.key, self.value, self.round, self.acknowledged = key, value, round_, False


class Writer(threading.Thread):
    """Writes batches until the server dies or `stop` is set; keeps the journal."""

    def __init__(self, number, crash):
        super().__init__(daemon=True)
        self.number, self.crash, self.journal, self.fault = number, crash, [], None
        self.next = 0

    def run(self):
        try:
            caller = Caller(self.crash.server)
            while not self.crash.stop.is_set():
                batch = [Item(*self.make(), self.crash.round) for _ in range(self.size())]
                self.journal += batch
                self.send(caller, batch)
                for item in batch:
                    item.acknowledged = True
        except Refused as refused:
            self.fault = str(refused)
        except (OSError, http.client.HTTPException):
            pass  # the kill

    def fresh_number(self):
        self.next += 1
        return self.next


class LogWriter(Writer):
    """Batches of 1 to 200 events into a stream of its own."""

    def size(self):
        return self.crash.dice.choice((1, 1, 10, 200))

    def make(self):
        n = self.fresh_number()
        message = json.dumps({"writer": self.number, "n": n, "text": "x\u2713\n" * self.crash.dice.randint(0, 60)})
        return n, message

    def send(self, caller, batch):
        at = self.crash.start_ms + batch[0].key
        caller.logs("PutLogEvents", logGroupName=GROUP, logStreamName=f"s{self.number}",
                    logEvents=[{"timestamp": at, "message": item.value} for item in batch])

    def read(self, caller, wanted):
        found, request = {}, {"logGroupName": GROUP, "logStreamName": f"s{self.number}", "startFromHead": True,
                              "startTime": self.crash.start_ms + wanted[0].key}
        while True:
            page = caller.logs("GetLogEvents", **request)
            for event in page["events"]:
                number = json.loads(event["message"])["n"]
                assert number not in found, f"event {number} of s{self.number} twice"
                found[number] = event["message"]
            if page["nextForwardToken"] == request.get("nextToken"):
                return found
            request["nextToken"] = page["nextForwardToken"]


class MetricWriter(Writer):
    """Each item is a value in a minute of its own, so that a second count of one datum shows."""

    def size(self):
        return self.crash.dice.choice((1, 20, 100))

    def make(self):
        n = self.fresh_number()
        return n, float(n % 1000 + 1)

    def place(self, n):
        """(metric name, epoch seconds): 1,000 minutes in a name, then the next name."""
        return f"m{self.number}-{n // 1000}", self.crash.first_minute + n % 1000 * 60

    def send(self, caller, batch):
        data = []
        for item in batch:
            name, at = self.place(item.key)
            data.append({"MetricName": name, "Timestamp": at, "Value": item.value})
        caller.metrics("PutMetricData", Namespace="Crash", MetricData=data)

    def read(self, caller, wanted):
        found = {}
        for block in range(wanted[0].key // 1000, self.next // 1000 + 1):
            answer = caller.metrics("GetMetricStatistics", Namespace="Crash", MetricName=f"m{self.number}-{block}", Period=60,
                                    StartTime=self.crash.first_minute, EndTime=self.crash.first_minute + 60_000, Statistics=["Sum", "SampleCount"])
            for point in answer["Datapoints"]:
                n = block * 1000 + int(point["Timestamp"] - self.crash.first_minute) // 60
                assert point["SampleCount"] == 1.0, f"datum {n} of writer {self.number} counted {point['SampleCount']} times"
                found[n] = point["Sum"]
        return found


class TraceWriter(Writer):
    def size(self):
        return self.crash.dice.choice((1, 5, 25))

    def make(self):
        n = self.fresh_number()
        key = f"1-{int(time.time()):08x}-{self.number:04x}{n:020x}"
        return key, {"name": f"w{self.number}", "id": f"{n:016x}", "trace_id": key, "start_time": time.time() - 1, "end_time": time.time(),
                     "annotations": {"n": n}, "metadata": {"pad": {"x": "y" * self.crash.dice.randint(0, 2000)}}}

    def send(self, caller, batch):
        answer = caller.xray("/TraceSegments", TraceSegmentDocuments=[json.dumps(item.value) for item in batch])
        if answer["UnprocessedTraceSegments"]:
            raise Refused(f"unprocessed: {answer}")

    def read(self, caller, wanted):
        found = {}
        keys = [item.key for item in wanted]
        for at in range(0, len(keys), 100):
            request = {"TraceIds": keys[at:at + 100]}
            while True:
                answer = caller.xray("/Traces", **request)
                for trace in answer["Traces"]:
                    [segment] = trace["Segments"]
                    document = json.loads(segment["Document"])
                    found[trace["Id"]] = {k: document[k] for k in ("name", "id", "trace_id", "start_time", "end_time", "annotations", "metadata") if k in document}
                if not answer.get("NextToken"):
                    break
                request["NextToken"] = answer["NextToken"]
        return found


class ResourceWriter(Writer):
    """Alarms, topics and queues, one a call."""

    def size(self):
        return 1

    def make(self):
        n = self.fresh_number()
        return n, (("alarm", "topic", "queue")[n % 3], float(n))

    def send(self, caller, batch):
        [item] = batch
        kind, threshold = item.value
        if kind == "alarm":
            caller.metrics("PutMetricAlarm", AlarmName=f"a{item.key:06}", Namespace="None", MetricName="none", Statistic="Sum", Period=3600,
                           EvaluationPeriods=1, Threshold=threshold, ComparisonOperator="GreaterThanThreshold")
        elif kind == "topic":
            caller.sns(Action="CreateTopic", Name=f"t{item.key:06}")
        else:
            caller.sqs("CreateQueue", QueueName=f"q{item.key:06}")

    def read(self, caller, _):
        found, token = {}, {}
        while True:
            page = caller.metrics("DescribeAlarms", MaxRecords=100, **token)
            found |= {int(a["AlarmName"][1:]): ("alarm", a["Threshold"]) for a in page["MetricAlarms"]}
            if not page.get("NextToken"):
                break
            token = {"NextToken": page["NextToken"]}
        token = {}
        while True:
            tree = xml.fromstring(caller.sns(Action="ListTopics", **token))
            spaces = {"s": tree.tag[1:].split("}")[0]}
            numbers = [int(e.text.rsplit(":t", 1)[1]) for e in tree.iterfind(".//s:TopicArn", spaces)]
            found |= {n: ("topic", float(n)) for n in numbers}
            more = tree.find(".//s:NextToken", spaces)
            if more is None or not more.text:
                break
            token = {"NextToken": more.text}
        token = {}
        while True:
            page = caller.sqs("ListQueues", MaxResults=1000, **token)
            numbers = [int(url.rsplit("/q", 1)[1]) for url in page.get("QueueUrls", ())]
            found |= {n: ("queue", float(n)) for n in numbers}
            if not page.get("NextToken"):
                return found
            token = {"NextToken": page["NextToken"]}


class Crash:
    def __init__(self, options):
        self.dice = random.Random(options.seed)
        self.early = options.early
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fogwatch-crash-"))
        program = binary(options.build)
        self.server = Server(self.folder / "data", *(["--durability", options.durability] if options.durability else []), program=program)
        self.stop = threading.Event()
        self.round = 0
        self.start_ms = int(time.time() * 1000) - 3_600_000
        self.first_minute = int(time.time()) // 60 * 60 - 2 * 86_400
        kinds = [LogWriter] * 3 + [MetricWriter] * 2 + [TraceWriter] * 2 + [ResourceWriter]
        self.writers = [kind(number, self) for number, kind in enumerate(kinds)]
        self.recovery_ms = []

    def setup(self):
        self.server.start()
        caller = Caller(self.server)
        caller.logs("CreateLogGroup", logGroupName=GROUP)
        for writer in self.writers:
            if isinstance(writer, LogWriter):
                caller.logs("CreateLogStream", logGroupName=GROUP, logStreamName=f"s{writer.number}")

    def one_round(self):
        """Load, kill, restart. The writers are made anew (a thread runs once) and take their journal along."""
        self.round += 1
        self.stop.clear()
        running = []
        for old in self.writers:
            new = type(old)(old.number, self)
            new.journal, new.next = old.journal, old.next
            running.append(new)
        self.writers = running
        for writer in running:
            writer.start()
        time.sleep(self.dice.uniform(*((0.02, 0.4) if self.early else (0.05, 2.0))))
        assert self.server.is_alive(), "the server died by itself:\n" + self.server.log()
        self.server.kill()
        self.stop.set()
        for writer in running:
            writer.join(30)
        faults = [writer.fault for writer in running if writer.fault]
        assert not faults, faults
        begun = time.monotonic()
        self.server.start()
        self.recovery_ms.append((time.monotonic() - begun) * 1000)

    def compare(self, everything):
        """Raises at the first item that was acknowledged and is gone, torn, doubled or made up."""
        caller = Caller(self.server)
        for writer in self.writers:
            wanted = [i for i in writer.journal if everything or i.round >= self.round - 1]
            if not wanted:
                continue
            found = writer.read(caller, wanted)
            known = {item.key: item for item in writer.journal}
            name = f"{type(writer).__name__} {writer.number}"
            for item in wanted:
                if item.key in found:
                    assert found[item.key] == item.value, f"{name}: {item.key} is torn: {found[item.key]!r} instead of {item.value!r}"
                else:
                    assert not item.acknowledged, f"{name}: {item.key}, acknowledged in round {item.round}, is gone after round {self.round}"
            for key in found:
                assert key in known, f"{name}: {key} was never sent"

    def run(self, kills):
        self.setup()
        try:
            for kill in range(1, kills + 1):
                self.one_round()
                self.compare(everything=kill % max(1, kills // 10) == 0 or kill == kills)
                if kill % max(1, kills // 10) == 0:
                    print(f"{kill} kills, {sum(i.acknowledged for w in self.writers for i in w.journal)} items acknowledged", flush=True)
            assert self.server.stop() == 0
        except BaseException:
            print(f"the data is kept in {self.folder}\n{self.server.log()}", flush=True)
            self.server.kill()
            raise
        shutil.rmtree(self.folder)

    def summary(self):
        items = [item for writer in self.writers for item in writer.journal]
        ordered = sorted(self.recovery_ms)
        return {"kills": self.round, "items_sent": len(items), "items_acknowledged": sum(i.acknowledged for i in items),
                "recovery_ms_median": round(ordered[len(ordered) // 2], 1), "recovery_ms_max": round(ordered[-1], 1)}


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--build", default="build/release")
    words.add_argument("--kills", type=int, default=100)
    words.add_argument("--seed", type=int, default=20261101)
    words.add_argument("--durability", choices=("strict", "relaxed"))
    words.add_argument("--early", action=argparse.BooleanOptionalAction, default=None, help="kill after 20-400 ms (default below 200 kills)")
    words.add_argument("--report", help="write {passed, failed, notes} there")
    options = words.parse_args()
    if options.early is None:
        options.early = options.kills < 200
    crash = Crash(options)
    fault = None
    try:
        crash.run(options.kills)
    except (AssertionError, RuntimeError, Refused, OSError, http.client.HTTPException) as error:
        fault = f"after {crash.round} kills: {error}"
        print(fault)
    survived = max(0, crash.round - (1 if fault else 0))
    if not fault:
        print(json.dumps(crash.summary()))
    if options.report:
        pathlib.Path(options.report).write_text(json.dumps({"passed": survived, "failed": 1 if fault else 0, "notes": [fault] if fault else []}))
    else:
        print(f"{survived} passed, {1 if fault else 0} failed")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
