"""The worker process: its messages with the control plane, and its files."""
