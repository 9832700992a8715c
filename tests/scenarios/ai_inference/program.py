"""An AI inference service as its authors would write it: logs, metrics and traces of six requests.

Knows nothing of fogwatch: clients come from AWS_ENDPOINT_URL and AWS_XRAY_DAEMON_ADDRESS.
"""
import json
import time

import boto3
from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.sampling.local.sampler import LocalSampler

LOG_GROUP, LOG_STREAM = "/aws/ai-devops/inference", "worker-1"
NAMESPACE = "AIDevOps"
SERVICE = "ai-inference-example"
SAMPLING_RULES = {
    "version": 2,
    "rules": [{"description": "every inference", "host": "*", "http_method": "*", "url_path": "/infer/*", "fixed_target": 10, "rate": 1.0}],
    "default": {"fixed_target": 10, "rate": 1.0},
}
# model, latency in ms, tokens, cost in dollars, error type
REQUESTS = [
    ("gpt-4", 1800, 900, 0.027, None),
    ("gpt-4", 2200, 1100, 0.033, None),
    ("claude-3", 600, 700, 0.0105, None),
    ("gpt-4", 1400, 300, 0.009, "RateLimitError"),
    ("claude-3", 400, 200, 0.003, None),
    ("claude-3", 30_000, 0, 0.0, "TimeoutError"),
]


class InferenceService:
    def __init__(self):
        self.logs, self.cloudwatch = boto3.client("logs"), boto3.client("cloudwatch")
        xray_recorder.configure(service=SERVICE, sampling=True, sampler=LocalSampler(SAMPLING_RULES), context_missing="LOG_ERROR")
        for create, names in ((self.logs.create_log_group, {"logGroupName": LOG_GROUP}),
                              (self.logs.create_log_stream, {"logGroupName": LOG_GROUP, "logStreamName": LOG_STREAM})):
            try:
                create(**names)
            except self.logs.exceptions.ResourceAlreadyExistsException:
                pass

    def infer(self, model, latency_ms, tokens, cost, error):
        """One request: a trace with nested subsegments, its log line and its metrics; returns the trace id."""
        segment = xray_recorder.begin_segment(SERVICE)
        segment.put_annotation("model_name", model)
        segment.put_annotation("environment", "production")
        segment.put_metadata("request", {"tokens": tokens, "cost": cost}, "ai")
        with xray_recorder.in_subsegment("preprocess"), xray_recorder.in_subsegment("tokenize") as step:
            step.put_metadata("tokens", tokens)
        with xray_recorder.in_subsegment("model-call", namespace="remote") as call:
            time.sleep(0.12)
            if error:
                call.add_error_flag()
                segment.add_error_flag()
        xray_recorder.end_segment()
        self.log(model, latency_ms, tokens, cost, error, segment.trace_id)
        self.measure(model, latency_ms, tokens, cost, error)
        return segment.trace_id

    def log(self, model, latency_ms, tokens, cost, error, trace_id):
        line = {"level": "ERROR" if error else "INFO", "message": "inference failed" if error else "inference completed", "model": model,
                "latency_ms": latency_ms, "tokens": tokens, "cost": cost, "trace_id": trace_id} | ({"error_type": error} if error else {})
        self.logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=LOG_STREAM,
                                 logEvents=[{"timestamp": int(time.time() * 1000), "message": json.dumps(line)}])

    def measure(self, model, latency_ms, tokens, cost, error):
        status = "error" if error else "success"
        where = [{"Name": "ModelName", "Value": model}, {"Name": "Environment", "Value": "production"}, {"Name": "Status", "Value": status}]
        data = [
            {"MetricName": "InferenceLatency", "Value": latency_ms, "Unit": "Milliseconds", "Dimensions": where},
            {"MetricName": "InferenceLatency", "Value": latency_ms, "Unit": "Milliseconds", "Dimensions": where[:1]},
            {"MetricName": "TokensUsed", "Value": tokens, "Unit": "Count", "Dimensions": where},
            {"MetricName": "InferenceCount", "Value": 1, "Unit": "Count", "Dimensions": where},
            {"MetricName": "InferenceCost", "Value": cost, "Unit": "None", "Dimensions": where},
        ]
        if error:
            failed = [*where, {"Name": "ErrorType", "Value": error}]
            data.append({"MetricName": "PipelineError", "Value": 1, "Unit": "Count", "Dimensions": failed})
            data.append({"MetricName": "PipelineError", "Value": 1, "Unit": "Count", "Dimensions": where[1:2]})
        else:
            data.append({"MetricName": "PipelineSuccess", "Value": 1, "Unit": "Count", "Dimensions": where})
        self.cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)


def main():
    service = InferenceService()
    print(json.dumps([service.infer(*request) for request in REQUESTS]))


if __name__ == "__main__":
    main()
