"""Settings of the process that runs the tests; they must stand before torch is imported."""

import os

# One thread: quicker for tensors as small as those of the tests, and the same sums every time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
