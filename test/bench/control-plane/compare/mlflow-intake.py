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


def log(ends: float, counts: list[int], index: int) -> None:
    """Log batches until the time is over."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    run = post(connection, "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    first = 0
    while time.monotonic() < ends:
        now = int(time.time() * 1000)
        metrics = [
            {"key": NAMES[n % 4], "value": 1 / (n + 1), "timestamp": now, "step": n // 4}
            for n in range(first, first + BATCH)
        ]
        post(connection, "runs/log-batch", {"run_id": run, "metrics": metrics})
        first += BATCH
        counts[index] = first


counts = [0] * NUM_CLIENTS
started = time.monotonic()
threads = [
    threading.Thread(target=log, args=(started + SECONDS, counts, index), daemon=True)
    for index in range(NUM_CLIENTS)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(counts) / (time.monotonic() - started))
