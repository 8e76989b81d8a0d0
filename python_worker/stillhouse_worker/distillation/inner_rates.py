"""Rates of the inner steps: free parameters that are learned, and the rates that they stand for."""

from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LearnLr = Literal["none", "shared", "per_step"]
LEARN_LRS: tuple[LearnLr, ...] = get_args(LearnLr)
# How a free parameter becomes a rate > 0. Above 0.5 a rate grows by products with "exp", and by
# sums with "softplus".
RateForm = Literal["exp", "softplus"]

# Their names in phi: a learned rate, or one per step, and its learned decay.
_NAMES: dict[RateForm, tuple[str, str]] = {
    "exp": ("log_lr", "log_lr_decay"),
    "softplus": ("raw_lr", "raw_lr_decay"),
}
_SCALE = "log_encoder_lr_scale"
RATE_NAMES = (*(name for names in _NAMES.values() for name in names), _SCALE)


class InnerRates(NamedTuple):
    """The rates of the inner steps.

    Attributes:
        num_steps: T.
        lr, lr_decay: > 0; at first the rate of inner step t is lr * lr_decay^(t-1).
        learned: which rates are learned: "shared" are lr and lr_decay, "per_step" each by itself.
        form: how a free parameter becomes a rate.
        encoder_scale: > 0: the encoder's rate at the start over that of the head, which is learned
            where rates are, as exp of a free parameter; 0: one rate for both.
    """

    num_steps: int
    lr: float
    lr_decay: float
    learned: LearnLr
    form: RateForm
    encoder_scale: float = 0.0

    def init(self) -> dict[str, Tensor]:
        """The free parameters at their start; none where no rate is learned."""
        rate, decay = _NAMES[self.form]
        if self.learned == "none":
            return {}
        if self.learned == "shared":
            start = {rate: torch.tensor(self.lr), decay: torch.tensor(self.lr_decay)}
        else:
            start = {rate: self._schedule()}
        free = {name: _free(self.form, value) for name, value in start.items()}
        if self.encoder_scale:
            free[_SCALE] = torch.tensor(self.encoder_scale).log()
        return free

    def of(self, phi: dict[str, Tensor]) -> Float[Tensor, " t"]:
        """The rates, differentiable in the free parameters."""
        rate, decay = _NAMES[self.form]
        if self.learned == "none":
            return self._schedule()
        if self.learned == "per_step":
            return _positive(self.form, phi[rate])
        powers = torch.arange(self.num_steps).to(phi[rate])
        if self.form == "exp":
            return (phi[rate] + powers * phi[decay]).exp()
        return F.softplus(phi[rate]) * F.softplus(phi[decay]) ** powers

    def encoder_scale_of(self, phi: dict[str, Tensor]) -> Float[Tensor, ""] | None:
        """The encoder's rate over that of the head; None where both have one."""
        if not self.encoder_scale:
            return None
        return torch.tensor(self.encoder_scale) if self.learned == "none" else phi[_SCALE].exp()

    def _schedule(self) -> Float[Tensor, " t"]:
        return self.lr * self.lr_decay ** torch.arange(self.num_steps)


def _positive(form: RateForm, free: Tensor) -> Tensor:
    return free.exp() if form == "exp" else F.softplus(free)


def _free(form: RateForm, rate: Tensor) -> Tensor:
    """The inverse; of softplus it is log(e^rate - 1), here without overflow."""
    return rate.log() if form == "exp" else rate + (-torch.expm1(-rate)).log()
