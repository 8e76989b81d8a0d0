"""The heads that test learners start from."""

from ..context.bench import Bench
from ..context.settings import Settings
from ..learners import draw_head
from ..learners.encoder import Params
from ..seeding import generator


def head_of_learner(settings: Settings, bench: Bench, init_seed: int) -> Params:
    """The head of the test learner with this init seed, whatever the learner is trained on."""
    model = settings.model
    draws = (
        generator(settings.seed, "fixed head")
        if model.fixed_init
        else generator(init_seed, "test head")
    )
    width, num_classes = bench.encoder.config.width, len(bench.dataset.class_names)
    return draw_head(width, num_classes, model.head_init, draws)
