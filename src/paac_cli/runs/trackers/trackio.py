"""Trackio. Its variables, such as TRACKIO_DIR and TRACKIO_SPACE_ID, apply."""

import os
from collections.abc import Mapping

import trackio

from paac_cli.runs.tracking import SessionEnd, TrackedRun


class TrackioTracker:
    """A run of the project TRACKIO_PROJECT, by default "paac". Its name ends with the first digits of `TrackedRun.id`.

    Rows that come again after a resume are recorded twice, with the same steps.
    """

    def __init__(self, run: TrackedRun) -> None:
        self._run = trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", "paac"),
            name=f"{run.name}-{run.id[:8]}",
            config=run.config,
            resume="allow",
            embed=False,
        )

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        self._run.log(dict(row), step=steps)

    def close(self, outcome: SessionEnd) -> None:
        self._run.finish()
