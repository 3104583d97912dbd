"""What `paac verify` compares, and how it trains again."""

import os

import numpy as np
import pytest

from paac_cli.config.load import load_config
from paac_cli.errors import RunDirectoryError, VerificationError
from paac_cli.runs.checkpoint import Checkpoint, Counters, save_checkpoint
from paac_cli.runs.exactness import APPROXIMATE
from paac_cli.runs.run_directory import RunDirectory
from paac_cli.training.verification import (
    Stretch,
    approximations,
    compare,
    compare_logs,
    digests,
    find_stretch,
    read_log,
    sittings,
)


def config_of(num_envs=4, num_workers=2, algorithm=None, overlap=False, **training):
    return load_config(
        {
            "env": {"id": "CartPole-v1"},
            "sampling": {"num_envs": num_envs, "num_workers": num_workers, "overlap": overlap},
            "algorithm": algorithm or {"name": "paac"},
            "network": {"torso": "mlp"},
            "training": {"total_steps": 1000, **training},
        },
        "test",
    )


def checkpoint_of(steps, config=None, score=None, **arrays):
    config = config or config_of()
    begun = np.zeros(config.sampling.num_envs, np.int64)
    parts = {
        "policy": {},
        "learner": {},
        "sampling": {"episode": begun, "length": begun, "actions": np.zeros(0, np.int32)},
        "progress": {"scores": np.zeros(0), "lengths": np.zeros(0, np.int64)},
    } | arrays
    return Checkpoint(config, Counters(steps=steps, seconds=steps / 10), score, **parts)


def stretch_of(*versions):
    """Between checkpoints that name these versions."""
    return Stretch(*(checkpoint_of(steps)._replace(versions=made_by) for steps, made_by in enumerate(versions, 100)))


def run_of(directory, *checkpoints):
    run = RunDirectory(directory)
    run.create(checkpoints[-1].config, fresh=False)
    for checkpoint in checkpoints:
        save_checkpoint(run.checkpoints, checkpoint, keep=9)
    return directory


# --- which stretch


def test_from_the_last_but_one_to_the_last_or_from_the_start(tmp_path):
    run = run_of(tmp_path / "run", *map(checkpoint_of, (100, 250, 310)))
    stretch = find_stretch(run, from_start=False, trusted=(), warn=pytest.fail)
    assert (stretch.steps, stretch.seconds) == (range(250, 310), pytest.approx(6.0))
    stretch = find_stretch(run, from_start=True, trusted=(), warn=pytest.fail)
    assert (stretch.steps, stretch.seconds) == (range(310), pytest.approx(31.0))


def test_what_no_checkpoint_holds_is_trained_from_the_start_and_without_a_stop(tmp_path):
    config = config_of(algorithm={"name": "dqn", "save_buffer": False})
    run = run_of(tmp_path / "run", *(checkpoint_of(steps, config) for steps in (100, 200)))
    stretch = find_stretch(run, from_start=False, trusted=(), warn=pytest.fail)
    assert stretch.steps == range(200)
    assert [again.training.total_steps for again in sittings(stretch)] == [200]


def test_another_window_of_scores_is_refused(tmp_path):
    wide = config_of(stop_when={"mean_return": 1, "episodes": 200})
    run = run_of(tmp_path / "run", checkpoint_of(100, wide), checkpoint_of(200))
    with pytest.raises(VerificationError, match="between steps 100 and 200"):
        find_stretch(run, from_start=False, trusted=(), warn=pytest.fail)


# --- under which circumstances


def test_it_is_stopped_half_way_and_never_for_its_goal():
    config = config_of(stop_when={"mean_return": 0, "episodes": 200}, log_every=50, checkpoint_every=10)
    again = sittings(Stretch(checkpoint_of(100), checkpoint_of(300, config)))
    assert [one.training.total_steps for one in again] == [200, 300]
    for one in again:
        assert (one.training.log_every, one.training.keep_checkpoints) == (1, 1)
        assert one.training.checkpoint_every > 300
        assert one.training.stop_when.mean_return > 1e300
        assert one.training.stop_when.episodes == 200
        assert load_config(one.model_dump(mode="json"), "a checkpoint") == one


