"""Prints how far the compiled method is from the oracle: largest relative gap by tensor, as JSON.

The learned rate is another one in each of ten gradients, as in ten outer steps.

A program of its own, since the tests check types at run time, and such functions cannot be compiled.
"""

import functools
import json
import sys

import torch

from bench._small_problem import problem
from stillhouse_worker.distillation.meta_gradient import blockwise, unrolled
from stillhouse_worker.models.opened import load_encoder

_, model, backend = sys.argv
torch.compile = functools.partial(torch.compile, backend=backend)
encoder = load_encoder(model)
gaps: dict[str, float] = {}
for step in range(10):
    case, phi, theta = problem(encoder, num_steps=2, learn_lr="shared", dropout=0.1)
    with torch.no_grad():
        phi["log_lr"] += 0.01 * step
    exact = unrolled(case, phi, theta).grads
    grads = blockwise(case._replace(compiled=True), phi, theta).grads
    for name, tensor in exact.items():
        gap = ((grads[name] - tensor).norm() / tensor.norm()).item()
        gaps[name] = max(gap, gaps.get(name, 0.0))
print(json.dumps(gaps))
