"""MLflow. Its variables, such as MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME, apply."""

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from paac_cli.runs.tracking import SessionEnd, TrackedRun

_ID = "paac.id"  # the tag by which a run is found again
_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_PARAMS_AT_ONCE, _MAX_VALUE = 100, 6000  # limits of MLflow


class MlflowTracker:
    """The run of the experiment MLFLOW_EXPERIMENT_NAME, by default "paac", whose tag `paac.id` is `TrackedRun.id`.

    Rows that come again after a resume are recorded twice, with the same steps.
    """

    def __init__(self, run: TrackedRun) -> None:
        self._client = client = MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "paac")
        experiment = client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else client.create_experiment(name)
        found = client.search_runs([number], f"tags.`{_ID}` = '{run.id}'")
        if found:
            self._run_id = found[0].info.run_id
            client.update_run(self._run_id, status="RUNNING")
            return
        self._run_id = client.create_run(number, run_name=run.name, tags={_ID: run.id}).info.run_id
        params = [Param(key, str(value)[:_MAX_VALUE]) for key, value in _flatten(run.config)]
        for first in range(0, len(params), _PARAMS_AT_ONCE):
            client.log_batch(self._run_id, params=params[first : first + _PARAMS_AT_ONCE])

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        self._client.log_batch(self._run_id, [Metric(name, float(value), now, steps) for name, value in row.items()])

    def close(self, outcome: SessionEnd) -> None:
        self._client.set_terminated(self._run_id, _STATUS[outcome])


def _flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every setting."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
