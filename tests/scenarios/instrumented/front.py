"""A front service traced with the X-Ray SDK for Python: captured AWS clients, a traced call over HTTP, annotations.

Arguments: port of the worker, paths to ask for. Prints the trace ids.
"""
import http.client
import json
import sys

import boto3
from aws_xray_sdk.core import patch, xray_recorder
from aws_xray_sdk.ext.util import inject_trace_header

patch(("botocore",))
xray_recorder.configure(service="front", sampling=False, context_missing="LOG_ERROR")
logs = boto3.client("logs")
ids = []
for path in sys.argv[2:]:
    with xray_recorder.in_segment("front") as segment:
        segment.put_annotation("path", path)
        segment.put_http_meta("url", f"http://front{path}")
        segment.put_http_meta("method", "GET")
        with xray_recorder.in_subsegment("worker", namespace="remote") as call:
            headers = {}
            inject_trace_header(headers, call)
            link = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
            link.request("GET", path, headers=headers)
            status = link.getresponse().status
            call.put_http_meta("status", status)
        segment.put_http_meta("status", status)
        if status >= 500:
            segment.add_fault_flag()
        with xray_recorder.in_subsegment("render"):
            pass
        logs.put_log_events(logGroupName="/front", logStreamName="s", logEvents=[
            {"timestamp": int(segment.start_time * 1000), "message": json.dumps({"trace_id": segment.trace_id, "path": path})}])
    ids.append(segment.trace_id)
print(json.dumps(ids))
