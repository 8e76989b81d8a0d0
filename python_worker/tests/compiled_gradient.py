"""Prints how far the compiled method is from the oracle: relative gap by tensor, as JSON.

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
case, phi, theta = problem(load_encoder(model), num_steps=2, learn_lr="shared")
exact = unrolled(case, phi, theta).grads
grads = blockwise(case._replace(compiled=True), phi, theta).grads
gaps = {name: ((grads[name] - exact[name]).norm() / exact[name].norm()).item() for name in exact}
print(json.dumps(gaps))
