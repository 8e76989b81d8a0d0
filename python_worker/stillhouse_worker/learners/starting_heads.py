"""The initial heads of learners: the only place that decides them."""

from typing import NamedTuple

from ..seeding import generator
from .encoder import Params
from .head import HeadInit, draw_head


class StartingHeads(NamedTuple):
    """The heads of an experiment: a function of its seed and of what a learner is for.

    Attributes:
        seed: of the experiment.
        init: distribution of the weights.
        fixed: all learners start from one head, whatever they are for.
        width: E.
        num_classes: C.
    """

    seed: int
    init: HeadInit
    fixed: bool
    width: int
    num_classes: int

    def of_outer_step(self, draw: int) -> Params:
        """For distilling; ``draw`` counts the heads of all outer steps, from 0."""
        return self._draw(self.seed, "outer head", draw)

    def of_validation(self, index: int) -> Params:
        """For a measurement on validation; ``index`` is that of the learner within it."""
        return self._draw(self.seed, "validation head", index)

    def of_test_learner(self, init_seed: int) -> Params:
        """For the test learner with this init seed, whatever it is trained on."""
        return self._draw(init_seed, "test head", 0)

    def _draw(self, seed: int, purpose: str, index: int) -> Params:
        own = ("fixed head", 0) if self.fixed else (purpose, index)
        draws = generator(self.seed if self.fixed else seed, *own)
        return draw_head(self.width, self.num_classes, self.init, draws)
