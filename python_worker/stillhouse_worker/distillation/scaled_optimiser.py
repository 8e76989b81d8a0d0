"""An optimiser with the scale of the loss that fp16 needs, and all of its state as tensors."""

from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor

from ..learners.precision import Precision
from .adam import BETAS, Adam
from .divergence import MAX_SKIPS, always_overflows
from .momentum import Sgd
from .rates import Rates

OptimiserKind = Literal["adam", "adamw", "sgd"]


class OptimiserConfig(NamedTuple):
    """Which optimiser.

    Attributes:
        kind: its name.
        betas: of "adam" and "adamw"; see `Adam`.
        weight_decay: of "adamw"; see `Adam`.
        momentum: of "sgd".
    """

    kind: OptimiserKind = "adam"
    betas: tuple[float, float] = BETAS
    weight_decay: Rates = 0.0
    momentum: float = 0.0

    def over(self, tensors: list[Tensor]) -> Adam | Sgd:
        """The optimiser of these leaves, before its first step."""
        if self.kind == "sgd":
            return Sgd(tensors, self.momentum)
        return Adam(tensors, self.betas, self.weight_decay if self.kind == "adamw" else 0.0)


ADAM = OptimiserConfig()


class ScaledOptimiser:
    """An optimiser over named tensors; without fp16 the scale is 1 and no step is skipped.

    Args:
        tensors: leaves that are learned.
        device: where they are.
        precision: of what the gradients come from.
        config: which optimiser.

    Attributes:
        num_skipped: steps that were skipped because fp16 overflowed.
        skips_in_a_row: the last of them, one after the other.
    """

    def __init__(
        self,
        tensors: dict[str, Tensor],
        device: torch.device,
        precision: Precision,
        config: OptimiserConfig = ADAM,
    ) -> None:
        self.tensors = tensors
        self._optimiser = config.over(list(tensors.values()))
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        # A scaler makes its scale with the first loss that it scales, and a process that has no row
        # of the first batch scales none.
        self.scaler.scale(torch.zeros((), device=device))
        self.num_skipped = self.skips_in_a_row = 0

    def update(self, lr: Rates) -> None:
        """Follow the gradients of the scaled loss, unless they overflowed; rates as for `Adam`."""
        self.scaler.step(self._scalable, lr)
        self.scaler.update()

    def forget_gradients(self) -> None:
        """Clear the gradients before the next step."""
        for tensor in self.tensors.values():
            tensor.grad = None

    def unscale(self) -> None:
        """Divide the gradients by the scale of the loss, before they are read."""
        self.scaler.unscale_(self._scalable)

    @property
    def _scalable(self) -> Any:
        """Our optimiser, typed for a scaler, which only uses what ours has."""
        return cast(Any, self._optimiser)

    def count(self, overflowed: bool, step: int) -> None:
        """Note whether the update of ``step``, which counts from 1, was skipped.

        Raises:
            StillhouseError: ``diverged`` after so many skips in a row that nothing is learned.
        """
        self.num_skipped += overflowed
        self.skips_in_a_row = self.skips_in_a_row + 1 if overflowed else 0
        if self.skips_in_a_row == MAX_SKIPS:
            raise always_overflows(step)

    def state(self) -> dict[str, Tensor]:
        """What the optimiser keeps by the names of the tensors, and the scale with its counters."""
        optimiser = self._optimiser
        state = {
            f"{optimiser.name}.{key}.{name}": value
            for name, kept in zip(self.tensors, optimiser.state, strict=True)
            for key, value in kept.items()
        }
        scaler = self.scaler.state_dict()
        scale, growth = scaler.get("scale", 1.0), scaler.get("_growth_tracker", 0)
        counted = [scale, growth, self.num_skipped, self.skips_in_a_row]
        state["scaler"] = torch.tensor(counted, dtype=torch.float64)
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        optimiser = self._optimiser
        for (name, tensor), kept in zip(self.tensors.items(), optimiser.state, strict=True):
            for key in optimiser.state_keys:
                value = state.get(f"{optimiser.name}.{key}.{name}")
                if value is not None:  # as before the first update
                    # The count of steps is kept on the CPU.
                    copy = value.clone()
                    kept[key] = copy if key == "step" else copy.to(tensor.device)
        if "scaler" not in state:  # from an earlier version, which stored it in another place
            return
        scale, growth, skipped, *in_a_row = state["scaler"].tolist()
        self.num_skipped = int(skipped)
        self.skips_in_a_row = int(
            sum(in_a_row)
        )  # absent from checkpoints that were written before it was counted
        if self.scaler.is_enabled():
            own = {"scale": scale, "_growth_tracker": int(growth)}
            self.scaler.load_state_dict({**self.scaler.state_dict(), **own})
