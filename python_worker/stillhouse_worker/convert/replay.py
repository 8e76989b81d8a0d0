"""Continual learning: its settings, and the part of the data set that a task distils."""

from stillhouse_proto.v1 import experiment_pb2, spec_pb2

from ..context.settings import ReplaySettings, Settings
from ..datasets.parts import DataPart


def replay_settings(replay: spec_pb2.ReplaySpec) -> ReplaySettings:
    """The settings of learners that meet one task after the other."""
    return ReplaySettings(
        tuple(_part(task) for task in replay.tasks),
        replay.steps,
        replay.epochs,
        replay.batch_size,
        replay.lr,
    )


def settings_of_part(settings: Settings, work: experiment_pb2.Work) -> Settings:
    """The settings with the seed and the rows of a task of continual learning; others stay.

    A memory has as many samples of each class as the settings say, of the classes of its task.
    """
    if work.HasField("replay"):
        return settings._replace(seed=work.replay.seed)
    if not work.distill.HasField("part"):
        return settings
    part, distilled = _part(work.distill.part), settings.distilled
    classes = part.sample_classes(distilled.per_class)
    if classes:
        distilled = distilled._replace(samples=len(classes), sample_classes=tuple(classes))
    data = settings.data._replace(part=part)
    return settings._replace(data=data, distilled=distilled, seed=part.seed(work.distill.seed))


def _part(message: spec_pb2.DataPart) -> DataPart:
    has_order = message.HasField("permutation_seed")
    return DataPart(tuple(message.classes), message.permutation_seed if has_order else None)
