"""The files of a run, how it resumes, and that workers and interruptions do not change its result."""

import json
import re
import shutil
import struct
from pathlib import Path

import pytest

from paac_cli.config.load import read_config
from paac_cli.runs.checkpoint import load_checkpoint, load_policy
from paac_cli.runs.metrics_csv import METRICS
from short_runs import (
    QUICK,
    checkpoint_names,
    contents,
    final_state,
    flip_a_byte,
    logged_steps,
    metrics_rows,
    steps_in,
)

# --- what a finished run leaves


def test_the_saved_config_is_a_preset_for_the_same_run(trained, total_steps, invoke):
    config = read_config(trained / "config.yaml")
    assert config.training.total_steps == total_steps
    assert config.sampling.num_workers == 2
    assert invoke("presets", "validate", trained / "config.yaml").stdout == (trained / "config.yaml").read_text()


def test_metrics_have_the_documented_names_and_rising_steps(trained, total_steps):
    header = list(metrics_rows(trained)[0])
    assert header[0] == "steps"
    expected = {name for name in METRICS if not name.startswith("eval/")} - {"time/eval_share"}  # of evaluations
    assert expected - {"rollout/success_rate"} < set(header)  # CartPole reports no success
    assert "rollout/success_rate" not in header
    assert all(name.startswith("train/") for name in set(header) - {"steps"} - set(METRICS))
    assert logged_steps(trained) == list(range(320, total_steps + 1, 320))
    for row in metrics_rows(trained):
        assert row["time/frames"] == row["steps"]
        assert int(row["time/updates"]) * 64 == int(row["steps"])
        assert float(row["rollout/ep_rew_mean"]) == float(row["rollout/ep_len_mean"]) > 0
        assert row["rollout/reward_min"] == row["rollout/reward_max"] == "1"
        shares = [float(row[f"time/{name}_share"]) for name in ("act", "env", "learn")]
        assert min(shares) > 0
        assert sum(shares) < 1.001  # the rest is spent on files
    first = metrics_rows(trained)[0]  # its speed does not include the start of workers and TensorFlow
    assert float(first["time/fps"]) * float(first["time/time_elapsed"]) == pytest.approx(320, rel=0.1)


def test_the_end_of_a_run_has_a_row_and_keeps_it(invoke, tmp_path):
    command = ["train", *QUICK, "--run-dir", tmp_path / "run", "--total-steps"]
    for total_steps, rows in ((448, [320, 448]), (448, [320, 448]), (704, [320, 448, 640, 704])):
        assert invoke(*command, total_steps).exit_code == 0
        assert logged_steps(tmp_path / "run") == rows


def test_a_goal_has_a_row_although_none_is_due(invoke, tmp_path):
    goal = ["--set", "training.stop_when={mean_return: 1, episodes: 5}", "--set", "training.log_every=1_000_000"]
    done = invoke("train", *QUICK, *goal, "--run-dir", tmp_path / "run", "--total-steps", 10**6)
    assert "goal reached" in done.stdout
    (row,) = metrics_rows(tmp_path / "run")
    assert row["steps"] == str(steps_in(checkpoint_names(tmp_path / "run")[-1]))


def test_tensorboard_has_the_same_values_as_metrics_csv(trained):
    from tensorboard.compat.proto.event_pb2 import Event

    (path,) = (trained / "tensorboard").iterdir()
    data, values = path.read_bytes(), {}
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        values |= {(event.step, value.tag): value.simple_value for value in event.summary.value}
        data = data[16 + length :]
    rows = metrics_rows(trained)
    expected = {(int(row["steps"]), name): float(row[name]) for row in rows for name in row if name != "steps"}
    assert values == pytest.approx(expected, rel=1e-4, nan_ok=True)


