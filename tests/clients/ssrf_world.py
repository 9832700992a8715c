"""A world of its own, inside a network namespace: a name server whose answers flip, sinks on public,
private, loopback and metadata addresses, and a server with `--profile site` that is asked to call all
of them. Prints as JSON which local addresses were connected to, and by which path.

Run by test_attacks.py:  unshare -mn python ssrf_world.py FOLDER
"""
import http.server
import json
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "run"))
from site_server import Site  # noqa: E402

PUBLIC, PRIVATE, METADATA = "203.0.113.5", "10.9.8.7", "169.254.169.254"
PORT = 8077
seen = []  # (local address, path)
asked = {}


def answers(name):
    """Addresses of a name, different ones each time where that is the attack."""
    asked[name] = asked.get(name, 0) + 1
    return {"public.test": [PUBLIC], "meta.test": [METADATA], "private.test": [PRIVATE], "loop.test": ["127.0.0.1"],
            "flip.test": [PUBLIC if asked[name] % 2 else "127.0.0.1"], "flop.test": ["127.0.0.1" if asked[name] % 2 else PUBLIC],
            "both.test": [PUBLIC, "127.0.0.1"], "mapped.test": ["::ffff:127.0.0.1"], "loop6.test": ["::1"], "nat64.test": ["64:ff9b::7f00:1"],
            "zero.test": ["0.0.0.0"]}.get(name.lower().rstrip("."), [])


def name_server():
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("127.0.0.1", 53))
    while True:
        query, client = link.recvfrom(2048)
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += query[at] + 1
        question = query[12:at + 5]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        name = ".".join(labels)
        # Both families are asked for; a flip counts once a round.
        wanted = answers(name) if kind == 1 or (kind == 28 and "6" in name or "mapped" in name) else []
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        records = [b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(data)) + data
                   for data in (socket.inet_pton(family, a) for a in wanted if family and (":" in a) == (kind == 28))]
        link.sendto(query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, len(records), 0, 0) + question + b"".join(records), client)


class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        local = self.connection.getsockname()[0]
        seen.append((local, self.path))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{PORT}/redirected")
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Wide(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


HOSTS = ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "0.0.0.0", "[::1]", "[::]",
         "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::7f00:1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "169.254.169.254", "2852039166", "[::ffff:169.254.169.254]",
         PRIVATE, "loop.test", "meta.test", "private.test", "mapped.test", "loop6.test", "nat64.test", "zero.test", "flip.test", "flop.test", "both.test", "LOCALHOST.",
         "127.0.0.1.", "user:pw@127.0.0.1", "public.test@127.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①"]


def main(folder):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in (PUBLIC, PRIVATE, METADATA):
        subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=True)
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    for name in ("resolv.conf", "nsswitch.conf"):
        subprocess.run(["mount", "--bind", str(folder / name), "/etc/" + name], check=True)
    threading.Thread(target=name_server, daemon=True).start()
    sink = Wide(("::", PORT), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    (folder / "site").mkdir()
    refused = {}
    with Site(folder / "site") as site:
        sns = site.client("sns", parameter_validation=False)
        topic = sns.create_topic(Name="t")["TopicArn"]
        endpoints = [f"http://{host}:{PORT}/{i}" for i, host in enumerate(HOSTS)]
        endpoints += [f"http://public.test:{PORT}/ok", f"http://public.test:{PORT}/redirect", f"http://{PUBLIC}:{PORT}/ok2",
                      f"http://127.0.0.1:{site.server.port}/?Action=ListTopics", "file:///etc/passwd", "gopher://127.0.0.1:53/x", "dict://127.0.0.1:53/x"]
        for endpoint in endpoints:
            try:
                sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)
            except Exception as error:  # noqa: BLE001 - a refusal in words is as good as no call
                refused[endpoint] = str(error)
        # Names are asked for again with every attempt: let them flip a few times.
        for _ in range(6):
            for host in ("flip.test", "flop.test", "both.test"):
                try:
                    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://{host}:{PORT}/{host}/{time.time_ns()}")
                except Exception as error:  # noqa: BLE001
                    refused[host] = str(error)
            time.sleep(0.3)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and not {"/ok", "/redirect", "/ok2"} <= {path for _, path in seen}:
            time.sleep(0.1)
        time.sleep(1.5)
        alive = site.server.is_alive()
        log = site.server.log(100_000)
    print(json.dumps({"seen": seen, "asked": asked, "refused": refused, "alive": alive, "log": log}))


main(pathlib.Path(sys.argv[1]))
