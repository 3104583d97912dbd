"""`paac verify`, with real runs: what is the same, what differs, and what cannot be said."""

import json
import shutil
import signal

import pytest
from test_run_life import checkpoints, everything, flip_a_byte

from paac_cli.runs.checkpoint import load_checkpoint, save_checkpoint


def verify(invoke, run_dir, *more):
    """(exit code, the report, what was said beside it)."""
    result = invoke("verify", run_dir, "--json", *more)
    return result.exit_code, json.loads(result.stdout), result.stderr


def test_a_run_is_verified_and_not_touched(trained_copy, total_steps, invoke):
    before = everything(trained_copy)
    exit_code, report, _ = verify(invoke, trained_copy)
    assert (exit_code, report["same"], report["approximate"]) == (0, True, [])
    assert (report["from_step"], report["to_step"]) == (total_steps - 1_280, total_steps)
    assert [segment["to_step"] for segment in report["segments"]] == [total_steps - 640, total_steps]
    assert [segment["num_workers"] for segment in report["segments"]] == [3, 1]  # the run had 2
    assert [segment["restarts"] for segment in report["segments"]] == [1, 1]
    assert all(event.startswith("Restarted worker ") and "killed by SIGKILL" in event for event in report["events"])
    assert {one["what"]: bool(one["total"]) for one in report["compared"]} == dict.fromkeys(
        ("policy", "learner", "sampling", "progress", "counters", "metrics"), True
    )
    assert everything(trained_copy) == before


def test_what_a_verification_says_is_its_own(trained, paac):
    """And nothing of the libraries that it stands on."""
    result = paac("verify", trained)
    assert result.stdout.endswith("Identical, bit for bit.\n")
    ours = ("Training steps ", "Restarted worker ")
    assert all(line.startswith(ours) for line in result.stderr.splitlines()), result.stderr


def test_a_run_that_did_something_else_is_found_out(trained_copy, invoke):
    newest = load_checkpoint(trained_copy / "checkpoints" / checkpoints(trained_copy)[-1])
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


def test_where_one_valid_checkpoint_is_left_all_is_trained_again(trained_copy, total_steps, invoke):
    older, _ = checkpoints(trained_copy)
    flip_a_byte(trained_copy / "checkpoints" / older / "learner.safetensors")
    exit_code, report, said = verify(invoke, trained_copy)
    assert (exit_code, report["from_step"], report["to_step"]) == (0, 0, total_steps)
    assert f"{older} is damaged" in said
    metrics = report["compared"][-1]
    assert metrics["total"] > 10 * total_steps // 320


def test_without_a_run_or_a_checkpoint_nothing_can_be_verified(trained_copy, invoke, tmp_path):
    shutil.rmtree(trained_copy / "checkpoints")
    for place, why in ((trained_copy, "no valid checkpoint"), (tmp_path / "nothing", "no run directory")):
        result = invoke("verify", place)
        assert (result.exit_code, result.stdout) == (2, "")
        assert why in result.stderr


@pytest.mark.parametrize("text", ["steps\nmany\n", "step\n1\n", 'steps\n"1\n', "steps\n1,2\n"])
def test_metrics_that_are_none_are_no_proof(text, trained_copy, invoke):
    (trained_copy / "metrics.csv").write_text(text)
    result = invoke("verify", trained_copy)
    assert result.exit_code == 2
    assert f"{trained_copy / 'metrics.csv'} cannot be read" in result.stderr


def test_ctrl_c_proves_nothing(trained_copy, invoke, monkeypatch):
    from paac_cli.training import loop

    train = loop.train
    monkeypatch.setattr(loop, "train", lambda *args: (signal.raise_signal(signal.SIGINT), train(*args)))
    result = invoke("verify", trained_copy)
    assert (result.exit_code, result.stdout) == (130, "")
    assert "nothing is verified" in result.stderr


def test_a_stretch_of_a_single_rollout_is_trained_again_in_one_go(train, invoke, tmp_path):
    train(
        tmp_path / "run",
        "--total-steps",
        128,
        *("--set", "training.checkpoint_every=64", "--set", "training.log_every=64"),
    )
    exit_code, report, _ = verify(invoke, tmp_path / "run")
    assert (exit_code, report["from_step"], report["to_step"]) == (0, 64, 128)
    assert [segment["to_step"] for segment in report["segments"]] == [128]