def test_keep_checkpoints_are_kept_beside_the_best_policy(trained, total_steps):
    newest = [f"step_{steps:09d}" for steps in (total_steps - 1_280, total_steps)]
    assert checkpoint_names(trained) == newest
    loaded = [load_checkpoint(trained / "checkpoints" / name) for name in newest]
    (best,) = (load_policy(path) for path in (trained / "checkpoints").glob("best_*"))
    assert all((best.score or 0) >= (checkpoint.score or 0) for checkpoint in loaded)
    if loaded[-1].counters.episodes < 100:
        assert loaded[-1].score is None
    else:
        assert loaded[-1].score == pytest.approx(float(metrics_rows(trained)[-1]["rollout/ep_rew_mean"]), rel=1e-5)


def test_the_event_log_has_every_checkpoint_and_marks_the_best(trained, total_steps):
    lines = re.findall(r"Saved a checkpoint at step ([0-9,]+)(.*)", (trained / "events.log").read_text())
    assert [int(steps.replace(",", "")) for steps, _ in lines] == list(range(1_280, total_steps + 1, 1_280))
    (best,) = (load_policy(path) for path in (trained / "checkpoints").glob("best_*"))
    if best.score is None:
        assert not any("best" in text for _, text in lines)
    else:
        marked = [f"{steps}{text}" for steps, text in lines if text.endswith(", the best checkpoint so far")]
        assert marked[-1] == f"{best.counters.steps:,}, mean return {best.score:.2f}, the best checkpoint so far"


