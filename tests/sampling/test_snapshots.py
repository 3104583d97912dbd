"""Snapshots: a restored pool continues as the original would have, and a bad snapshot is rejected."""

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import describe_env
from paac_cli.envs.spaces import ActionTranslator
from paac_cli.errors import CheckpointError
from paac_cli.events import ReplayDiverged
from pools import (
    BREAKOUT,
    CART_POLE,
    PONG,
    assert_same_arrays,
    assert_same_play,
    open_counting,
    open_pool,
    play,
    play_in_process,
    random_actions,
)
from toy_envs import ACTION_SPACES, OBSERVATION_SPACES, Counting, config_of


def steps_into_a_later_life(config, actions):
    """The number of `actions` after which environment 0 has finished a game and lost a life of the next one."""
    _, records = play_in_process(config, actions[:, :1])
    games = 0
    for index, step in enumerate(records, start=1):
        games += len(step["episodes"])
        if games and step["terminated"][0] and not step["episodes"]:
            return index + 5
    raise AssertionError("too few actions")


@pytest.mark.parametrize(
    ("config", "steps"),
    [
        (PONG, 50),
        (BREAKOUT, "later life"),
        (EnvConfig(id="ALE/Qbert-v5", protocol="baselines"), "later life"),
        (EnvConfig(id="ALE/Seaquest-v5", protocol="machado2018"), 130),
        (EnvConfig(id="ALE/Breakout-v5", protocol="paac2017"), 70),
        (CART_POLE, 33),
    ],
    ids=lambda value: f"{value.id}-{value.protocol}" if isinstance(value, EnvConfig) else str(value),
)
def test_a_restored_pool_continues_as_the_original(config, steps):
    actions = random_actions(config, 700, num_envs=3)
    if steps == "later life":
        steps = steps_into_a_later_life(config, actions)
    with open_pool(config, num_workers=2) as pool:
        pool.reset()
        last_obs = play(pool, actions[:steps])[-1]["obs"]
        snapshot = pool.snapshot()
        expected = play(pool, actions[steps : steps + 60])
    with open_pool(config, num_workers=3) as pool:
        step = pool.restore(snapshot)
        assert step.slot == 0
        assert np.array_equal(step.obs, last_obs)
        assert_same_play(play(pool, actions[steps : steps + 60]), expected)


def test_the_snapshot_does_not_depend_on_the_number_of_workers():
    actions, snapshots = random_actions(CART_POLE, 61, num_envs=3), []
    for num_workers in (1, 2, 3):
        with open_pool(CART_POLE, num_workers=num_workers) as pool:
            pool.reset()
            play(pool, actions)
            snapshots.append(pool.snapshot())
            pool.restore(snapshots[0])
            assert_same_arrays(pool.snapshot(), snapshots[0])
    assert list(snapshots[0]) == ["episode", "length", "reward_sum", "actions", "obs_digest"]
    for snapshot in snapshots[1:]:
        assert_same_arrays(snapshot, snapshots[0])


def test_an_environment_that_diverges_on_replay_is_logged():
    actions, events = random_actions(CART_POLE, 20, num_envs=3), []
    with open_pool(CART_POLE, log=events.append) as pool:
        pool.reset()
        play(pool, actions)
        snapshot = pool.snapshot()
        snapshot["obs_digest"] = snapshot["obs_digest"] ^ np.array([0, 1, 0], np.uint64)  # of another observation
        pool.restore(snapshot)
    assert events == [ReplayDiverged(envs=(1,))]


@pytest.mark.parametrize(
    "change",
    [
        {"episode": np.zeros(3, np.int32)},
        {"length": np.array([2, 2, 3])},
        {"obs_digest": np.zeros(2, np.uint64)},
        {"obs_digest": np.zeros(3, np.int64)},
        {"reward_sum": np.zeros(2)},
        {"reward_sum": np.zeros(3, np.float32)},
        {"actions": np.zeros(6, np.uint8)},
        {"actions": np.zeros((6, 2), np.int32)},
    ],
    ids=str,
)
@pytest.mark.parametrize("overlap", [False, True])
def test_a_snapshot_of_other_environments_is_rejected(change, overlap):
    (name,) = change
    with open_counting(num_envs=4 if overlap else 3, overlap=overlap) as pool:
        pool.reset()
        play(pool, np.zeros((2, pool.num_envs), int))
        snapshot = pool.snapshot()
        if overlap:
            change = {name: np.concatenate([change[name], change[name][-1:]])}
        name = "actions" if name == "length" else name
        with pytest.raises(CheckpointError, match=rf"made with other environments: the array '{name}' .* not \["):
            pool.restore(snapshot | change)
        pool.restore(snapshot)


