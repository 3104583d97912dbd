"""Saving and loading checkpoints, and damage to them."""

import errno
import json
import os
import random

import numpy as np
import pytest

from checkpoints import RUNTIME
from forgery import seal
from paac_cli.config.load import read_config
from paac_cli.config.presets import find_preset
from paac_cli.errors import CheckpointError, UnreadableCheckpointError
from paac_cli.runs.checkpoint import (
    Checkpoint,
    Counters,
    from_messages,
    load_checkpoint,
    load_policy,
    save_if_best,
    save_milestone,
    to_messages,
)
from paac_cli.runs.checkpoint import save_checkpoint as save_and_keep
from paac_cli.runs.checkpoint_names import list_checkpoints, list_milestones, list_policies
from short_runs import flip_a_byte


def make_checkpoint(steps=1000, score=None):
    rng = np.random.default_rng(steps)
    return Checkpoint(
        config=read_config(find_preset("cartpole"), {"sampling.num_envs": 3}),
        counters=Counters(steps=steps, updates=10, episodes=3, seconds=1.5),
        score=score,
        policy={"policy/kernel": rng.normal(size=(4, 2)).astype(np.float32)},
        learner={"steps": np.array(steps, np.int64)},
        sampling={"episode": np.arange(3), "length": np.array([2, 0, 1]), "actions": np.array([1, 0, 1], np.int32)},
        progress={"scores": np.array([1.0, 2.0]), "lengths": np.array([10, 20])},
        runtime=RUNTIME,
        approximate=("an environment diverged on replay",),
    )


def save_checkpoint(directory, checkpoint):
    return save_and_keep(directory, checkpoint, keep=5)


def save_both(directory, checkpoint, keep=5):
    """Save the checkpoint, and before it its policy, if it is the best."""
    save_if_best(directory, checkpoint)
    save_and_keep(directory, checkpoint, keep)


def assert_same(first, second):
    assert first[:3] == second[:3]
    assert (first.runtime, first.approximate) == (second.runtime, second.approximate)
    for part in ("policy", "learner", "sampling", "progress"):
        ours, theirs = getattr(first, part), getattr(second, part)
        assert ours.keys() == theirs.keys()
        for name, array in ours.items():
            assert array.dtype == theirs[name].dtype
            np.testing.assert_array_equal(array, theirs[name])


def test_a_loaded_checkpoint_equals_the_saved_one(tmp_path):
    checkpoint = make_checkpoint(score=-3.5)
    path = save_checkpoint(tmp_path, checkpoint)
    assert path.name == "step_000001000"
    assert_same(load_checkpoint(path), checkpoint)


def test_equal_checkpoints_are_written_as_equal_bytes(tmp_path):
    first, second = (save_checkpoint(tmp_path / name, make_checkpoint()) for name in "ab")
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_any_flipped_byte_is_detected(tmp_path):
    path = save_checkpoint(tmp_path, make_checkpoint())
    rng = random.Random(0)
    for file in sorted(path.iterdir()):
        whole = file.read_bytes()
        for _ in range(40):
            index = rng.randrange(len(whole))
            file.write_bytes(whole[:index] + bytes([whole[index] ^ (1 << rng.randrange(8))]) + whole[index + 1 :])
            with pytest.raises(CheckpointError, match=file.name.removesuffix(".sha256")):
                load_checkpoint(path)
        file.write_bytes(whole)
    load_checkpoint(path)


def test_any_truncation_is_detected(tmp_path):
    path = save_checkpoint(tmp_path, make_checkpoint())
    for file in sorted(path.iterdir()):
        whole = file.read_bytes()
        for length in {0, 1, len(whole) // 2, len(whole) - 1}:
            file.write_bytes(whole[:length])
            with pytest.raises(CheckpointError, match="step_000001000"):
                load_checkpoint(path)
        file.write_bytes(whole)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": 4},
        {"format": None},
        {"counters": {"steps": "many"}},
        {"config": {"env": {"id": "x"}}},
        {"files": []},
        {"files": {}},
        {"score": "high"},
        {"runtime": {}},
        {"approximate": "yes"},
    ],
)
def test_an_error_names_the_checkpoint_whose_manifest_is_invalid(tmp_path, change):
    path = save_checkpoint(tmp_path, make_checkpoint())
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


