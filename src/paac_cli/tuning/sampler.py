"""Proposes the settings of trials, and judges which to stop early, with Optuna.

Both are functions of the study's seed and of the results of certain earlier trials, and of nothing else.
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from paac_cli.tuning.space import Choices, Range, SearchSpace
from paac_cli.tuning.trial import PARTS, Trial, TrialStatus

_DIGITS = 3  # significant digits of a number that is proposed; more in a range that is narrow beside its ends
_STATES = {
    TrialStatus.FINISHED: TrialState.COMPLETE,
    TrialStatus.PRUNED: TrialState.PRUNED,
    TrialStatus.FAILED: TrialState.PRUNED,  # so that settings with which training fails count as bad ones
    TrialStatus.UNFINISHED: TrialState.RUNNING,
}
#: Prunes a trial whose best mean return so far is below the median of five or more others after the same steps.
_PRUNER = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=PARTS // 4, n_min_trials=5)

optuna.logging.set_verbosity(optuna.logging.WARNING)


def propose(space: SearchSpace, seed: int, number: int, earlier: Sequence[Trial]) -> dict[str, Any]:
    """Settings for trial `number`: random ones until ten trials have ended, then by TPE (Bergstra et al. 2011).

    earlier: the trials that the proposal may depend on; of those that are unfinished, it depends on the settings.
    """
    sampler_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    # constant_liar: settings near those of unfinished trials count as bad, so that several at a time differ.
    sampler = optuna.samplers.TPESampler(seed=sampler_seed, multivariate=True, n_startup_trials=10, constant_liar=True)
    study = _study(space, earlier, sampler)
    parameters = study.ask(_distributions(space)).params
    return {key: _from_optuna(values, parameters[key]) for key, values in space.items()}


def is_hopeless(space: SearchSpace, trial: Trial, earlier: Sequence[Trial]) -> bool:
    """Whether `trial` is to be stopped after what it has reached so far, `trial.progress`.

    earlier: the trials with which it may be compared.
    """
    if not trial.progress or trial.progress[-1] is None:
        return False
    return _PRUNER.prune(_study(space, earlier), _frozen(space, trial))


def _study(
    space: SearchSpace, trials: Sequence[Trial], sampler: optuna.samplers.BaseSampler | None = None
) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials([_frozen(space, trial) for trial in trials])
    return study


def _frozen(space: SearchSpace, trial: Trial) -> FrozenTrial:
    return create_trial(
        state=_STATES[trial.outcome],
        value=trial.score,
        params={key: _to_optuna(values, trial.settings[key]) for key, values in space.items()},
        distributions=_distributions(space),
        intermediate_values=dict(_reports(trial)),
    )


def _reports(trial: Trial) -> Iterator[tuple[int, float]]:
    for part, value in enumerate(trial.progress, 1):
        if value is not None:
            yield part, value


def _distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    return {key: _distribution(values) for key, values in space.items()}


def _distribution(values: Choices | Range) -> BaseDistribution:
    if isinstance(values, Choices):
        return CategoricalDistribution([json.dumps(choice) for choice in values.values])
    if values.is_integer:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _to_optuna(values: Choices | Range, value: Any) -> Any:
    """Choices may be lists, which Optuna does not take."""
    return json.dumps(value) if isinstance(values, Choices) else value


def _from_optuna(values: Choices | Range, value: Any) -> Any:
    if isinstance(values, Choices):
        return json.loads(value)
    if values.is_integer:
        return value
    narrowness = max(abs(values.low), abs(values.high)) / (values.high - values.low)
    digits = _DIGITS + max(round(math.log10(narrowness)), 0)
    return float(min(max(float(f"{value:.{digits}g}"), values.low), values.high))
