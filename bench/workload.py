"""Deterministic requests for the bench: the same seed and end time give the same bytes.

Everything an AI service would send: JSON log lines with trace ids, metrics of three dimensions a
minute, traces of an API with a worker behind it. Times end before `end` (epoch seconds), so that no
record is refused as too old or too new. Standard library only.
"""
import json
import pathlib
import random
import struct
from datetime import datetime, timezone
from urllib.parse import quote

SEED = 20261101
MODELS = ("gpt-4o", "gpt-4o-mini", "command-r", "gemini-flash", "llama-70b", "llama-8b", "mistral-large", "embed-v2")
LEVELS = ("INFO",) * 90 + ("WARN",) * 7 + ("ERROR",) * 3
TEXTS = ("Inference completed", "Response streamed to client", "Embedding batch stored", "Prompt validated", "Cache lookup miss",
         "Retry after transient error", "upstream did not answer within 30000 ms", "429 Too Many Requests from upstream provider")
METRICS = ("InferenceLatency", "TokensUsed", "InferenceCost", "InferenceCount", "QueueDepth")
UNITS = {"InferenceLatency": "Milliseconds", "TokensUsed": "Count", "InferenceCost": "None", "InferenceCount": "Count", "QueueDepth": "Count"}
SEGMENT_HEADER = b'{"format":"json","version":1}\n'


# --- requests -------------------------------------------------------------------------------------