def test_other_formats_are_refused_by_number(tmp_path):
    path = save_checkpoint(tmp_path, make_checkpoint())
    seal(path, json.loads((path / "manifest.json").read_text()) | {"format": 2})
    with pytest.raises(UnreadableCheckpointError, match="has checkpoint format 2; this version of paac reads only 3"):
        load_checkpoint(path)


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, '{"format": 3}', "\xff" * 10])
def test_an_error_names_the_checkpoint_whose_manifest_is_garbage(tmp_path, text):
    path = save_checkpoint(tmp_path, make_checkpoint())
    (path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


def test_the_latest_checkpoints_and_the_best_policy_are_kept(tmp_path):
    for steps, score in [(1, None), (2, 9.0), (3, 5.0), (4, 7.0), (5, 6.0)]:
        save_both(tmp_path, make_checkpoint(steps, score), keep=2)
    assert [path.name[-1] for path in list_checkpoints(tmp_path)] == ["5", "4"]
    (best,) = list_policies(tmp_path)
    assert sorted(path.name for path in best.iterdir()) == ["manifest.json", "manifest.sha256", "policy.safetensors"]
    policy, whole = load_policy(best), make_checkpoint(2, 9.0)
    assert policy[:3] == whole[:3]
    np.testing.assert_array_equal(policy.policy["policy/kernel"], whole.policy["policy/kernel"])
    with pytest.raises(CheckpointError, match=r"has no learner\.safetensors, so a run cannot resume from it"):
        load_checkpoint(best)


def test_milestones_are_kept_whatever_is_saved_later(tmp_path):
    save_milestone(tmp_path, make_checkpoint(1))
    for steps in range(2, 6):
        save_and_keep(tmp_path, make_checkpoint(steps, steps), keep=1)
    save_milestone(tmp_path, make_checkpoint(5))
    assert [path.name for path in list_milestones(tmp_path)] == ["milestone_000000005", "milestone_000000001"]
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_000000005"]
    policy, whole = load_policy(list_milestones(tmp_path)[-1]), make_checkpoint(1)
    assert policy[:3] == whole[:3]
    np.testing.assert_array_equal(policy.policy["policy/kernel"], whole.policy["policy/kernel"])


def test_a_milestone_replaces_an_equal_one_and_what_a_killed_process_left_of_it(tmp_path):
    """A run that resumes from before a milestone reaches it again."""
    save_milestone(tmp_path, make_checkpoint(7, 1.0))
    (tmp_path / ".partial-milestone_000000007").mkdir()
    save_milestone(tmp_path, make_checkpoint(7, 2.0))
    assert [path.name for path in tmp_path.iterdir()] == ["milestone_000000007"]
    assert load_policy(tmp_path / "milestone_000000007").score == 2.0


def test_a_policy_is_loaded_without_the_other_files(tmp_path):
    path = save_checkpoint(tmp_path, make_checkpoint())
    (path / "learner.safetensors").unlink()
    assert load_policy(path).policy.keys() == {"policy/kernel"}


def test_a_damaged_best_policy_is_replaced_by_the_next(tmp_path):
    save_both(tmp_path, make_checkpoint(1, 9.0))
    (tmp_path / "best_000000001" / "manifest.json").write_text("")
    save_both(tmp_path, make_checkpoint(2, 1.0))
    assert [path.name for path in list_policies(tmp_path)] == ["best_000000002"]


def test_without_scores_the_newest_policy_is_the_best(tmp_path):
    for steps in (1, 2):
        save_both(tmp_path, make_checkpoint(steps))
    assert [path.name[-1] for path in list_policies(tmp_path)] == ["2"]
    assert list_policies(tmp_path / "nothing") == []


def test_the_best_of_evaluations_is_kept_and_checkpoints_leave_it_alone(tmp_path):
    for steps, score, best in [(1, 3.0, 1), (2, 2.0, 1), (3, 3.0, 3), (4, 5.0, 4), (5, 4.0, 4)]:
        save_if_best(tmp_path, make_checkpoint(steps, score)._replace(is_evaluated=True))
        save_and_keep(tmp_path, make_checkpoint(steps, 10.0 * steps), keep=1)
        assert [path.name for path in list_policies(tmp_path)] == [f"best_{best:09d}"]
    assert load_policy(list_policies(tmp_path)[0]).score == 5.0
    flip_a_byte(tmp_path / "best_000000004" / "policy.safetensors")
    save_if_best(tmp_path, make_checkpoint(6, 1.0)._replace(is_evaluated=True))
    assert [path.name for path in list_policies(tmp_path)] == ["best_000000006"]


def test_scores_of_evaluations_and_of_training_are_not_compared(tmp_path):
    save_if_best(tmp_path, make_checkpoint(1, 9.0))
    save_if_best(tmp_path, make_checkpoint(3, 2.0)._replace(is_evaluated=True))
    assert [path.name for path in list_policies(tmp_path)] == ["best_000000003"]
    save_if_best(tmp_path, make_checkpoint(4))
    assert [path.name for path in list_policies(tmp_path)] == ["best_000000003"], "a policy without a score was kept"
    save_if_best(tmp_path, make_checkpoint(5, 1.0))
    assert [path.name for path in list_policies(tmp_path)] == ["best_000000005"]


def test_whether_an_evaluation_is_due_is_stored(tmp_path):
    checkpoint = make_checkpoint()._replace(evaluation_due=True)
    loaded = load_checkpoint(save_checkpoint(tmp_path, checkpoint))
    assert (loaded.evaluation_due, loaded.last_row) == (True, 999)
    again = from_messages(to_messages(checkpoint), trusted=())
    assert (again.evaluation_due, again.last_row) == (True, 999)


def test_a_manifest_of_a_version_without_evaluations_is_read(tmp_path):
    path = save_checkpoint(tmp_path, make_checkpoint())
    manifest = json.loads((path / "manifest.json").read_text())
    del manifest["is_evaluated"], manifest["evaluation_due"]
    seal(path, manifest)
    assert_same(load_checkpoint(path), make_checkpoint())
    assert not load_checkpoint(path).evaluation_due


def test_checkpoints_are_ordered_by_number_not_by_text(tmp_path):
    for steps in (999_999_999, 1_000_000_000):
        save_checkpoint(tmp_path, make_checkpoint(steps))
    assert list_checkpoints(tmp_path)[0].name == "step_1000000000"


@pytest.mark.parametrize("keep", [1, 2])
def test_a_run_that_resumes_before_damaged_checkpoints_deletes_them_and_no_valid_one(tmp_path, keep):
    """The damaged ones have more steps in their names, but do not count towards `keep`."""
    for steps in (1000, 2000, 3000):
        save_both(tmp_path, make_checkpoint(steps, steps), keep=3)
    for name in ("step_000003000", "step_000002000", "best_000003000"):
        flip_a_byte(tmp_path / name / "policy.safetensors")
    save_both(tmp_path, make_checkpoint(1500, 1500.0), keep)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_000001500", "step_000001000"][:keep]
    assert [path.name for path in list_policies(tmp_path)] == ["best_000001500"]
    assert_same(load_checkpoint(tmp_path / "step_000001500"), make_checkpoint(1500, 1500.0))


def test_symbolic_links_are_deleted_but_not_their_targets(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    save_checkpoint(tmp_path / "elsewhere", make_checkpoint(1000))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "step_000001000").symlink_to(tmp_path / "elsewhere" / "step_000001000")
    (tmp_path / "here" / ".partial-step_000002000").symlink_to(tmp_path / "elsewhere")
    load_checkpoint(list_checkpoints(tmp_path / "here")[0])
    save_and_keep(tmp_path / "here", make_checkpoint(2000), keep=1)
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["step_000002000"]
    load_checkpoint(tmp_path / "elsewhere" / "step_000001000")


def test_a_directory_that_cannot_be_listed_is_an_error_not_an_empty_directory(tmp_path, monkeypatch):
    """A run must not start over because its disk fails."""
    save_checkpoint(tmp_path, make_checkpoint())
    for number in (errno.EIO, errno.EACCES):
        monkeypatch.setattr(os, "listdir", lambda path, number=number: fail(number))
        with pytest.raises(CheckpointError, match="cannot be listed"):
            list_checkpoints(tmp_path)


def fail(number):
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("progress", {"scores": np.zeros(3)}),
        ("progress", {"scores": np.zeros((2, 1)), "lengths": np.zeros((2, 1), np.int64)}),
        ("progress", {"lengths": np.zeros(2)}),
        ("sampling", {"episode": np.zeros(4, np.int64)}),
        ("sampling", {"episode": np.array([0, 1, -1])}),
        ("sampling", {"length": np.array([-1, 2, 2])}),
        ("sampling", {"length": np.array([2**62, 2**62, 2**62])}),
        ("sampling", {"actions": np.zeros(2, np.int32)}),
        ("sampling", {"actions": np.zeros((), np.int32)}),
    ],
)
def test_arrays_that_do_not_match_each_other_are_refused(part, change, tmp_path):
    checkpoint = make_checkpoint()
    path = save_checkpoint(tmp_path, checkpoint._replace(**{part: getattr(checkpoint, part) | change}))
    with pytest.raises(CheckpointError, match="do not match"):
        load_checkpoint(path)


@pytest.mark.parametrize(("part", "name"), [("progress", "scores"), ("sampling", "episode"), ("sampling", "actions")])
def test_a_missing_array_is_refused(part, name, tmp_path):
    checkpoint = make_checkpoint()
    rest = {key: array for key, array in getattr(checkpoint, part).items() if key != name}
    with pytest.raises(CheckpointError, match="do not match"):
        load_checkpoint(save_checkpoint(tmp_path, checkpoint._replace(**{part: rest})))


def test_the_best_policy_can_be_saved_again_and_again(tmp_path):
    """As in a run that is killed after an evaluation and resumes before it, several times."""
    for _ in range(3):
        save_if_best(tmp_path, make_checkpoint(1000, score=5.0)._replace(is_evaluated=True))
        assert [path.name for path in tmp_path.iterdir()] == ["best_000001000"]