@pytest.mark.parametrize("name", ["episode", "length", "reward_sum", "actions", "obs_digest"])
def test_every_array_of_a_snapshot_is_required(name):
    with open_counting() as pool:
        pool.reset()
        play(pool, np.zeros((2, 3), int))
        snapshot = pool.snapshot()
        with pytest.raises(CheckpointError, match=f"the array '{name}' of their histories is missing"):
            pool.restore({other: snapshot[other] for other in snapshot if other != name})
        pool.restore(snapshot)


def test_a_snapshot_changes_nothing_and_does_not_change():
    actions = random_actions(CART_POLE, 60, num_envs=3)
    _, expected = play_in_process(CART_POLE, actions)
    with open_pool(CART_POLE) as pool:
        pool.reset()
        records = play(pool, actions[:30])
        snapshot = pool.snapshot()
        records += play(pool, actions[30:])
        assert_same_play(records, expected)
        pool.restore(snapshot)
        assert_same_play(play(pool, actions[30:]), expected[30:])
        second = pool.snapshot()
        pool.restore(second)
        assert_same_arrays(pool.snapshot(), second)


@pytest.mark.parametrize("overlap", [False, True])
def test_the_end_of_the_last_complete_rollout_can_be_restored_from_within_the_next_one(overlap):
    """Games of three steps end within the rollout that is discarded."""
    actions = np.random.default_rng(0).integers(4, size=(20, 4))
    _, expected = play_in_process(config_of(Counting), actions)
    with open_counting(num_envs=4, overlap=overlap) as pool:
        pool.reset()
        play(pool, actions[:8])
        complete = pool.snapshot()
        assert_same_arrays(pool.snapshot(of_last_rollout=True), complete)
        play(pool, actions[8:11])
        discarded = pool.snapshot(of_last_rollout=True)
        assert_same_arrays(discarded, complete)
        assert pool.snapshot()["episode"].tolist() != complete["episode"].tolist()
    with open_counting(num_envs=4, overlap=overlap) as pool:
        pool.restore(discarded)
        assert_same_play(play(pool, actions[8:]), expected[8:])


# Observations and actions of every kind


def random_actions_of(action, steps, num_envs):
    """[steps, num_envs, ...]. Continuous actions also exceed their bounds and use all bits of a float32."""
    rng = np.random.default_rng(0)
    if not action.choices:
        return rng.normal(scale=1.5, size=(steps, num_envs, *action.shape)).astype(np.float32)
    return rng.integers(action.choices, size=(steps, num_envs, *action.shape))


def assert_a_restored_pool_continues(config, length):
    """Restores 3 environments in the middle of their second episode; length: of an episode."""
    spec = describe_env(config)
    actions = random_actions_of(spec.action, 3 * length, num_envs=3)
    middle = length + length // 2
    with open_pool(config, spec, num_workers=2) as pool:
        pool.reset()
        records = play(pool, actions[:middle])
        snapshot = pool.snapshot()
        expected = play(pool, actions[middle:])
    assert len(records[length - 1]["episodes"]) == 3
    assert snapshot["actions"].dtype == spec.action.dtype
    played = np.concatenate([actions[length:middle, n] for n in range(3)])
    assert snapshot["actions"].tolist() == played.tolist()  # to the last bit
    with open_pool(config, spec, num_workers=2) as pool:
        assert np.array_equal(pool.restore(snapshot).obs, records[-1]["obs"])
        assert_same_play(play(pool, actions[middle:]), expected)
    return records, actions


@pytest.mark.parametrize("name", [name for name in ACTION_SPACES if name not in ("integer box", "empty")])
@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_actions_of_every_kind_reach_the_environments_and_are_replayed(name, ends):
    """The environments assert that an action is in their space, and return it in the observation, to the last bit."""
    config = EnvConfig(id="toy_envs:EchoAction-v0", kwargs={"actions": name, "script": {"length": 6, "ends": ends}})
    records, actions = assert_a_restored_pool_continues(config, length=6)
    translator = ActionTranslator(ACTION_SPACES[name], "EchoAction-v0")
    for step, row in zip(records[:5], actions, strict=False):
        assert step["obs"][:, 0].tolist() == [translator.translate(action).ravel().tolist() for action in row]


@pytest.mark.parametrize("name", OBSERVATION_SPACES)
def test_observations_of_every_kind_are_returned_and_restored(name):
    config = EnvConfig(id="toy_envs:SampledObservation-v0", kwargs={"space": name, "script": {"length": 6}})
    records, actions = assert_a_restored_pool_continues(config, length=6)
    first, expected = play_in_process(config, actions)
    assert_same_play(records, expected[: len(records)])
    assert first.dtype == records[0]["obs"].dtype
    assert len(np.unique(first.reshape(3, -1), axis=0)) > 1  # environments differ


def test_stacked_frames_are_returned_and_restored():
    config = EnvConfig(id="toy_envs:TiledImages-v0", frame_stack=4, resize=(4, 6), kwargs={"script": {"length": 7}})
    records, actions = assert_a_restored_pool_continues(config, length=7)
    assert_same_play(records, play_in_process(config, actions)[1][: len(records)])
