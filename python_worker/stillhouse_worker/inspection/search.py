"""The next settings of a search, by Optuna: a function of the seed and of earlier trials."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import StillhouseError
from ..seeding import derive_seed

_MAX_SEED = 2**32


def suggested(
    space: Mapping[str, Mapping[str, Any]], trials: Sequence[Mapping[str, Any]], seed: int
) -> dict[str, Any]:
    """Settings for one more trial, by a tree-structured Parzen estimator (TPE).

    The same seed and trials give the same settings, so an interrupted search continues from its
    stored trials alone.

    Args:
        space: by the name of a setting, ``{"choices": [...]}`` or ``{"low", "high", "integer",
            "log"}``, both ends included.
        trials: in their order, each with its ``settings`` and its ``value``, the greater the
            better; null where it has none since it failed (``failed``) or still runs.
        seed: of the search, not negative.

    Returns:
        A value for every name of the space.

    Raises:
        StillhouseError: ``invalid`` when the space or a trial cannot be used.
    """
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        distributions = {name: _distribution(axis) for name, axis in space.items()}
        # With constant_liar, running trials count as poor, so that others try different settings.
        sampler = optuna.samplers.TPESampler(
            seed=derive_seed(seed, "search", len(trials)) % _MAX_SEED, constant_liar=True
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in trials:
            value = trial["value"]
            if value is not None:
                state = TrialState.COMPLETE
            else:
                state = TrialState.FAIL if trial["failed"] else TrialState.RUNNING
            study.add_trial(
                create_trial(
                    params=dict(trial["settings"]),
                    distributions=distributions,
                    value=value,
                    state=state,
                )
            )
        return study.ask(distributions).params
    except (KeyError, TypeError, ValueError) as error:
        raise StillhouseError("invalid", f"the search cannot be used: {error}") from None


def _distribution(axis: Mapping[str, Any]) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if "choices" in axis:
        return CategoricalDistribution(axis["choices"])
    kind = IntDistribution if axis["integer"] else FloatDistribution
    return kind(axis["low"], axis["high"], log=axis["log"])