@pytest.mark.parametrize(
    ("num_envs", "num_workers", "overlap", "others"),
    [(8, 2, False, [3, 1]), (8, 1, False, [2, 1]), (8, 8, False, [8, 4]), (8, 4, True, [4, 2]), (1, 1, False, [1, 1])],
)
def test_other_numbers_of_workers_that_the_environments_allow(num_envs, num_workers, overlap, others):
    config = config_of(num_envs, num_workers, overlap=overlap)
    again = sittings(Stretch(None, checkpoint_of(100, config)))
    assert [one.sampling.num_workers for one in again] == others
    for one in again:
        load_config(one.model_dump(mode="json"), "a checkpoint")


# --- what is compared


def test_a_digest_knows_bytes_shape_and_dtype():
    arrays = [np.zeros(4, np.float32), np.zeros((2, 2), np.float32), np.zeros(4, np.int32), -np.zeros(4, np.float32)]
    found = [digests({"a": array})["a"] for array in arrays]
    assert len(set(found)) == 4
    square = np.arange(4.0).reshape(2, 2)
    assert digests({"a": square.T})["a"] == digests({"a": square.T.copy()})["a"]
    assert digests({"a": np.zeros((0, 3))})["a"] != digests({"a": np.zeros((3, 0))})["a"]


def differences(run, again):
    return {one.what: one.different for one in compare(run, again) if one.different}


def test_every_part_and_counter_is_compared_but_not_the_clock():
    run = checkpoint_of(100)
    assert differences(run, run._replace(counters=run.counters.model_copy(update={"seconds": 9.0}))) == {}
    for part in ("policy", "learner", "sampling", "progress"):
        more = getattr(run, part) | {"a": np.zeros(2)}
        assert differences(run, run._replace(**{part: more})) == {part: ("a",)}
    changed = run._replace(counters=run.counters.model_copy(update={"episodes": 1}), score=2.0)
    assert differences(run, changed) == {"counters": ("episodes", "score")}


def test_rows_are_compared_where_the_run_has_some(tmp_path):
    table = tmp_path / "metrics.csv"
    table.write_text("steps,time/fps,time/act_share,time/frames,train/loss\n64,5,0.1,256,\n128,6,0.2,512,nan\n12")
    run = dict(read_log(table))
    assert run == {64: {"time/frames": "256"}, 128: {"time/frames": "512", "train/loss": "nan"}}
    assert compare_logs(run, run | {96: {"time/frames": "1"}}).different == ()
    assert compare_logs(run, {64: run[64] | {"train/loss": "1"}}).different == (
        "time/frames at step 128",
        "train/loss at step 128",
        "train/loss at step 64",
    )


def test_scores_are_compared_as_far_as_both_have_kept_them():
    """Where `stop_when` was changed on the way, a run from the start keeps more of them."""

    def with_scores(scores):
        lengths = np.arange(len(scores))[::-1].copy()
        return checkpoint_of(100, progress={"scores": np.array(scores), "lengths": lengths})

    def different(ours, theirs):
        return [name for one in compare(with_scores(ours), with_scores(theirs)) for name in one.different]

    assert different([3.0, 4.0], [1.0, 2.0, 3.0, 4.0]) == []
    assert different([1.0, 2.0, 3.0, 4.0], [3.0, 4.0]) == []
    assert different([3.0, 5.0], [1.0, 2.0, 3.0, 4.0]) == ["scores"]


def test_what_is_other_here_or_has_changed_in_the_midst_is_said_once():
    here = {"python": "3.11.7", "tensorflow": "2.20.0", "deterministic": "yes"}
    assert approximations(stretch_of(here, here), here) == []
    before = here | {"tensorflow": "2.19.0"}
    told = "tensorflow was 2.19.0 and is 2.20.0"
    assert approximations(stretch_of(before, before), here) == [told]
    changed = here | {APPROXIMATE: told}
    assert approximations(stretch_of(before, changed), here) == [told]


@pytest.mark.timeout(20)
def test_metrics_that_are_a_pipe_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "metrics.csv")
    with pytest.raises(RunDirectoryError, match="cannot be read"):
        read_log(tmp_path / "metrics.csv")
