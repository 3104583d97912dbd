import json
import os
import random

import numpy as np
import pytest

from paac_cli.config.load import read_config
from paac_cli.config.presets import find_preset
from paac_cli.errors import CheckpointError
from paac_cli.training.checkpoint import (
    Checkpoint,
    Counters,
    list_checkpoints,
    load_checkpoint,
    prune_checkpoints,
    rank_checkpoints,
    save_checkpoint,
)


def make_checkpoint(steps=1000, score=None):
    rng = np.random.default_rng(steps)
    return Checkpoint(
        config=read_config(find_preset("cartpole")),
        counters=Counters(steps=steps, updates=10, episodes=3, seconds=1.5),
        score=score,
        agent={"policy/kernel": rng.normal(size=(4, 2)).astype(np.float32), "steps": np.array(steps, np.int64)},
        sampling={"episode": np.arange(3), "length": np.array([2, 0, 1]), "actions": np.array([1, 0, 1], np.int32)},
        progress={"scores": np.array([1.0, 2.0]), "lengths": np.array([10, 20])},
    )


def assert_same(first, second):
    assert first[:3] == second[:3]
    for part in ("agent", "sampling", "progress"):
        ours, theirs = getattr(first, part), getattr(second, part)
        assert ours.keys() == theirs.keys()
        for name, array in ours.items():
            assert array.dtype == theirs[name].dtype
            np.testing.assert_array_equal(array, theirs[name])


def test_what_is_saved_is_loaded(tmp_path):
    checkpoint = make_checkpoint(score=-3.5)
    path = save_checkpoint(tmp_path, checkpoint)
    assert path.name == "step_000001000"
    assert_same(load_checkpoint(path), checkpoint)


def test_the_same_state_gives_the_same_bytes(tmp_path):
    first, second = (save_checkpoint(tmp_path / name, make_checkpoint()) for name in "ab")
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_any_flipped_byte_is_detected(tmp_path):
    path = save_checkpoint(tmp_path, make_checkpoint())
    rng = random.Random(0)
    for file in sorted(path.glob("*.safetensors")):
        whole = file.read_bytes()
        for _ in range(40):
            place = rng.randrange(len(whole))
            file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :])
            with pytest.raises(CheckpointError, match=file.name):
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
        {"format": None},
        {"counters": {"steps": "many"}},
        {"config": {"env": {"id": "x"}}},
        {"files": []},
        {"files": {}},
        {"score": "high"},
    ],
)
def test_a_foreign_manifest_is_named(tmp_path, change):
    path = save_checkpoint(tmp_path, make_checkpoint())
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, '{"format": 1}', "\xff" * 10])
def test_rubbish_as_a_manifest_is_named(tmp_path, text):
    path = save_checkpoint(tmp_path, make_checkpoint())
    (path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match="step_000001000"):
        load_checkpoint(path)


def test_an_interrupted_save_leaves_the_earlier_checkpoint_and_is_swept_away(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, make_checkpoint(1000))
    calls = []

    def fail_at_the_third_file(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail_at_the_third_file)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, make_checkpoint(2000))
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_000001000"]
    monkeypatch.undo()
    save_checkpoint(tmp_path, make_checkpoint(3000))
    prune_checkpoints(tmp_path, keep=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_000001000", "step_000003000"]


def test_the_latest_and_the_best_are_kept(tmp_path):
    for steps, score in [(1, None), (2, 9.0), (3, 5.0), (4, 7.0), (5, 6.0)]:
        save_checkpoint(tmp_path, make_checkpoint(steps, score))
        prune_checkpoints(tmp_path, keep=2)
    assert [path.name[-1] for path in list_checkpoints(tmp_path)] == ["2", "4", "5"]
    assert [path.name[-1] for path in rank_checkpoints(tmp_path)] == ["2", "4", "5"]


def test_without_scores_the_newest_is_the_best(tmp_path):
    for steps in (1, 2):
        save_checkpoint(tmp_path, make_checkpoint(steps))
    assert [path.name[-1] for path in rank_checkpoints(tmp_path)] == ["2", "1"]
    assert rank_checkpoints(tmp_path / "nothing") == []


def test_a_billion_steps_are_more_than_a_million(tmp_path):
    for steps in (1_000_000_000, 999_999_999):
        save_checkpoint(tmp_path, make_checkpoint(steps))
    assert list_checkpoints(tmp_path)[-1].name == "step_1000000000"
