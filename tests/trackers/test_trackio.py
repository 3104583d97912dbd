"""The tracker trackio, with local files and the real package: `make test-trackers`."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from short_runs import logged_steps
from tracked_runs import train_with

pytestmark = pytest.mark.skipif(importlib.util.find_spec("trackio") is None, reason="trackio is not installed")

READ = """
import json, sys
from trackio.sqlite_storage import SQLiteStorage
print(json.dumps({name: SQLiteStorage.get_logs("paac", name) for name in SQLiteStorage.get_runs("paac")}))
"""


def recorded(variables):
    """The rows of every run. Trackio finds its files when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", READ], env=os.environ | variables, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_run_and_its_resume_are_one_local_run(tmp_path):
    run_dir, variables = tmp_path / "run", {"TRACKIO_DIR": str(tmp_path / "store"), "HF_HUB_OFFLINE": "1"}
    resumed_at, before, output = train_with("trackio", run_dir, variables, lambda: any(recorded(variables).values()))
    assert "Warning" not in output
    ((name, rows),) = recorded(variables).items()
    assert name == f"run-{(run_dir / 'tracking_id').read_text()[:8]}"
    steps = [row["step"] for row in rows]
    assert set(logged_steps(run_dir)) - set(before) <= set(steps)
    twice = {step for step in steps if steps.count(step) == 2}
    assert twice <= {step for step in before if step > resumed_at}
    for step in twice:  # with the same value
        assert len({row["rollout/ep_rew_mean"] for row in rows if row["step"] == step}) == 1
