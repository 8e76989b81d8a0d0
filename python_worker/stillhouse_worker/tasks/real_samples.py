"""BASELINE: learners trained on a few real samples, at random or from a coreset."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..context.bench import Bench, open_bench
from ..context.reporting import LearnerOutcome
from ..context.task_context import TaskContext
from ..datasets import Batch, collate
from ..distillation.inner import leaves, sgd
from ..evaluation import Coreset
from ..evaluation.learner_series import tested_learners
from ..evaluation.rate_search import SGD_LRS, choose_lr
from ..evaluation.sample_rows import RowsOf, chosen_rows, random_rows
from ..learners import forward
from ..learners.encoder import Params


def random_baseline(task: TaskContext) -> LearnerOutcome:
    """Learners trained on as many real samples as there are distilled ones; each draws its own."""
    bench = _opened(task)
    return _baseline(bench, random_rows(bench))


def coreset_baseline(kind: Coreset, task: TaskContext) -> LearnerOutcome:
    """Learners trained on the rows that a coreset method chooses: all on the same ones."""
    bench = _opened(task)
    return _baseline(bench, chosen_rows(kind, bench))


def _opened(task: TaskContext) -> Bench:
    task.reporter.progress("loading", 0, len(task.init_seeds), {})
    return open_bench(task, ("train", "validation", "test"))


def _baseline(bench: Bench, rows_of: RowsOf) -> LearnerOutcome:
    """Learners with the rate of `SGD_LRS` that is best on validation with the same rows."""
    task = bench.task

    def learner(seed: int, lr: float) -> Params:
        return _train_on_rows(bench, seed, rows_of(seed), lr)

    lr = choose_lr(bench, SGD_LRS, learner)
    outcomes = tested_learners(bench, lambda seed: learner(seed, lr))
    num_samples = len(rows_of(task.init_seeds[0]))
    return LearnerOutcome(outcomes, num_samples, task.settings.distilled.num_steps, lr)


def _train_on_rows(bench: Bench, init_seed: int, rows: Tensor, lr: float) -> Params:
    batch = Batch(*(tensor.to(bench.device) for tensor in collate(bench.tokens["train"], rows)))
    entry = bench.encoder.embed(batch.input_ids, batch.token_type_ids)
    theta = bench.test_learner(init_seed)
    for _ in range(bench.task.settings.distilled.num_steps):
        theta = leaves(theta)
        logits = forward(bench.encoder.config, theta, entry, batch.mask).logits
        loss = F.cross_entropy(logits, batch.labels)
        grads = torch.autograd.grad(loss, list(theta.values()))
        with torch.no_grad():
            theta = sgd(theta, grads, lr)
    return theta
