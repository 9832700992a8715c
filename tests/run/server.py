"""A fogwatch server of one's own: starts the program on free ports, reads its addresses from the
start-up lines, ends it by process id. Standard library only: the client tests, the scenarios, the
crash test and the bench all stand on it."""
import http.client
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 30


def binary(build=None):
    """The program under test: FOGWATCH_BINARY, or the given build folder's, or build/release's."""
    named = os.environ.get("FOGWATCH_BINARY")
    return pathlib.Path(named) if named else (ROOT / (build or "build/release")).resolve() / "fogwatch"


class Server:
    """One server process over one data folder; start() after kill() or stop() opens the same data."""

    def __init__(self, data, *args, program=None, wrap=(), env=None):
        self.data = pathlib.Path(data)
        self.program = str(program or binary())
        self.args = list(args)
        self.wrap = list(wrap)  # e.g. taskset -c 0
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.lines = []
        self.log_path = self.data.with_name(self.data.name + ".log")

    def start(self):
        """Returns after `Ready.`; raises RuntimeError with the server's own words if it ends before."""
        place = [] if "--ephemeral" in self.args else ["--data", str(self.data)]
        listen = [word for door in ("listen", "xray-listen") if f"--{door}" not in self.args
                  for word in (f"--{door}", "127.0.0.1:0")]
        closed = [word for door in ("otlp-listen", "emf-listen") if f"--{door}" not in self.args
                  for word in (f"--{door}", "off")]
        command = [*self.wrap, self.program, "serve", *listen, *closed, *place, *self.args]
        self.lines = []
        heard = queue.Queue()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.env, text=True)
        threading.Thread(target=self._listen, args=(self.process, heard), daemon=True).start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                line = heard.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise RuntimeError(f"no 'Ready.' within {START_SECONDS_MAX} s: {self.lines}\n{self.log()}") from None
            if line is None:
                raise RuntimeError(f"server ended before it was ready: {self.lines}\n{self.log()}")
            self.lines.append(line)
            if line == "Ready.":
                break
        doors = dict(m.groups() for m in map(re.compile(r"^listening (\w+) (\S+)").match, self.lines) if m)
        self.doors = doors
        self.url = doors["api"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.xray = doors.get("xray")
        return self

    @staticmethod
    def _listen(process, heard):
        for line in process.stdout:
            heard.put(line.rstrip("\n"))
        heard.put(None)

    @property
    def pid(self):
        return self.process.pid

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self, size=4000):
        try:
            return self.log_path.read_text(errors="replace")[-size:]
        except OSError:
            return ""

    def stop(self, seconds=15):
        """SIGTERM; returns the exit code. Raises if the server does not leave in time."""
        if not self.is_alive():
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"server did not stop within {seconds} s of SIGTERM\n{self.log()}") from None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.is_alive():
            self.stop()

    def http(self, method, path, body=None, headers=None, timeout=30):
        """(status, headers, bytes) of one plain HTTP call."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            link.request(method, path, body, headers or {})
            answer = link.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            link.close()

    def control(self, method, path, body=None):
        """One call of the control plane: path below /_fogwatch/, JSON in and out."""
        status, _, data = self.http(method, "/_fogwatch/" + path,
                                    None if body is None else json.dumps(body).encode(),
                                    {"Content-Type": "application/json"})
        if status >= 300:
            raise RuntimeError(f"{method} /_fogwatch/{path}: {status} {data!r}")
        return json.loads(data) if data else None

    def set_clock(self, text, rate=0):
        return self.control("PUT", "clock", {"now": text, "rate": rate})

    def advance(self, seconds):
        return self.control("POST", "clock/advance", {"seconds": seconds})

    def outbox(self, **filters):
        query = "&".join(f"{k}={v}" for k, v in filters.items())
        return self.control("GET", "outbox" + ("?" + query if query else ""))["messages"]

    def cpu_seconds(self):
        """User plus system time of the process and its threads so far."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self, key="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise RuntimeError(f"no {key} for process {self.pid}")
