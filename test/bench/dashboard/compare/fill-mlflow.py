"""Store runs and one long run in a database of MLflow. Arguments: SQLITE_FILE NUM_RUNS NUM_POINTS.

One run is logged by MLflow's own client; the others are copies of its rows, since the client only
logs about a hundred runs per second.
"""

import math
import sqlite3
import sys
import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

FILE, NUM_RUNS, NUM_POINTS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
TABLES = ["runs", "params", "tags", "metrics", "latest_metrics"]

client = MlflowClient(f"sqlite:///{FILE}")
experiment = client.create_experiment("bench")
now = int(time.time() * 1000)
run = client.create_run(experiment, run_name="a long run").info.run_id
metrics = [Metric("outer_loss", 0.5, now, 0), Metric("inner_loss", 0.5, now, 0)]
metrics += [Metric("accuracy_mean", 0.8, now, 0)]
params = [Param(name, "1") for name in ("steps", "seed", "lr", "sl", "al")]
client.log_batch(run, metrics, params)
client.set_terminated(run)

database = sqlite3.connect(FILE)
database.row_factory = sqlite3.Row
for table in TABLES:
    rows = database.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", (run,)).fetchall()
    columns = rows[0].keys()
    copies = []
    for number in range(NUM_RUNS):
        for row in rows:
            values = dict(row) | {"run_uuid": f"{number:032x}"}
            if table == "runs":
                values |= {"name": f"run {number}", "start_time": now - 1000 * number}
            if table == "params":
                values["value"] = str(number % 4)
            if table in ("metrics", "latest_metrics"):
                values["value"] = 0.7 + 0.2 * abs(math.sin(number))
            copies.append([values[name] for name in columns])
    places = ", ".join("?" for _ in columns)
    database.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", copies)

points = [
    (name, 2 / math.log(step + 2) + math.sin(step) / 10, now + step, run, step, False)
    for step in range(1, NUM_POINTS // 2 + 1)
    for name in ("outer_loss", "inner_loss")
]
database.executemany(
    'INSERT INTO metrics ("key", value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)',
    points,
)
database.execute(
    "UPDATE latest_metrics SET step = ? WHERE run_uuid = ? AND step = 0", (NUM_POINTS // 2, run)
)
database.commit()
print(experiment, run)
