"""Where learners start from: the only place that decides theta_0."""

from typing import NamedTuple

import torch

from ..seeding import generator
from .head import HeadInit
from .interface import Learner, Params
from .pool import Pool


class Starts(NamedTuple):
    """theta_0 of each learner of an experiment: a function of its seed and of what it is for.

    Attributes:
        learner: what they are.
        num_classes: C.
        seed: of the experiment.
        init: distribution of what is drawn.
        fixed: all learners start from the same draw, whatever they are for.
        pool: pretrained learners that take the place of draws; None: there are none.
    """

    learner: Learner
    num_classes: int
    seed: int
    init: HeadInit
    fixed: bool
    pool: Pool | None = None

    def of_outer_step(self, draw: int) -> Params:
        """For distilling; ``draw`` counts those of all outer steps, from 0.

        Of a pool every member has its turn before one comes again, in an order that is drawn for
        each round.
        """
        if self.pool is not None:
            turn, place = divmod(draw, self.pool.size)
            order = torch.randperm(
                self.pool.size, generator=generator(self.seed, "pool order", turn)
            )
            return self.pool.member(int(order[place]))
        return self._draw(self.seed, "outer head", draw)

    def of_validation(self, index: int) -> Params:
        """For a measurement on validation; ``index`` is that of the learner within it."""
        if self.pool is not None:
            return self.pool.member(index % self.pool.size)
        return self._draw(self.seed, "validation head", index)

    def of_test_learner(self, init_seed: int) -> Params:
        """For the test learner with this init seed, whatever it is trained on."""
        if self.pool is not None:
            return self.pool.held_out(init_seed)
        return self._draw(init_seed, "test head", 0)

    def _draw(self, seed: int, purpose: str, index: int) -> Params:
        own = ("fixed head", 0) if self.fixed else (purpose, index)
        draws = generator(self.seed if self.fixed else seed, *own)
        return self.learner.draw(self.num_classes, self.init, draws)
