"""The worker process: its talk with the control plane, and what it keeps on its machine."""
