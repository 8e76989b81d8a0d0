"""Metric points a second into MLflow's tracking server: PORT NUM_CLIENTS POINTS_A_BATCH SECONDS.

Each client has a run of its own and logs the next batch when the last one is answered.
"""

import http.client
import json
import sys
import threading
import time

PORT, NUM_CLIENTS, BATCH, SECONDS = (int(argument) for argument in sys.argv[1:5])
NAMES = ["outer_loss", "outer_gradient_norm", "inner_lr", "step_seconds"]


def post(connection: http.client.HTTPConnection, path: str, body: object) -> dict:
    """Call the REST API."""
    content = json.dumps(body)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"/api/2.0/mlflow/{path}", content, headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {answer[:300]!r}")
    return json.loads(answer or b"{}")


def batch_from(first: int) -> list[dict]:
    """The metrics of one call."""
    now = int(time.time() * 1000)
    return [
        {"key": NAMES[n % 4], "value": 1 / (n + 1), "timestamp": now, "step": n // 4}
        for n in range(first, first + BATCH)
    ]


def log(index: int) -> None:
    """Log a batch to warm up, wait for the others, and log batches until the time is over."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    run = post(connection, "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    post(connection, "runs/log-batch", {"run_id": run, "metrics": batch_from(0)})
    ready.wait()
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        first = counts[index] + BATCH
        post(connection, "runs/log-batch", {"run_id": run, "metrics": batch_from(first)})
        counts[index] += BATCH


counts = [0] * NUM_CLIENTS
ready = threading.Barrier(NUM_CLIENTS + 1)
threads = [
    threading.Thread(target=log, args=(index,), daemon=True) for index in range(NUM_CLIENTS)
]
for thread in threads:
    thread.start()
ready.wait()
started = time.monotonic()
for thread in threads:
    thread.join()
print(sum(counts) / (time.monotonic() - started))
