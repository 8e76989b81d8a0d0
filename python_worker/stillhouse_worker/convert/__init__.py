"""Protos to the core's types and back: the only package that imports generated code."""

from .artifacts import ArtifactStub, download_request, upload_requests
from .frames import (
    control_message,
    goodbye,
    heartbeat,
    hello,
    log_line,
    metrics,
    progress,
    report,
    stopped,
)
from .results import distill_result, failure_of, is_retryable, learner_result
from .spec import (
    TaskRequest,
    settings_of,
    spec_document,
    spec_from_json,
    task_request,
    variation_of,
)

__all__ = [
    "ArtifactStub",
    "TaskRequest",
    "control_message",
    "distill_result",
    "download_request",
    "failure_of",
    "goodbye",
    "heartbeat",
    "hello",
    "is_retryable",
    "learner_result",
    "log_line",
    "metrics",
    "progress",
    "report",
    "settings_of",
    "spec_document",
    "spec_from_json",
    "stopped",
    "task_request",
    "upload_requests",
    "variation_of",
]
