"""Where learners start from: the only place that decides theta_0."""

from typing import NamedTuple

from ..seeding import generator
from .head import HeadInit
from .interface import Learner, Params


class Starts(NamedTuple):
    """theta_0 of each learner of an experiment: a function of its seed and of what it is for.

    Attributes:
        learner: what they are.
        num_classes: C.
        seed: of the experiment.
        init: distribution of what is drawn.
        fixed: all learners start from the same draw, whatever they are for.
    """

    learner: Learner
    num_classes: int
    seed: int
    init: HeadInit
    fixed: bool

    def of_outer_step(self, draw: int) -> Params:
        """For distilling; ``draw`` counts those of all outer steps, from 0."""
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
        return self.learner.draw(self.num_classes, self.init, draws)
