"""The writers of the crash test as patient clients: what is refused with a retriable error is counted and tried
again later as something new; any other refusal is a fault."""
import pathlib
import random
import re
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/crash"), str(ROOT / "tests/run")]
import crash  # noqa: E402
from server import Server  # noqa: E402

# What an SDK tries again by itself, as each service names it.
RETRIABLE = re.compile(r" (503: .*(ServiceUnavailable|Unavailable)|429: .*Throttl|500: .*Internal(Failure|ServiceFault|Error))", re.S)


def patient(kind):
    class Patient(kind):
        refused = 0
        pause = 0.0

        def run(self):
            caller = None
            while not self.crash.stop.is_set():
                batch = [crash.Item(*self.make(), self.crash.round) for _ in range(self.size())]
                self.journal += batch
                try:
                    caller = caller or crash.Caller(self.crash.server)
                    self.send(caller, batch)
                    for item in batch:
                        item.acknowledged = True
                    self.crash.succeeded(self)
                    time.sleep(self.pause)
                except crash.Refused as refused:
                    self.refused += 1
                    self.crash.was_refused(self)
                    if not RETRIABLE.search(str(refused)) and "unprocessed" not in str(refused):
                        self.fault = str(refused)
                        return
                    time.sleep(0.02)
                except OSError as gone:
                    self.fault = f"{type(gone).__name__}: {gone}"
                    return
    Patient.__name__ = kind.__name__
    return Patient


class Load:
    """Writers of all kinds against one server, which can be asked when the last call of each kind succeeded."""

    def __init__(self, data, *args, env=None, pause=0.0, seed=1):
        self.dice = random.Random(seed)
        self.stop = threading.Event()
        self.round = 1
        self.start_ms = int(time.time() * 1000) - 3_600_000
        self.first_minute = int(time.time()) // 60 * 60 - 2 * 86_400
        self.server = Server(data, *args, env=env)
        self.server.start()
        kinds = [crash.LogWriter] * 2 + [crash.MetricWriter, crash.TraceWriter, crash.ResourceWriter]
        self.writers = [patient(kind)(number, self) for number, kind in enumerate(kinds)]
        self.good, self.bad = {}, {}
        caller = crash.Caller(self.server)
        caller.logs("CreateLogGroup", logGroupName=crash.GROUP)
        for writer in self.writers:
            writer.pause = pause
            if isinstance(writer, crash.LogWriter):
                caller.logs("CreateLogStream", logGroupName=crash.GROUP, logStreamName=f"s{writer.number}")

    def succeeded(self, writer):
        self.good[writer.number] = time.monotonic()

    def was_refused(self, writer):
        self.bad[writer.number] = time.monotonic()

    def begin(self):
        """Returns when every writer has written enough to read something of each kind."""
        for writer in self.writers:
            writer.start()
        deadline = time.monotonic() + 30
        while not all(sum(i.acknowledged for i in w.journal) >= 6 for w in self.writers):
            assert time.monotonic() < deadline, [w.fault for w in self.writers]
            time.sleep(0.01)

    def wait_all(self, which, since, seconds, writers=None):
        """Until each writer succeeded (which = good) or was refused (bad) after `since`; the time it took."""
        deadline = time.monotonic() + seconds
        numbers = [w.number for w in (writers or self.writers)]
        while not all(which.get(n, 0) > since for n in numbers):
            faults = [w.fault for w in self.writers if w.fault]
            assert not faults, faults
            assert self.server.is_alive(), self.server.log()
            assert time.monotonic() < deadline, f"after {seconds} s: {[n for n in numbers if which.get(n, 0) <= since]}\n{self.server.log()}"
            time.sleep(0.005)
        return max(which[n] for n in numbers) - since

    def end(self):
        self.stop.set()
        for writer in self.writers:
            writer.join(30)
        faults = [writer.fault for writer in self.writers if writer.fault]
        assert not faults, faults

    def reads_go_on(self):
        """The first acknowledged event, datum and trace are answered."""
        caller = crash.Caller(self.server)
        events = caller.logs("GetLogEvents", logGroupName=crash.GROUP, logStreamName="s0", startFromHead=True, limit=10)["events"]
        assert events
        assert caller.metrics("ListMetrics", Namespace="Crash")["Metrics"]
        [traces] = [w for w in self.writers if isinstance(w, crash.TraceWriter)]
        first = next(i for i in traces.journal if i.acknowledged)
        assert caller.xray("/Traces", TraceIds=[first.key])["Traces"]
        assert caller.metrics("DescribeAlarms", MaxRecords=10)["MetricAlarms"]

    def compare(self):
        crash.Crash.compare(self, everything=True)

    def metric(self, name):
        _, _, text = self.server.http("GET", "/metrics")
        return sum(float(m.group(1)) for m in re.finditer(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text.decode(), re.M))

    def acknowledged(self):
        return sum(i.acknowledged for w in self.writers for i in w.journal)
