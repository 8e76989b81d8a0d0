"""Dataset distillation: synthetic data, the inner step, the meta-gradient and the outer loop."""
