"""Metric points per second into MLflow's tracking server.

Arguments: PORT NUM_CLIENTS POINTS_PER_BATCH SECONDS. Each client has a run of its own and logs the
next batch when the last one is answered.
"""

import http.client
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PORT, NUM_CLIENTS, BATCH, SECONDS = (int(argument) for argument in sys.argv[1:5])
ATTEMPTS = 7
NAMES = ["outer_loss", "outer_gradient_norm", "inner_lr", "step_seconds"]


def post(connection: http.client.HTTPConnection, path: str, body: object) -> dict:
    """Call the REST API, again where the server failed or hung up, as MLflow's own client does."""
    content = json.dumps(body)
    headers = {"Content-Type": "application/json"}
    problem = ""
    for attempt in range(ATTEMPTS):
        time.sleep(0.1 * attempt)
        try:
            connection.request("POST", f"/api/2.0/mlflow/{path}", content, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
            connection.close()
            continue
        if response.status == 200:
            return json.loads(answer or b"{}")
        problem = f"{response.status} {answer[:300]!r}"
        if response.status < 500:
            break
    raise RuntimeError(f"{path}: {problem}")


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
    try:
        run = post(connection, "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
        post(connection, "runs/log-batch", {"run_id": run, "metrics": batch_from(0)})
    except BaseException:
        ready.abort()
        raise
    ready.wait()
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        first = counts[index] + BATCH
        post(connection, "runs/log-batch", {"run_id": run, "metrics": batch_from(first)})
        counts[index] += BATCH


counts = [0] * NUM_CLIENTS
begun: list[float] = []
ready = threading.Barrier(NUM_CLIENTS, action=lambda: begun.append(time.monotonic()))
with ThreadPoolExecutor(NUM_CLIENTS) as clients:
    logging = [clients.submit(log, index) for index in range(NUM_CLIENTS)]
failures = [failure for each in logging if (failure := each.exception()) is not None]
# Where one client failed before the others began, theirs is only the error of the broken barrier.
failures.sort(key=lambda failure: isinstance(failure, threading.BrokenBarrierError))
if failures:
    raise failures[0]
print(sum(counts) / (time.monotonic() - begun[0]))