def test_milestones_are_kept_and_change_no_bit_of_the_run(trained, train, tmp_path):
    """The other run has none in its first half, stops there, and resumes with them."""
    names = [f"milestone_{steps:09d}" for steps in (64, 192, 640, 1920, 6400)]
    assert sorted(path.name for path in (trained / "checkpoints").glob("milestone_*")) == names
    train(tmp_path / "run", "--total-steps", 3_200, "--set", "training.keep_milestones=false")
    assert not list((tmp_path / "run" / "checkpoints").glob("milestone_*"))
    train(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").glob("milestone_*")] == names[-1:]
    assert final_state(tmp_path / "run") == final_state(trained)


# --- runs that are already trained


def test_repeating_the_command_of_a_finished_run_changes_nothing(trained_copy, train):
    before = contents(trained_copy)
    assert "is already trained" in train(trained_copy).stdout
    assert contents(trained_copy) == before


def test_the_saved_config_as_preset_continues_the_run(trained_copy, paac):
    result = paac("train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy)
    assert result.returncode == 0
    assert "is already trained" in result.stdout


def test_a_run_that_has_reached_its_goal_is_already_trained(trained_copy, paac):
    goal = "training.stop_when={mean_return: 1, episodes: 5}"
    before = checkpoint_names(trained_copy)
    result = paac(
        *("train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy),
        *("--total-steps", 10**6, "--set", goal),
    )
    assert result.returncode == 0
    assert "is already trained" in result.stdout
    assert result.stdout.endswith("Continue with --set training.stop_when=null\n")
    assert checkpoint_names(trained_copy) == before


def test_a_run_that_has_reached_its_goal_at_its_last_step_needs_both_to_continue(trained_copy, train):
    result = train(trained_copy, "--set", "training.stop_when={mean_return: 1, episodes: 5}")
    assert result.stdout.endswith("Continue with --set training.stop_when=null and a larger --total-steps\n")
    assert train(trained_copy).stdout.endswith("Continue with a larger --total-steps\n")


def test_printed_commands_can_be_copied(tmp_path, train):
    """Long paths are not wrapped, and brackets are not read as markup."""
    run_dir = tmp_path / ("long-" * 20) / "a[/b]c[bold]"
    output = train(run_dir, "--total-steps", "64").stdout
    assert f"paac eval {run_dir}\n" in output.replace("'", "")
    assert f"{run_dir} is already trained" in train(run_dir, "--total-steps", "64").stdout


# --- resuming


def test_a_run_resumes_without_repeated_or_missing_rows(trained_copy, total_steps, train):
    """Number of workers and `log_every` may change when it resumes."""
    result = train(
        trained_copy,
        *("--total-steps", str(total_steps + 640), "--num-workers", "1", "--set", "training.log_every=128"),
    )
    assert "on 1 worker," in result.stdout
    assert f"Resuming at step {total_steps:,}" in result.stdout
    more = [total_steps + 128 * n for n in range(1, 6)]
    assert logged_steps(trained_copy) == [*range(320, total_steps + 1, 320), *more]
    seconds = [float(row["time/time_elapsed"]) for row in metrics_rows(trained_copy)]
    games = [int(row["rollout/episodes"]) for row in metrics_rows(trained_copy)]
    assert seconds == sorted(seconds)
    assert games == sorted(games)


def test_another_seed_is_refused_and_the_difference_reported(trained_copy, paac):
    before = contents(trained_copy)
    result = paac("train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy, "--seed", 3)
    assert result.returncode == 2
    assert result.stderr.startswith(f"Error: {trained_copy} holds a run with another config:")
    assert "  seed: 1 in the run, 3 now\n" in result.stderr
    assert "--fresh" in result.stderr
    assert f"--init-from {trained_copy} --run-dir OTHER\n" in result.stderr
    assert contents(trained_copy) == before


def test_fresh_renames_the_old_run_and_starts_over(trained_copy, train):
    before = contents(trained_copy)
    result = train(trained_copy, "--fresh", "--seed", "3", "--total-steps", "64")
    assert "Starting: " in result.stdout
    assert checkpoint_names(trained_copy) == ["step_000000064"]
    (old,) = trained_copy.parent.glob("copy.old-*")
    assert contents(old) == before


def test_a_config_that_was_edited_in_the_run_directory_is_refused_too(trained_copy, invoke):
    config = trained_copy / "config.yaml"
    config.write_text(config.read_text().replace("gamma: 0.9", "gamma: 0.8"))
    result = invoke("train", "--preset", config, "--run-dir", trained_copy, "--total-steps", 10**6)
    assert result.exit_code == 2
    assert "algorithm.gamma" in result.stderr


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_over(trained_copy, train):
    shutil.rmtree(trained_copy / "checkpoints")
    result = train(trained_copy, "--total-steps", "640")
    assert "Starting: " in result.stdout
    assert logged_steps(trained_copy) == [320, 640]


def test_a_damaged_best_policy_is_reported_and_another_checkpoint_used(trained_copy, invoke):
    best = json.loads(invoke("eval", trained_copy, "--episodes", 1, "--json").stdout)["checkpoint"]
    flip_a_byte(trained_copy / "checkpoints" / Path(best).name / "policy.safetensors")
    result = invoke("eval", trained_copy, "--episodes", 1, "--json")
    assert re.search(f"Warning: .*{Path(best).name} is damaged", result.stderr)
    assert json.loads(result.stdout)["checkpoint"] != best


def test_a_damaged_checkpoint_is_reported_and_the_previous_one_used(trained_copy, trained, train):
    *_, before, newest = checkpoint_names(trained_copy)
    flip_a_byte(trained_copy / "checkpoints" / newest / "policy.safetensors")
    result = train(trained_copy)
    assert re.search(f"Warning: .*{newest} is damaged", result.stdout + result.stderr)
    assert f"Resuming at step {steps_in(before):,}" in result.stdout
    assert final_state(trained_copy) == final_state(trained)
    assert logged_steps(trained_copy) == logged_steps(trained)


# --- exactness


def test_the_number_of_workers_does_not_change_the_result(trained, train, tmp_path):
    train(tmp_path / "run", "--num-workers", "1")
    assert final_state(tmp_path / "run") == final_state(trained)


def test_another_order_of_sums_makes_a_run_approximate(trained_copy, total_steps, train, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    output = train(trained_copy, "--total-steps", total_steps + 64).stdout
    reason = "tensorflow threads was as cores and is 1"
    assert [line for line in output.splitlines() if line.startswith("Approximate:")] == [f"Approximate: {reason}"]
    loaded = [load_checkpoint(trained_copy / "checkpoints" / name) for name in checkpoint_names(trained_copy)[-2:]]
    assert [checkpoint.approximate for checkpoint in loaded] == [(), (reason,)]
