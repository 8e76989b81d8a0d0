"""BASELINE: a learner trained on the full data."""

from ..context.bench import Bench, open_bench
from ..context.reporting import LearnerOutcome
from ..context.resumable_loop import ResumableLoop
from ..context.task_context import TaskContext
from ..datasets.rows import content_bytes
from ..evaluation.learner_series import Timed, measure_learners, tester
from ..learners import Encoder
from .full_steps import FullSteps
from .halving import FULL_LRS, NET_LRS, Halving


def full_baseline(task: TaskContext) -> LearnerOutcome:
    """A learner, embeddings included, trained on all of train; tested once.

    Its rate is that of the settings or, where that is 0, the one that `Halving` finds.
    """
    one = task._replace(init_seeds=task.init_seeds[:1])
    bench = open_bench(one, ("train", "validation", "test"))
    steps = full_steps(bench)
    loop = ResumableLoop(one, "training step", steps)
    loop.restore(loop.newest_checkpoint())
    loop.run()
    loop.save()
    training = trained(steps)
    # The part of the search's time that the remaining training took.
    seconds = loop.seconds * training.num_steps / steps.num_steps
    params = training.finish()
    outcomes = measure_learners(one, lambda _: Timed(params, seconds), tester(bench))
    train = bench.dataset.splits["train"]
    return LearnerOutcome(
        outcomes,
        len(train.labels),
        training.num_steps,
        training.lr if task.settings.full.lr == 0 else 0.0,
        content_bytes(train),
    )


def full_steps(bench: Bench) -> FullSteps | Halving:
    """The steps of the training, or those of a search for its rate where the settings have none."""
    lr = bench.task.settings.full.lr
    lrs = FULL_LRS if isinstance(bench.learner, Encoder) else NET_LRS
    return Halving(bench, lrs) if lr == 0 else FullSteps(bench, lr)


def trained(steps: FullSteps | Halving) -> FullSteps:
    """The training that remains after all steps."""
    return steps.training if isinstance(steps, Halving) else steps