def http(service, body, *headers, path="/"):
    """A whole request as an SDK would send it, with a well-formed signature that nobody checks."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers, "X-Amz-Date: 20261101T000000Z",
             f"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261101/us-east-1/{service}/aws4_request, "
             f"SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}",
             f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def logs(operation, **request):
    return http("logs", compact(request), "Content-Type: application/x-amz-json-1.1", f"X-Amz-Target: Logs_20140328.{operation}")


def cloudwatch(protocol, operation, request):
    if protocol == "json":
        return http("monitoring", compact(request), "Content-Type: application/x-amz-json-1.0",
                    f"X-Amz-Target: GraniteServiceVersion20100801.{operation}")
    if protocol == "cbor":
        return http("monitoring", cbor(request), "Content-Type: application/cbor", "Accept: application/cbor", "Smithy-Protocol: rpc-v2-cbor",
                    path=f"/service/GraniteServiceVersion20100801/operation/{operation}")
    pairs = [f"Action={operation}", "Version=2010-08-01", *form("", request)]
    return http("monitoring", "&".join(pairs).encode(), "Content-Type: application/x-www-form-urlencoded; charset=utf-8")


def xray(path, **request):
    return http("xray", compact(request), "Content-Type: application/json", path=path)


def sns(operation, **parameters):
    pairs = [f"Action={operation}", "Version=2010-03-31", *form("", parameters)]
    return http("sns", "&".join(pairs).encode(), "Content-Type: application/x-www-form-urlencoded; charset=utf-8")


class Time(float):
    """Epoch seconds that each protocol writes in its own way."""


def form(name, value):
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in form(f"{name}.{key}" if name else key, inner)]
    if isinstance(value, list):
        return [pair for i, inner in enumerate(value, 1) for pair in form(f"{name}.member.{i}", inner)]
    if isinstance(value, Time):
        value = datetime.fromtimestamp(value, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [f"{name}={quote(str(value), safe='-_.~')}"]


def cbor(value):
    def head(major, n):
        if n < 24:
            return bytes([major << 5 | n])
        code, layout = next((c, f) for c, f, limit in ((24, ">B", 1 << 8), (25, ">H", 1 << 16), (26, ">I", 1 << 32), (27, ">Q", 1 << 64)) if n < limit)
        return bytes([major << 5 | code]) + struct.pack(layout, n)
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, Time):
        return b"\xc1\xfb" + struct.pack(">d", value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def write(path, requests):
    """The file loadgen reads; returns its size in requests and bytes."""
    count = size = 0
    with open(path, "wb") as out:
        for request in requests:
            out.write(struct.pack("<I", len(request)) + request)
            count, size = count + 1, size + len(request)
    return {"requests": count, "bytes": size}


# --- data -----------------------------------------------------------------------------------------


class Data:
    def __init__(self, end, seed=SEED):
        self.end, self.seed = int(end), seed

    def dice(self, what):
        return random.Random(f"{self.seed}/{what}")

    def datums(self, batch, batches):
        """Lists of `batch` datums: 1,000 series, all of one minute before any of the next."""
        dice = self.dice("metrics")
        series = [(name, [{"Name": "ModelName", "Value": model}, {"Name": "Environment", "Value": environment}, {"Name": "Host", "Value": f"host-{host:02}"}])
                  for name in METRICS for model in MODELS for environment in ("production", "staging") for host in range(13)][:1000]
        minutes = max(1, batch * batches // len(series) + 1)
        start = self.end // 60 * 60 - minutes * 60 - 60
        n = 0
        for _ in range(batches):
            out = []
            for _ in range(batch):
                name, dimensions = series[n % len(series)]
                out.append({"MetricName": name, "Dimensions": dimensions, "Timestamp": Time(start + n // len(series) * 60),
                            "Value": round(dice.lognormvariate(5, 1), 3), "Unit": UNITS[name]})
                n += 1
            yield out

    def events(self, count):
        """(milliseconds, message) with rising times over the last hour."""
        dice = self.dice("logs")
        start = (self.end - 3600) * 1000
        for i in range(count):
            level, model = dice.choice(LEVELS), dice.choice(MODELS)
            line = {"level": level, "message": dice.choice(TEXTS), "request_id": f"{dice.getrandbits(64):016x}-{i:08x}", "model": model,
                    "trace_id": f"1-{self.end:08x}-{dice.getrandbits(96):024x}", "latency_ms": round(dice.lognormvariate(6, 0.8), 1),
                    "tokens": dice.randint(1, 4000), "cost": round(dice.random() * 0.05, 6), "environment": "production"}
            yield start + i * 3_500_000 // max(1, count), json.dumps(line)

    def segments(self, traces):
        """Documents: a front segment with a call, and the worker behind it; two documents a trace."""
        dice = self.dice("traces")
        for i in range(traces):
            at = self.end - 3500 + i * 3400 / max(1, traces)
            trace, length = f"1-{int(at):08x}-{dice.getrandbits(96):024x}", dice.lognormvariate(-1.5, 0.7)
            call, model, fault = f"{dice.getrandbits(64):016x}", dice.choice(MODELS), dice.random() < 0.03
            front = {"name": "inference-api", "id": f"{dice.getrandbits(64):016x}", "trace_id": trace, "start_time": round(at, 3), "end_time": round(at + length, 3),
                     "http": {"request": {"method": "POST", "url": "http://api.example/infer", "user_agent": "bench", "client_ip": f"10.0.{i // 256 % 256}.{i % 256}"},
                              "response": {"status": 500 if fault else 200, "content_length": dice.randint(100, 9000)}},
                     "annotations": {"model_name": model, "tenant": f"tenant-{i % 1000:04}", "tokens": dice.randint(1, 4000)},
                     "metadata": {"ai": {"prompt": "x" * dice.randint(50, 400), "temperature": 0.7}},
                     "subsegments": [{"name": "worker", "id": call, "namespace": "remote", "start_time": round(at + length * .1, 3), "end_time": round(at + length * .9, 3)},
                                     {"name": "DynamoDB", "id": f"{dice.getrandbits(64):016x}", "namespace": "aws", "aws": {"table_name": "prompts", "operation": "GetItem"},
                                      "start_time": round(at, 3), "end_time": round(at + length * .05, 3)}]} | ({"fault": True} if fault else {})
            worker = {"name": "inference-worker", "id": f"{dice.getrandbits(64):016x}", "trace_id": trace, "parent_id": call, "origin": "AWS::ECS::Container",
                      "start_time": round(at + length * .2, 3), "end_time": round(at + length * .8, 3), "annotations": {"model_name": model}}
            yield json.dumps(front)
            yield json.dumps(worker)


def batches(items, size):
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []


def cached(folder, name, end, make):
    """A request file made once for an end time."""
    path = pathlib.Path(folder) / f"{name}-{int(end)}.req"
    if not path.exists():
        write(path, make())
    return path
