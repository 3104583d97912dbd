"""Detects NaN and infinity in the metrics and weights, finds their origin, and saves the batch for inspection.

bad_batch_step_000012800.safetensors     the rollout, the final observations of truncated episodes, the last batch
bad_batch_step_000012800.json            the metrics of the update, and the error
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Agent
from paac_cli.errors import LearningError
from paac_cli.files import replace_synced
from paac_cli.runs.arrays import Arrays, array_pieces
from paac_cli.text import reason
from paac_cli.timestep import Rollout, TimeStep
from paac_cli.training.ranks import ALONE, Ranks


def check_metrics(
    metrics: Mapping[str, float],
    agent: Agent,
    step: TimeStep,
    steps: int,
    directory: Path,
    ranks: Ranks = ALONE,
) -> None:
    """Raises LearningError if a metric of an update is not finite. Rank 0 then saves the batch in `directory`.

    step: the time step at which `agent` made the update; steps: agent steps until then.
    """
    name = next((name for name, number in metrics.items() if not math.isfinite(number)), None)
    if name is None:
        return
    step, batch = _of_all_ranks(step, agent.memory.last_batch(), ranks)
    found = find_cause(step, steps, batch)
    cause = f"Cause: {found}" if found else "A lower algorithm.learning_rate or algorithm.max_grad_norm may help"
    text = f"{name} is {metrics[name]} at step {steps:,}. {cause}"
    saved = ""
    if ranks.is_first:
        shown = {name: number if math.isfinite(number) else str(number) for name, number in metrics.items()}
        path = directory / f"bad_batch_step_{steps:09d}.safetensors"
        saved = _save(path, step, batch, {"error": text, "slot": step.slot, "metrics": shown})
    raise LearningError(f"{text}. Nothing after the last checkpoint is saved; the checkpoints remain valid.{saved}")


def _of_all_ranks(step: TimeStep, batch: Arrays, ranks: Ranks) -> tuple[TimeStep, Arrays]:
    """The rollout and final observations of `step`, and `batch`, with the environments of all ranks."""
    rollout = Rollout(*(ranks.concatenate(array, axis=1) for array in step.rollout))
    batch = {name: ranks.concatenate(array, axis=1) for name, array in batch.items()}
    return step._replace(rollout=rollout, final_obs=ranks.concatenate(step.final_obs)), batch


def _save(path: Path, step: TimeStep, batch: Arrays, report: dict[str, object]) -> str:
    """Write the rollout and `batch` to `path`, and `report` beside it. Returns a sentence about the result."""
    arrays = {**step.rollout._asdict(), "final_obs": step.final_obs} | batch
    try:
        replace_synced(path, array_pieces(arrays))
        replace_synced(path.with_suffix(".json"), [json.dumps(report, indent=2).encode()])
    except OSError as error:
        return f" The batch cannot be written: {reason(error)}"
    return f" The batch is saved in {path}"


def find_cause(step: TimeStep, steps: int, batch: Mapping[str, NDArray]) -> str | None:
    """The first value in the rollout or `batch` that is not finite, with its position; None if all are finite.

    batch: name -> array, what the update learned from besides the rollout. steps: as of `check_metrics`.
    """
    rollout, slot = step.rollout, step.slot  # rows beyond the slot belong to the previous rollout
    num_envs = rollout.reward.shape[1]
    for field, array, age in (("obs", rollout.obs[: slot + 1], slot), ("reward", rollout.reward[:slot], slot - 1)):
        if (index := _first_not_finite(array)) is not None:
            t, env, *rest = index
            when = steps - (age - t) * num_envs
            return (
                f"{field}{rest or ''} of environment {env} is {array[index]} at step {when:,} (row {t} of its rollout)"
            )
    for name, array in batch.items():
        if (index := _first_not_finite(array)) is not None:
            return f"{name}{list(index)} is {array[index]}"
    return None


def check_weights(policy: Arrays, steps: int) -> None:
    """Raises LearningError if a weight or an observation statistic is not finite. policy: name -> array."""
    for name, array in policy.items():
        if (index := _first_not_finite(array)) is not None:
            raise LearningError(
                f"{name}{list(index)} is {array[index]} at step {steps:,}. This checkpoint is not saved, and earlier "
                "ones remain valid. A lower algorithm.learning_rate may help"
            )


def _first_not_finite(array: NDArray) -> tuple[int, ...] | None:
    """Index of the first NaN or infinity in `array`; None if there is none."""
    if array.dtype.kind != "f" or (is_finite := np.isfinite(array)).all():
        return None
    return tuple(np.argwhere(~is_finite)[0].tolist())
