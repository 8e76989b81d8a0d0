"""The problem for which meta-gradients are measured, its methods, and the first-order bound."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from stillhouse_worker.distillation.inner import StagedInnerLoss, inner_gradient
from stillhouse_worker.distillation.meta_gradient import METHODS, MetaProblem
from stillhouse_worker.distillation.meta_gradient.walk import outer_gradient
from stillhouse_worker.distillation.outer_loss import num_parts, outer_losses
from stillhouse_worker.distillation.synthetic import Phi, SyntheticConfig, init_phi, materialise
from stillhouse_worker.learners import draw_head, learner_params
from stillhouse_worker.learners.encoder import Encoder
from stillhouse_worker.learners.interface import Params
from stillhouse_worker.learners.lanes import num_lanes

from ._shared import Work

NUM_CLASSES, OUTER_ROWS, OUTER_TOKENS = 4, 32, 64
BOUND = "bound"
COMPILED = " compiled"  # suffix of a method's name when its blocks are compiled


class Case(NamedTuple):
    """One row of a table, without the method."""

    T: int
    S: int
    attention_labels: str
    precision: str
    trajectory_mib: int
    activation_mib: int


class Setting(NamedTuple):
    """The arguments of a method, and the outer loss in one part, as the bound computes it."""

    problem: MetaProblem
    whole: list[Callable[[Params], torch.Tensor]]
    phi: Phi
    theta: Params


def synthetic_of(case: Case) -> SyntheticConfig:
    """Which tensors are learned."""
    labels, rate = case.attention_labels, 0.01
    return SyntheticConfig(
        NUM_CLASSES, 1, case.S, "unrestricted", labels, case.T, rate, 1.0, "none"
    )


def setting_of(case: Case, encoder: Encoder, dtype: torch.dtype = torch.float32) -> Setting:
    """The problem of a case, on the device of the encoder; the same numbers on every device."""
    draws = torch.Generator().manual_seed(0)
    sizes, config = encoder.config, synthetic_of(case)
    device = next(iter(encoder.blocks.values())).device
    x = torch.randn(NUM_CLASSES, case.S, sizes.width, generator=draws)
    phi = init_phi(config, sizes.num_layers, sizes.num_heads, x, draws)
    phi = {name: tensor.detach().to(device, dtype).requires_grad_() for name, tensor in phi.items()}
    entry = torch.randn(OUTER_ROWS, OUTER_TOKENS, sizes.width, generator=draws).to(device, dtype)
    mask = torch.ones(OUTER_ROWS, OUTER_TOKENS, dtype=torch.bool, device=device)
    labels = torch.randint(NUM_CLASSES, (OUTER_ROWS,), generator=draws).to(device)
    whole, parts = (
        outer_losses(encoder, entry, mask, labels, case.precision, parts)
        for parts in (1, num_parts(device, OUTER_ROWS))
    )
    head = draw_head(sizes.width, NUM_CLASSES, "default", draws)
    inner = "bf16" if case.precision == "bf16" else "fp32"
    problem = MetaProblem(
        lambda phi: materialise(config, phi),
        StagedInnerLoss(encoder, 1.0, "keys", inner),
        parts,
        trajectory_bytes=case.trajectory_mib * 2**20,
        activation_bytes=case.activation_mib * 2**20,
        lanes=num_lanes(encoder, device),
    )
    theta = {name: p.to(dtype) for name, p in learner_params(encoder, head).items()}
    return Setting(problem, whole, phi, theta)


def work_of(setting: Setting, name: str) -> Work:
    """What is measured: a method by its name, or the bound."""
    problem, whole, phi, theta = setting
    if name in (BOUND, "unrolled"):
        problem = problem._replace(outer_losses=whole)
    if name != BOUND:
        method = METHODS[name.removesuffix(COMPILED)]
        case = problem._replace(compiled=name.endswith(COMPILED))
        return lambda: method(case, phi, theta)
    data = problem.materialise(phi).map(torch.Tensor.detach)

    def plain_training() -> None:
        for _ in data.lrs:
            inner_gradient(problem.inner_loss, data, theta)
        outer_gradient(problem, theta)

    return plain_training


def theta_bytes(setting: Setting) -> int:
    """Bytes of one copy of theta."""
    return sum(p.numel() * p.element_size() for p in setting.theta.values())
