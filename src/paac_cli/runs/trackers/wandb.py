"""Weights & Biases. Its variables, such as WANDB_MODE and WANDB_PROJECT, apply."""

import os
from collections.abc import Mapping

import wandb

from paac_cli.runs.tracking import SessionEnd, TrackedRun


class WandbTracker:
    """The run `TrackedRun.id` of the project WANDB_PROJECT, by default "paac".

    Rows that come again after a resume are ignored by wandb: its steps only rise.
    """

    def __init__(self, run: TrackedRun) -> None:
        """Raises an error of wandb, or RuntimeError if it would ask for a key."""
        if os.environ.get("WANDB_MODE", "online") == "online" and not wandb.login(prompt=False):
            raise RuntimeError("not logged in; run `wandb login`, or set WANDB_MODE=offline and run `wandb sync` later")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "paac"),
            id=run.id,
            name=run.name,
            dir=run.directory,
            config=run.config,
            resume="allow",
            settings=wandb.Settings(console="off", quiet=True),
        )

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        self._run.log(dict(row), step=steps)

    def close(self, outcome: SessionEnd) -> None:
        self._run.finish(exit_code=1 if outcome == "failed" else 0)
