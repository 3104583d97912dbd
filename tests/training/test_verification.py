"""What `paac verify` compares, and with which configs it retrains a run."""

import hashlib
import os

import numpy as np
import pytest

from checkpoints import RUNTIME, cartpole_config, checkpoint_of, runtime_with
from paac_cli.config.load import load_config
from paac_cli.errors import RunDirectoryError, VerificationError
from paac_cli.runs.checkpoint import save_checkpoint
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.training.verification import (
    Interval,
    compare,
    compare_metrics,
    digests,
    find_interval,
    read_metrics,
    reasons_to_differ,
    segment_configs,
)


def run_of(directory, *checkpoints):
    run = RunDirectory(directory)
    run.create(checkpoints[-1].config, fresh=False)
    for checkpoint in checkpoints:
        save_checkpoint(run.checkpoints, checkpoint, keep=9)
    return directory


# --- which interval is retrained


def test_the_interval_is_between_the_last_two_checkpoints_or_from_the_start(tmp_path):
    run = run_of(tmp_path / "run", *map(checkpoint_of, (100, 250, 310)))
    interval = find_interval(run, from_start=False, trusted=(), warn=pytest.fail)
    assert (interval.steps, interval.seconds) == (range(250, 310), pytest.approx(6.0))
    interval = find_interval(run, from_start=True, trusted=(), warn=pytest.fail)
    assert (interval.steps, interval.seconds) == (range(310), pytest.approx(31.0))


def test_a_run_without_saved_experience_is_trained_from_the_start_in_one_segment(tmp_path):
    config = cartpole_config(algorithm={"name": "dqn", "save_buffer": False})
    run = run_of(tmp_path / "run", *(checkpoint_of(steps, config) for steps in (100, 200)))
    interval = find_interval(run, from_start=False, trusted=(), warn=pytest.fail)
    assert interval.steps == range(200)
    assert [one.training.total_steps for one in segment_configs(interval)] == [200]


def test_an_interval_with_another_number_of_kept_scores_is_refused(tmp_path):
    wide = cartpole_config(stop_when={"mean_return": 1, "episodes": 200})
    run = run_of(tmp_path / "run", checkpoint_of(100, wide), checkpoint_of(200))
    with pytest.raises(VerificationError, match="between steps 100 and 200"):
        find_interval(run, from_start=False, trusted=(), warn=pytest.fail)


# --- the configs of the retraining


def test_the_first_segment_stops_half_way_and_no_goal_ends_training():
    config = cartpole_config(stop_when={"mean_return": 0, "episodes": 200}, log_every=50, checkpoint_every=10)
    segments = segment_configs(Interval(checkpoint_of(100), checkpoint_of(300, config)))
    assert [one.training.total_steps for one in segments] == [200, 300]
    for one in segments:
        assert (one.training.log_every, one.training.keep_checkpoints) == (1, 1)
        assert one.training.checkpoint_every > 300
        assert one.training.stop_when.mean_return > 1e300
        assert one.training.stop_when.episodes == 200
        assert load_config(one.model_dump(mode="json"), "a checkpoint") == one


def test_an_interval_of_one_step_is_trained_in_the_first_segment():
    segments = segment_configs(Interval(checkpoint_of(100), checkpoint_of(101)))
    assert [one.training.total_steps for one in segments] == [101, 101]


@pytest.mark.parametrize(
    ("num_envs", "num_workers", "overlap", "others"),
    [(8, 2, False, [3, 1]), (8, 1, False, [2, 1]), (8, 8, False, [8, 4]), (8, 4, True, [4, 2]), (1, 1, False, [1, 1])],
)
def test_segments_have_other_numbers_of_workers_where_possible(num_envs, num_workers, overlap, others):
    config = cartpole_config(num_envs, num_workers, overlap=overlap)
    segments = segment_configs(Interval(None, checkpoint_of(100, config)))
    assert [one.sampling.num_workers for one in segments] == others
    for one in segments:
        load_config(one.model_dump(mode="json"), "a checkpoint")


# --- what is compared


def test_a_digest_depends_on_bytes_shape_and_dtype():
    arrays = [np.zeros(4, np.float32), np.zeros((2, 2), np.float32), np.zeros(4, np.int32), -np.zeros(4, np.float32)]
    found = [digests({"a": array})["a"] for array in arrays]
    assert len(set(found)) == 4
    square = np.arange(4.0).reshape(2, 2)
    assert digests({"a": square.T})["a"] == digests({"a": square.T.copy()})["a"]
    assert digests({"a": np.zeros((0, 3))})["a"] != digests({"a": np.zeros((3, 0))})["a"]


