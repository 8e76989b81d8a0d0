"""What a task works with: settings, data and encoder, whom it reports to, its checkpoints."""
