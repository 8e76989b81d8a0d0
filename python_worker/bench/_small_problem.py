"""A meta-gradient so small that its error can be compared with what rounding explains.

The tests of the methods take it on a CPU, and the benchmark of a GPU takes it there.
"""

import functools
import itertools
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stillhouse_worker.distillation.inner import inner_loss
from stillhouse_worker.distillation.inner_rates import LearnLr, RateForm
from stillhouse_worker.distillation.losses import AttentionLoss, HiddenTerm
from stillhouse_worker.distillation.meta_gradient import MetaProblem, Window, blockwise
from stillhouse_worker.distillation.synthetic import (
    AttentionKind,
    ClassLabelKind,
    Phi,
    SyntheticConfig,
    init_phi,
    materialise,
)
from stillhouse_worker.learners import draw_head, learner_params
from stillhouse_worker.learners.encoder import Encoder
from stillhouse_worker.learners.interface import Params

NUM_CLASSES = 3


class Combination(NamedTuple):
    """Settings in which the small problem comes."""

    labels: ClassLabelKind
    attention: AttentionKind
    num_steps: int
    learn_lr: LearnLr
    accumulate: bool
    blocks: int = 1


_LABELS = ("hard", "restricted", "unrestricted")
ATTENTION = ("none", "cls", "all")
_STEPS = (1, 2, 3, 10)
_LEARN_LR = ("none", "shared", "per_step")

# All combinations of the other settings, each in one number of blocks: both occur with every pair.
ALL = [
    Combination(*others, blocks=1 + number // 2 % 2)
    for number, others in enumerate(
        itertools.product(_LABELS, ATTENTION, _STEPS, _LEARN_LR, (False, True))
    )
]


def _covering() -> list[Combination]:
    """Twelve combinations, the fewest in which every pair of values of two settings occurs."""
    return [
        Combination(
            _LABELS[label],
            ATTENTION[(step + label) % 3],
            _STEPS[step],
            _LEARN_LR[(2 * step + label) % 3],
            (step + label) % 2 == 1,
            1 + (step // 2 + label) % 2,
        )
        for step, label in itertools.product(range(len(_STEPS)), range(len(_LABELS)))
    ]


PAIRS = _covering()


def problem(
    encoder: Encoder,
    labels: ClassLabelKind = "unrestricted",
    attention: AttentionKind = "cls",
    num_steps: int = 1,
    learn_lr: LearnLr = "none",
    accumulate: bool = False,
    blocks: int = 1,
    dtype: torch.dtype = torch.float64,
    rate_form: RateForm = "exp",
    window: Window | None = None,
    encoder_lr_scale: float = 0.0,
    dropout: float = 0.0,
    attention_loss: AttentionLoss = "kl",
    hidden: HiddenTerm | None = None,
    learns_hidden_weight: bool = False,
) -> tuple[MetaProblem, Phi, Params]:
    """A small problem with padded pairs of texts, in float64 unless told otherwise.

    It is on the encoder's device, with the same numbers on each.
    """
    draws = torch.Generator().manual_seed(5)
    device = next(iter(encoder.blocks.values())).device
    config = SyntheticConfig(
        NUM_CLASSES, 1, 4, labels, attention, num_steps, 0.3, 0.7, learn_lr, (), blocks, rate_form
    )
    config = config._replace(
        encoder_lr_scale=encoder_lr_scale,
        hidden_labels="none" if hidden is None else "cls",
        hidden_weight=0.6,
        learns_hidden_weight=learns_hidden_weight,
    )
    x = torch.randn(blocks * NUM_CLASSES, *encoder.entry_shape(4), generator=draws)
    layers = encoder.attention.num_layers
    states = None
    if hidden is not None:
        states = torch.randn(len(x), layers, encoder.config.width, generator=draws)
    phi = init_phi(config, *encoder.attention, x, draws, states=states)
    phi = {name: p.detach().to(device, dtype).requires_grad_() for name, p in phi.items()}
    head = draw_head(encoder.config.width, NUM_CLASSES, "default", draws)
    theta = {name: p.to(dtype) for name, p in learner_params(encoder, head).items()}
    ids = torch.randint(5, 20, (5, 6), generator=draws).to(device)
    second = torch.arange(6) >= torch.tensor([3, 2, 4, 1, 2])[:, None]
    entry = encoder.embed(ids, second.long().to(device)).to(dtype)
    mask = (torch.arange(6) < torch.tensor([6, 3, 5, 1, 4])[:, None]).to(device)
    targets = torch.tensor([0, 1, 2, 0, 1], device=device)

    def outer_loss(rows: slice, params: Params) -> Tensor:
        logits = encoder.forward(params, entry[rows], mask[rows]).logits
        return F.cross_entropy(logits, targets[rows], reduction="sum") / len(targets)

    loss = inner_loss(
        encoder, 0.7, "keys", dropout, attention_loss, hidden or HiddenTerm(num_steps=num_steps)
    )
    return (
        MetaProblem(
            lambda values: materialise(config, values),
            loss.of_learner(5, "outer step"),
            [functools.partial(outer_loss, rows) for rows in (slice(0, 3), slice(3, None))],
            accumulate,
            window=window,
        ),
        phi,
        theta,
    )


def distance_of(grads: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """Distance of the whole gradient; for a single rate it is luck which digit is wrong first."""
    gaps = [(grads[name].double() - exact[name]).norm() for name in exact]
    return torch.stack(gaps).norm().item()


UNIT_ROUND_OFF = 2.0**-24


def rounding_noise(encoder: Encoder, each: Combination, exact: dict[str, Tensor]) -> float:
    """How far float64 is from itself when the inputs are moved by one rounding of float32 each.

    This is the condition of the problem: no computation in float32 can be nearer in general, since
    its first operation already rounds.
    """
    case, phi, theta = problem(encoder, *each)
    draws = torch.Generator().manual_seed(2)

    def moved(tensor: Tensor) -> Tensor:
        signs = torch.randint(0, 2, tensor.shape, generator=draws) * 2 - 1
        return tensor.detach() * (1 + UNIT_ROUND_OFF * signs.to(tensor.device))

    phi = {name: moved(tensor).requires_grad_() for name, tensor in phi.items()}
    theta = {name: moved(tensor) for name, tensor in theta.items()}
    return distance_of(blockwise(case, phi, theta).grads, exact)


# Number of operations in a row that round a value: 12 per block forward (two LayerNorms, two
# products with a bias, scores, softmax, GELU, two sums), twice as many backward, and as many again
# for the derivatives along v. The tiny encoder has two blocks; its head and loss count as one more.
# Outside the inner steps there is one forward and backward pass.
_ROUNDINGS_PER_PASS = 3 * (12 * 2 + 12)


def most_noise(num_steps: int) -> float:
    """How many times the rounding noise a float32 result may be off.

    Roundings of independent sign add up with the square root of their number: if each of D
    operations in a row adds as much error as one rounding of the inputs, the result is about
    sqrt(D) times as far off, which is 18 to 48 here. A missing term changes the gradient by a
    share of itself, and bf16 by 2^16 times the noise.
    """
    return math.sqrt(_ROUNDINGS_PER_PASS * (1 + 2 * num_steps))