def differences(run, retrained):
    return {one.what: one.different for one in compare(run, retrained) if one.different}


def test_every_part_and_counter_is_compared_except_the_seconds():
    run = checkpoint_of(100)
    assert differences(run, run._replace(counters=run.counters.model_copy(update={"seconds": 9.0}))) == {}
    for part in ("policy", "learner", "sampling", "progress"):
        more = getattr(run, part) | {"a": np.zeros(2)}
        assert differences(run, run._replace(**{part: more})) == {part: ("a",)}
    changed = run._replace(counters=run.counters.model_copy(update={"episodes": 1}), score=2.0)
    assert differences(run, changed) == {"counters": ("episodes", "score")}


def test_metrics_are_compared_at_the_steps_that_the_run_logged(tmp_path):
    table = tmp_path / "metrics.csv"
    table.write_text("steps,time/fps,time/act_share,time/frames,train/loss\n64,5,0.1,256,\n128,6,0.2,512,nan\n12")
    run = dict(read_metrics(table))
    assert run == {64: {"time/frames": "256"}, 128: {"time/frames": "512", "train/loss": "nan"}}
    assert compare_metrics(run, run | {96: {"time/frames": "1"}}).different == ()
    in_order = b"time/frames at step 64 256\ntime/frames at step 128 512\ntrain/loss at step 128 nan"
    assert compare_metrics(run, run).sha256 == hashlib.sha256(in_order).hexdigest()
    table.write_text("steps,time/frames\n64,12345678\n128,1.23457e+07\n")  # as an earlier version wrote counts
    assert {row["time/frames"] for _, row in read_metrics(table)} == {"1.23457e+07"}
    with_new_column = {steps: row | {"rollout/reward_min": "0"} for steps, row in run.items()}
    assert compare_metrics(run, with_new_column).different == ()  # an earlier version trained the run
    assert compare_metrics(with_new_column, run).different == tuple(
        f"rollout/reward_min at step {steps}" for steps in (128, 64)
    )
    evaluated = run | {64: run[64] | {"eval/ep_rew_mean": "7"}}  # the settings of evaluations changed in between
    assert compare_metrics(run, evaluated).different == compare_metrics(evaluated, run).different == ()
    other = run | {64: run[64] | {"eval/ep_rew_mean": "8"}}
    assert compare_metrics(evaluated, other).different == ("eval/ep_rew_mean at step 64",)
    assert compare_metrics(run, {64: run[64] | {"train/loss": "1"}}).different == (
        "time/frames at step 128",
        "train/loss at step 128",
        "train/loss at step 64",
    )


def test_only_scores_that_both_checkpoints_keep_are_compared():
    """If `stop_when` changed on resume, retraining from the start may keep more scores."""

    def with_scores(scores):
        lengths = np.arange(len(scores))[::-1].copy()
        return checkpoint_of(100, progress={"scores": np.array(scores), "lengths": lengths})

    def different(first, second):
        return [name for one in compare(with_scores(first), with_scores(second)) for name in one.different]

    assert different([3.0, 4.0], [1.0, 2.0, 3.0, 4.0]) == []
    assert different([1.0, 2.0, 3.0, 4.0], [3.0, 4.0]) == []
    assert different([3.0, 5.0], [1.0, 2.0, 3.0, 4.0]) == ["scores"]


def test_a_changed_runtime_is_named_once():
    def interval(start, end, approximate=()):
        return Interval(checkpoint_of(100, runtime=start), checkpoint_of(101, runtime=end, approximate=approximate))

    assert reasons_to_differ(interval(RUNTIME, RUNTIME), RUNTIME) == ()
    before = runtime_with(versions=RUNTIME.versions | {"tensorflow": "2.20.0"})
    reason = "tensorflow was 2.20.0 and is 2.21.0"
    assert reasons_to_differ(interval(before, before), RUNTIME) == (reason,)
    assert reasons_to_differ(interval(before, RUNTIME, approximate=(reason,)), RUNTIME) == (reason,)


@pytest.mark.timeout(20)
def test_a_pipe_instead_of_metrics_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "metrics.csv")
    with pytest.raises(RunDirectoryError, match="cannot be read"):
        read_metrics(tmp_path / "metrics.csv")
