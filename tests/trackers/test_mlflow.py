"""The tracker mlflow, with a local database and the real package: `make test-trackers`."""

import contextlib
import sqlite3

import pytest

from run_paac import environment, paac
from short_runs import QUICK, logged_steps, metrics_rows
from tracked_runs import train_with

pytest.importorskip("mlflow")


def test_a_run_and_its_resume_are_one_run_in_a_local_database(tmp_path):
    from mlflow import MlflowClient

    run_dir, uri = tmp_path / "run", f"sqlite:///{tmp_path}/mlflow.db"

    def has_rows():
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database,
        ):
            return database.execute("SELECT COUNT(*) FROM metrics").fetchone()[0] > 50
        return False

    resumed_at, before, output = train_with("mlflow", run_dir, {"MLFLOW_TRACKING_URI": uri}, has_rows)
    assert "Warning" not in output
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("paac")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags["paac.id"] == (run_dir / "tracking_id").read_text().strip()
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert run.data.params["env.id"] == "CartPole-v1"
    assert run.data.params["algorithm.num_steps"] == "16"
    history = client.get_metric_history(run.info.run_id, "rollout/ep_rew_mean")
    steps = [metric.step for metric in history]
    assert set(logged_steps(run_dir)) - set(before) <= set(steps)
    twice = {step for step in steps if steps.count(step) == 2}
    assert twice <= {step for step in before if step > resumed_at}
    for step in twice:  # with the same value
        assert len({metric.value for metric in history if metric.step == step}) == 1
    means = {int(row["steps"]): float(row["rollout/ep_rew_mean"]) for row in metrics_rows(run_dir)}
    assert {metric.step: metric.value for metric in history if metric.step in means} == pytest.approx(
        {step: mean for step, mean in means.items() if step in steps}, rel=1e-5
    )


def test_a_server_that_does_not_answer_delays_nothing(tmp_path):
    env = environment() | {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    arguments = [*QUICK, "--set", "training.trackers=[mlflow]", "--total-steps", "640", "--run-dir", tmp_path / "run"]
    output = paac("train", *arguments, env=env).stdout
    assert output.count("Warning: the tracker mlflow failed: MlflowException: ") == 1
    assert logged_steps(tmp_path / "run") == [320, 640]
