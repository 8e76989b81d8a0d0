"""Write event files for TensorBoard. Arguments: FOLDER NUM_RUNS NUM_POINTS.

Half of the points of the long run are of either loss.
"""

import math
import sys
from pathlib import Path

from tensorboardX import SummaryWriter

FOLDER, NUM_RUNS, NUM_POINTS = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

with SummaryWriter(str(FOLDER / "long")) as writer:
    for step in range(1, NUM_POINTS // 2 + 1):
        for name in ("outer_loss", "inner_loss"):
            writer.add_scalar(name, 2 / math.log(step + 2) + math.sin(step) / 10, step)
for number in range(NUM_RUNS):
    with SummaryWriter(str(FOLDER / f"run{number}"), max_queue=1) as writer:
        writer.add_scalar("accuracy_mean", 0.7 + 0.2 * abs(math.sin(number)), 1)
