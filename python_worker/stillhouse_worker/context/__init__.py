"""The context of a task: settings, data and encoder, its reporter, its checkpoints."""
