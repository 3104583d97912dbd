"""Commands that read a run with damaged files: an error or a warning names the file, and nothing is changed."""

import json
import shutil
from pathlib import Path

import pytest
from damages import DAMAGES, flip_a_bit
from expectations import assert_one_error

from forgery import seal
from short_runs import contents


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_is_reported_and_the_previous_one_used(name, trained_copy, invoke):
    checkpoint = max(trained_copy.glob("checkpoints/step_*"))
    DAMAGES[name](checkpoint)
    before = contents(trained_copy)
    for args in (["eval", checkpoint], ["record", "video.mp4", "--checkpoint", checkpoint]):
        assert_one_error(invoke(*args), str(checkpoint))
    result = invoke("eval", trained_copy, "--last", "--episodes", 1)  # the previous one
    assert result.exit_code == 0
    assert f"Warning: skipped a checkpoint: {checkpoint}" in result.stderr
    assert contents(trained_copy) == before
    assert not Path("video.mp4").exists()


def test_a_directory_without_a_checkpoint_is_reported(trained_copy, invoke, tmp_path):
    (tmp_path / "empty").mkdir()
    shutil.rmtree(trained_copy / "checkpoints")
    for path, expected in [("empty", "empty is neither"), (trained_copy, "no checkpoint")]:
        for args in (["eval", path], ["eval", path, "--last"], ["record", "--checkpoint", path], ["record", path]):
            assert_one_error(invoke(*args), expected)


def test_a_run_without_a_valid_checkpoint_is_not_silently_restarted(trained_copy, invoke):
    for checkpoint in trained_copy.glob("checkpoints/step_*"):
        flip_a_bit(checkpoint)
    before = {path: data for path, data in contents(trained_copy).items() if path.name != "config.yaml"}
    result = invoke("train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy)
    assert result.exit_code == 2
    assert f"no checkpoint in {trained_copy}/checkpoints is valid" in result.stderr
    assert "--fresh" in result.stderr
    assert {path: data for path, data in contents(trained_copy).items() if path.name != "config.yaml"} == before


@pytest.mark.parametrize("change", ["format", "config", "counters", "new_field"])
def test_a_checkpoint_of_another_version_is_neither_skipped_nor_deleted(change, trained_copy, invoke):
    checkpoint = max(trained_copy.glob("checkpoints/step_*"))
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    other = {name: manifest[name] | {"of_a_newer_version": 1} for name in ("config", "counters")}
    other |= {"format": 99, "new_field": 1}
    seal(checkpoint, manifest | {change: other[change]})
    before = contents(trained_copy / "checkpoints")
    resumed = invoke("train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy)
    for result in (resumed, invoke("eval", trained_copy, "--last")):
        assert_one_error(result, str(checkpoint))
        assert "version of paac" in result.stderr
    assert contents(trained_copy / "checkpoints") == before


@pytest.mark.parametrize("content", [b"", b"steps\n", b"garbage\n", b"\xff\xfe\n", b"steps,rollout/ep_rew_mean\n"])
def test_invalid_metrics_are_reported(content, trained_copy, invoke, tmp_path):
    (trained_copy / "metrics.csv").write_bytes(content)
    assert_one_error(invoke("plot", trained_copy, "--out", "curve.png"), str(trained_copy))
    assert not (tmp_path / "curve.png").exists()


def test_numbers_too_far_apart_for_an_axis_are_reported(trained_copy, invoke, tmp_path):
    (trained_copy / "metrics.csv").write_text("steps,rollout/ep_rew_mean\n1,1e308\n2,-1e308\n")
    result = invoke("plot", trained_copy, "--out", "curve.png")
    assert result.exit_code == 2
    assert "curve.png cannot be written" in result.stderr


def test_a_dollar_sign_in_a_name_is_not_read_as_a_formula(trained_copy, invoke):
    config = trained_copy / "config.yaml"
    config.write_text(config.read_text().replace("CartPole-v1", "'$\\frac$'"))
    assert invoke("plot", trained_copy, "--out", "curve.svg").exit_code == 0
