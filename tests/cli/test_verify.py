"""`paac verify` with real runs: identical, different, and impossible to verify."""

import json
import shutil
import signal

import pytest

from paac_cli.errors import ClusterError, WorkerError
from paac_cli.runs.checkpoint import load_checkpoint, save_checkpoint
from short_runs import checkpoint_names, contents, flip_a_byte


def verify(invoke, run_dir, *more):
    """(exit code, report, standard error)."""
    result = invoke("verify", run_dir, "--json", *more)
    return result.exit_code, json.loads(result.stdout), result.stderr


def test_a_run_is_verified_and_not_changed(trained_copy, total_steps, invoke):
    before = contents(trained_copy)
    exit_code, report, _ = verify(invoke, trained_copy)
    assert (exit_code, report["same"], report["approximate"]) == (0, True, [])
    assert (report["from_step"], report["to_step"]) == (total_steps - 1_280, total_steps)
    assert [segment["to_step"] for segment in report["segments"]] == [total_steps - 640, total_steps]
    assert [segment["num_workers"] for segment in report["segments"]] == [3, 1]  # the run had 2
    assert [segment["restarts"] for segment in report["segments"]] == [1, 1]
    assert all("Restarted worker " in event and "killed by SIGKILL" in event for event in report["events"])
    assert {one["what"]: bool(one["total"]) for one in report["compared"]} == dict.fromkeys(
        ("policy", "learner", "sampling", "progress", "counters", "metrics"), True
    )
    assert contents(trained_copy) == before


def test_verify_prints_only_its_own_messages_and_none_of_libraries(trained, paac):
    result = paac("verify", trained)
    assert result.stdout.endswith("Identical, bit for bit.\n")
    own = ("Retraining steps ", "A worker is killed on purpose", "Restarted worker ", "Restarting again: ")
    assert all(line.startswith(own) for line in result.stderr.splitlines()), result.stderr


def test_a_run_with_another_result_is_reported(trained_copy, invoke):
    newest = load_checkpoint(trained_copy / "checkpoints" / checkpoint_names(trained_copy)[-1])
    name = max(newest.policy)
    changed = newest.policy[name].copy()
    changed.flat[-1] += 1e-3
    save_checkpoint(trained_copy / "checkpoints", newest._replace(policy=newest.policy | {name: changed}), keep=2)
    table = trained_copy / "metrics.csv"
    *lines, last = table.read_text().splitlines()
    steps, mean_return, *cells = last.split(",")
    table.write_text("\n".join([*lines, ",".join([steps, f"{float(mean_return) + 0.01:.6g}", *cells]), ""]))

    result = invoke("verify", trained_copy)
    assert result.exit_code == 1
    assert f"1 DIFFER: {name}" in result.stdout
    assert f"1 DIFFER: rollout/ep_rew_mean at step {steps}" in result.stdout
    assert result.stdout.count("   identical") == 4
    assert "Not identical." in result.stdout


def test_a_run_with_one_valid_checkpoint_is_retrained_from_its_start(trained_copy, total_steps, invoke):
    older, _ = checkpoint_names(trained_copy)
    flip_a_byte(trained_copy / "checkpoints" / older / "learner.safetensors")
    exit_code, report, errors = verify(invoke, trained_copy)
    assert (exit_code, report["from_step"], report["to_step"]) == (0, 0, total_steps)
    assert f"{older} is damaged" in errors
    metrics = report["compared"][-1]
    assert metrics["total"] > 10 * total_steps // 320


def test_a_directory_without_run_or_checkpoint_cannot_be_verified(trained_copy, invoke, tmp_path):
    shutil.rmtree(trained_copy / "checkpoints")
    for path, reason in ((trained_copy, "no valid checkpoint"), (tmp_path / "nothing", "is not a run directory")):
        result = invoke("verify", path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert reason in result.stderr


@pytest.mark.parametrize("text", ["steps\nmany\n", "step\n1\n", 'steps\n"1\n', "steps\n1,2\n"])
def test_unreadable_metrics_are_an_error(text, trained_copy, invoke):
    (trained_copy / "metrics.csv").write_text(text)
    result = invoke("verify", trained_copy)
    assert result.exit_code == 2
    assert f"{trained_copy / 'metrics.csv'} cannot be read" in result.stderr


def test_ctrl_c_stops_the_verification_without_a_result(trained_copy, invoke, monkeypatch):
    from paac_cli.training import loop

    train = loop.train
    monkeypatch.setattr(loop, "train", lambda *args: (signal.raise_signal(signal.SIGINT), train(*args)))
    result = invoke("verify", trained_copy)
    assert (result.exit_code, result.stdout) == (130, "")
    assert "nothing has been verified" in result.stderr


@pytest.mark.parametrize("error", [WorkerError("no worker starts"), ClusterError("rank 1 has ended")])
def test_a_run_that_cannot_be_retrained_does_not_count_as_different(error, trained_copy, invoke, monkeypatch):
    from paac_cli.training import loading

    def fail(*args):
        raise error

    monkeypatch.setattr(loading, "load_training", fail)
    result = invoke("verify", trained_copy)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"the run cannot be retrained: {error}" in result.stderr


def test_a_single_rollout_is_retrained_in_one_segment(train, invoke, tmp_path):
    train(
        tmp_path / "run",
        "--total-steps",
        128,
        *("--set", "training.checkpoint_every=64", "--set", "training.log_every=64"),
    )
    exit_code, report, _ = verify(invoke, tmp_path / "run")
    assert (exit_code, report["from_step"], report["to_step"]) == (0, 64, 128)
    assert [segment["to_step"] for segment in report["segments"]] == [128]
