"""The gradient of the outer loss with respect to phi: methods that give the same numbers."""

from .blockwise import blockwise
from .interface import MetaGradient, MetaGradientMethod, MetaProblem, Window
from .stepwise import stepwise
from .unrolled import unrolled

METHODS: dict[str, MetaGradientMethod] = {
    "stepwise": stepwise,
    "blockwise": blockwise,
    "unrolled": unrolled,
}

__all__ = [
    "METHODS",
    "MetaGradient",
    "MetaGradientMethod",
    "MetaProblem",
    "Window",
    "blockwise",
    "stepwise",
    "unrolled",
]
