"""What a worker can be asked to do: one file per kind of task."""
