"""What is left where learning has gone bad: an error that says why, and what was learned from.

bad_batch_step_000012800.safetensors     the rollout, the last observations of episodes, what the agent adds
bad_batch_step_000012800.json            the metrics of the update, and what was found
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Agent, Witness
from paac_cli.errors import LearningError
from paac_cli.runs.arrays import Arrays, write_arrays
from paac_cli.timestep import TimeStep


def check_metrics(metrics: Mapping[str, float], agent: Agent, step: TimeStep, steps: int, directory: Path) -> None:
    """Raises LearningError if a metric of an update is NaN or infinite; what was learned from is then in `directory`.

    step: what the agent has learned from last, by which there have been `steps` agent steps.
    """
    name = next((name for name, number in metrics.items() if not math.isfinite(number)), None)
    if name is None:
        return
    evidence = agent.evidence() if isinstance(agent, Witness) else {}
    found = find_cause(step, steps, evidence)
    cause = f"the cause: {found}" if found else "a lower algorithm.learning_rate or max_grad_norm may help"
    text = f"{name} is {metrics[name]} at step {steps:,}: learning has gone bad; {cause}"
    path = directory / f"bad_batch_step_{steps:09d}.safetensors"
    arrays = {**step.rollout._asdict(), "final_obs": step.final_obs} | evidence
    told = {name: number if math.isfinite(number) else str(number) for name, number in metrics.items()}
    try:
        write_arrays(path, arrays)
        path.with_suffix(".json").write_text(json.dumps({"error": text, "slot": step.slot, "metrics": told}, indent=2))
    except OSError as error:
        left = f"What was learned from cannot be written: {error}"
    else:
        left = f"What was learned from is in {path}"
    raise LearningError(f"{text}. Nothing is saved from here; the checkpoints are those of before. {left}")


def find_cause(step: TimeStep, steps: int, evidence: Mapping[str, NDArray]) -> str | None:
    """The first number of what was learned from that is none, where and when it came; None if there is no such."""
    rollout, slot = step.rollout, step.slot  # what lies beyond the slot is of the rollout before
    num_envs = rollout.reward.shape[1]
    for field, array, age in (("obs", rollout.obs[: slot + 1], slot), ("reward", rollout.reward[:slot], slot - 1)):
        if (place := _first_bad(array)) is not None:
            t, env, *rest = place
            when = steps - (age - t) * num_envs
            return (
                f"{field}{rest or ''} of environment {env} is {array[place]} at step {when:,} (row {t} of its rollout)"
            )
    for name, array in evidence.items():
        if (place := _first_bad(array)) is not None:
            return f"{name}{list(place)} is {array[place]}"
    return None


def check_weights(policy: Arrays, steps: int) -> None:
    """Raises LearningError if a weight or statistic is NaN or infinite, though no metric has been."""
    for name, array in policy.items():
        if (place := _first_bad(array)) is not None:
            raise LearningError(
                f"{name}{list(place)} is {array[place]} at step {steps:,}: learning has gone bad. Nothing is saved "
                "from here; the checkpoints are those of before. A lower algorithm.learning_rate may help"
            )


def _first_bad(array: NDArray) -> tuple[int, ...] | None:
    """Where the first NaN or infinity is."""
    if array.dtype.kind != "f" or (is_finite := np.isfinite(array)).all():
        return None
    return tuple(np.argwhere(~is_finite)[0].tolist())
