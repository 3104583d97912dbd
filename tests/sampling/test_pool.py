"""Real workers on real emulators: what they show, what they bring back, and how they die."""

import gc
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from paac_cli.config.schema import EnvConfig, SamplingConfig
from paac_cli.envs.make import describe_env, make_env
from paac_cli.envs.spaces import ActionTranslator
from paac_cli.errors import CheckpointError, WorkerError
from paac_cli.sampling.partition import split_evenly
from paac_cli.sampling.pool import WorkerPool
from paac_cli.seeding import episode_seed, integer_seed
from toy_envs import (
    ACTION_SPACES,
    INSPECTED_MODULES,
    OBSERVATION_SPACES,
    Counting,
    GlobalRandomState,
    ProcessInfo,
    config_of,
    spec_of,
)

SEED = 7
BREAKOUT = EnvConfig(id="ALE/Breakout-v5", protocol="baselines")
PONG = EnvConfig(id="ALE/Pong-v5", protocol="baselines")
CART_POLE = EnvConfig(id="CartPole-v1", kwargs={"max_episode_steps": 25})


def open_pool(
    config,
    spec=None,
    *,
    num_envs=3,
    num_workers=2,
    rollout_length=4,
    overlap=False,
    tell=pytest.fail,
    stopping=lambda: False,
    **limits,
):
    sampling = SamplingConfig(num_envs=num_envs, num_workers=num_workers, overlap=overlap, **limits)
    spec = spec or describe_env(config)
    return WorkerPool(config, spec, sampling, rollout_length=rollout_length, seed=SEED, tell=tell, stopping=stopping)


POOL = ("num_envs", "num_workers", "rollout_length", "overlap", "tell", "stopping")


def open_counting(**options):
    """A pool of `Counting`: what is not said of the pool is said of the script."""
    of_pool = {name: options.pop(name) for name in POOL if name in options}
    return open_pool(config_of(Counting, **options), spec_of(Counting), **of_pool)


def random_actions(config, steps, num_envs, seed=0):
    """[steps, num_envs], the same for the same arguments."""
    return np.random.default_rng(seed).integers(describe_env(config).action.num_actions, size=(steps, num_envs))


def play(pool, actions):
    """Everything that the pool shows while it plays `actions` [S, N], copied."""
    return [note(pool.step(row)) for row in actions]


def note(step):
    """A copy of all that `step` says; what is not defined is left out."""
    return {
        "obs": step.obs.copy(),
        "reward": step.reward.tolist(),
        "terminated": step.terminated.tolist(),
        "truncated": step.truncated.tolist(),
        "final_obs": step.final_obs[step.truncated].copy(),
        "episodes": step.episodes.tolist(),
    }


def assert_same_play(ours, expected):
    assert len(ours) == len(expected)
    for index, (one, other) in enumerate(zip(ours, expected, strict=True)):
        for name in one:
            assert np.array_equal(one[name], other[name]), f"{name} at step {index}"


def play_without_pool(config, actions):
    """What `play` must return, and the first observations before it: environments stepped in this process."""
    num_envs = actions.shape[1]
    envs = [make_env(config) for _ in range(num_envs)]
    obs = np.empty((num_envs, *envs[0].spec.obs_shape), envs[0].spec.obs_dtype)
    episode = [0] * num_envs
    for n, env in enumerate(envs):
        env.new_game(episode_seed(SEED, n, 0), obs[n])
    first, notes = obs.copy(), []
    for row in actions.tolist():
        outcomes = [env.step(action, obs[n]) for n, (env, action) in enumerate(zip(envs, row, strict=True))]
        finals, episodes = [], []
        for n, (env, outcome) in enumerate(zip(envs, outcomes, strict=True)):
            if outcome.truncated:
                finals.append(obs[n].copy())
            if outcome.game_over:
                episodes.append((n, episode[n], env.score, env.length))
                episode[n] += 1
                env.new_game(episode_seed(SEED, n, episode[n]), obs[n])
        notes.append(
            {
                "obs": obs.copy(),
                "reward": [outcome.reward for outcome in outcomes],
                "terminated": [outcome.terminated for outcome in outcomes],
                "truncated": [outcome.truncated for outcome in outcomes],
                "final_obs": np.array(finals, obs.dtype).reshape(-1, *obs.shape[1:]),
                "episodes": episodes,
            }
        )
    return first, notes


def counting_seed(env, episode):
    """What the counting environment sees first of this game."""
    return integer_seed(episode_seed(SEED, env, episode))


def worker_pids():
    return [child.pid for child in multiprocessing.active_children()]


def names_in(directory):
    """Of all but directories, which are somebody's own."""
    return {entry.name for entry in Path(directory).iterdir() if not entry.is_dir()}


def is_running(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def seconds_until_gone(pids, patience=10.0):
    start = time.monotonic()
    while any(map(is_running, pids)):
        assert time.monotonic() - start < patience, "processes are left over"
        time.sleep(0.01)
    return time.monotonic() - start


# The number of workers cannot be seen


@pytest.mark.parametrize(("num_envs", "num_workers"), [(5, 1), (5, 2), (5, 3), (5, 5), (32, 7), (1, 1)])
def test_shares_are_contiguous_and_differ_by_at_most_one(num_envs, num_workers):
    shares = split_evenly(range(3, 3 + num_envs), num_workers)
    assert [n for share in shares for n in share] == list(range(3, 3 + num_envs))
    assert len(shares) == num_workers
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("config", [PONG, BREAKOUT, CART_POLE], ids=lambda config: config.id)
def test_any_number_of_workers_shows_what_the_environments_show_by_themselves(config):
    actions = random_actions(config, 160, num_envs=5)
    first, expected = play_without_pool(config, actions)
    if config is not PONG:
        assert any(note["episodes"] for note in expected)
    for num_workers in (1, 2, 3, 5):
        with open_pool(config, num_envs=5, num_workers=num_workers) as pool:
            assert np.array_equal(pool.reset().obs, first)
            assert_same_play(play(pool, actions), expected)


def play_in_turns(pool, actions):
    """As `play`, one part playing while the other is looked at; a rollout's last step waits for both."""
    notes = []
    for index, row in enumerate(actions):
        for part in range(pool.num_parts):
            is_first = index % pool.rollout_length == 0
            seen = pool.latest(part) if is_first else pool.receive(part)
            pool.send(row[seen.envs], part)
        if not is_first:
            notes.append(note(pool.latest()))  # while all parts are a step ahead
        if index % pool.rollout_length == pool.rollout_length - 1:
            for part in range(pool.num_parts):
                pool.receive(part)
            notes.append(note(pool.latest()))
    return notes


@pytest.mark.parametrize("config", [BREAKOUT, CART_POLE], ids=lambda config: config.id)
@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_halves_that_take_turns_show_what_all_together_show(config, num_workers):
    actions = random_actions(config, 160, num_envs=6)
    first, expected = play_without_pool(config, actions)
    for played in (play, play_in_turns):
        with open_pool(config, num_envs=6, num_workers=num_workers, overlap=True) as pool:
            assert np.array_equal(pool.reset().obs, first)
            assert_same_play(played(pool, actions), expected)
            snapshot = pool.snapshot()
    with open_pool(config, num_envs=6, num_workers=2) as pool:  # the log is that of all together, too
        pool.reset()
        play(pool, actions)
        assert all(np.array_equal(snapshot[name], array) for name, array in pool.snapshot().items())


def test_auto_takes_one_worker_per_core_and_never_more_than_environments():
    with open_counting(num_envs=1, num_workers="auto") as pool:
        assert pool.num_workers == 1
    with open_counting(num_envs=64, num_workers="auto") as pool:
        assert pool.num_workers == len(os.sched_getaffinity(0))


# Slots and rollouts


def test_every_row_is_its_own_environment_and_its_own_step():
    with open_counting(num_envs=5, num_workers=3, ends="never") as pool:
        seeds = [counting_seed(n, 0) for n in range(5)]
        step = pool.reset()
        assert step.obs.tolist() == [[seed, 0, 0] for seed in seeds]
        for steps in range(1, 10):
            step = pool.step(np.arange(5) % 4)
            assert step.obs.tolist() == [[seed, steps, steps * (n % 4)] for n, seed in enumerate(seeds)]
            assert step.reward.tolist() == [100 * (n % 4) + steps for n in range(5)]


def test_rollout_holds_what_was_shown_and_begins_where_the_last_one_ended():
    rollout_length = 4
    with open_counting(length=3, rollout_length=rollout_length) as pool:
        step = pool.reset()
        assert step.slot == 0
        shown = [step.obs.copy()]
        for index, actions in enumerate(np.random.default_rng(0).integers(4, size=(5 * rollout_length, 3))):
            step = pool.step(actions)
            assert step.slot == index % rollout_length + 1
            assert np.array_equal(step.rollout.obs[step.slot - 1], shown[-1])  # also where slot T became slot 0
            shown.append(step.obs.copy())
            for name in ("reward", "terminated", "truncated"):
                in_rollout = getattr(step.rollout, name)[step.slot - 1]
                assert np.array_equal(in_rollout, getattr(step, name))
                assert np.shares_memory(in_rollout, getattr(step, name))
            assert np.shares_memory(step.rollout.obs[step.slot], step.obs)
            if step.slot == rollout_length:
                assert step.rollout.obs.shape == (rollout_length + 1, 3, 3)
                assert step.rollout.reward.shape == (rollout_length, 3)
                assert np.array_equal(step.rollout.obs, shown[-rollout_length - 1 :])


def test_rollouts_of_one_step_work_too():
    with open_counting(length=2, rollout_length=1) as pool:
        before = pool.reset().obs.copy()
        for _ in range(5):
            step = pool.step(np.array([1, 2, 3]))
            assert step.slot == 1
            assert np.array_equal(step.rollout.obs[0], before)
            before = step.obs.copy()


# The end of an episode


def test_where_an_episode_ends_the_next_one_is_already_seen():
    with open_counting(length=3) as pool:
        pool.reset()
        for _ in range(2):
            step = pool.step(np.array([0, 1, 2]))
            assert not step.terminated.any()
            assert len(step.episodes) == 0
        step = pool.step(np.array([0, 1, 2]))
        assert step.obs.tolist() == [[counting_seed(n, 1), 0, 0] for n in range(3)]
        assert step.reward.tolist() == [3, 103, 203]  # still of the step that ended it
        assert step.terminated.all()
        assert not step.truncated.any()
        assert step.episodes.tolist() == [(0, 0, 6.0, 3), (1, 0, 306.0, 3), (2, 0, 606.0, 3)]
        assert len(pool.step(np.array([0, 0, 0])).episodes) == 0


def test_final_observation_of_a_truncated_episode_is_its_last():
    with open_counting(length=2, ends="truncated") as pool:
        pool.reset()
        pool.step(np.array([1, 2, 3]))
        step = pool.step(np.array([1, 2, 3]))
        assert step.truncated.all()
        assert not step.terminated.any()
        assert step.final_obs.tolist() == [[counting_seed(n, 0), 2, 2 * (n + 1)] for n in range(3)]
        assert step.obs.tolist() == [[counting_seed(n, 1), 0, 0] for n in range(3)]


def test_terminated_and_truncated_are_never_both_set():
    with open_counting(length=2, ends="both") as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        step = pool.step(np.zeros(3, int))
        assert step.terminated.all()
        assert not step.truncated.any()


def test_final_observations_are_written_only_where_truncated():
    config = EnvConfig(id="CartPole-v1", kwargs={"max_episode_steps": 12})
    alternate, fall = [0, 1] * 6, [1] * 12
    actions = np.array([alternate, fall]).T
    with open_pool(config, num_envs=2) as pool:
        pool.reset()
        for row in actions:
            step = pool.step(row)
        assert step.truncated.tolist() == [True, False]
        assert step.final_obs[0].any()
        assert not step.final_obs[1].any()  # as it was at the start, although this pole fell
        assert not np.array_equal(step.final_obs[0], step.obs[0])


# Resting environments


def test_a_resting_environment_is_untouched():
    with open_counting(ends="never") as pool:
        pool.reset()
        pool.step(np.array([1, 1, 1]))
        for _ in range(6):  # longer than a rollout
            step = pool.step(np.array([1, 3, 1]), active=np.array([True, False, True]))
            assert step.obs[1].tolist() == [counting_seed(1, 0), 1, 1]
        step = pool.step(np.array([1, 1, 1]))
        assert step.obs[:, 1].tolist() == [8, 2, 8]


def test_a_resting_environment_earns_nothing_and_ends_nothing():
    with open_counting(length=2, ends="both", rollout_length=1) as pool:
        pool.reset()
        pool.step(np.array([1, 1, 1]))
        assert pool.step(np.array([1, 1, 1])).terminated.all()
        step = pool.step(np.array([1, 3, 1]), active=np.array([True, False, True]))
        assert step.reward.tolist() == [101, 0, 101]
        assert not step.terminated.any()
        assert len(step.episodes) == 0


# Snapshots


def steps_into_a_later_life(config, actions):
    """After how many of `actions` environment 0 has ended a game, and lost a life of the next one."""
    _, notes = play_without_pool(config, actions[:, :1])
    games = 0
    for index, step in enumerate(notes, start=1):
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
def test_a_restored_pool_goes_on_as_if_nothing_had_happened(config, steps):
    actions = random_actions(config, 700, num_envs=3)
    if steps == "later life":
        steps = steps_into_a_later_life(config, actions)
    with open_pool(config, num_workers=2) as pool:
        pool.reset()
        here = play(pool, actions[:steps])[-1]["obs"]
        snapshot = pool.snapshot()
        expected = play(pool, actions[steps : steps + 60])
    with open_pool(config, num_workers=3) as pool:
        step = pool.restore(snapshot)
        assert step.slot == 0
        assert np.array_equal(step.obs, here)
        assert_same_play(play(pool, actions[steps : steps + 60]), expected)


def test_an_environment_that_does_not_replay_is_named():
    actions, told = random_actions(CART_POLE, 20, num_envs=3), []
    with open_pool(CART_POLE, tell=told.append) as pool:
        pool.reset()
        play(pool, actions)
        snapshot = pool.snapshot()
        snapshot["seen"] = snapshot["seen"] ^ np.array([0, 1, 0], np.uint64)  # as if it had seen something else
        pool.restore(snapshot)
    (text,) = told
    assert "environments [1] did not replay" in text


@pytest.mark.parametrize(
    "change",
    [
        {"seen": np.zeros(2, np.uint64)},
        {"seen": np.zeros(3, np.int64)},
        {"paid": np.zeros(2)},
        {"paid": np.zeros(3, np.float32)},
        {"actions": np.zeros(6, np.uint8)},
        {"actions": np.zeros((6, 2), np.int32)},
    ],
    ids=str,
)
def test_histories_of_other_environments_are_refused(change):
    with open_counting() as pool:
        pool.reset()
        play(pool, np.zeros((2, 3), int))
        snapshot = pool.snapshot()
        for wrong in (snapshot | change, {name: snapshot[name] for name in snapshot if name != "seen"}):
            with pytest.raises(CheckpointError, match="not of these environments"):
                pool.restore(wrong)
        pool.restore(snapshot)


def test_taking_a_snapshot_changes_nothing_and_it_keeps():
    actions = random_actions(CART_POLE, 60, num_envs=3)
    _, expected = play_without_pool(CART_POLE, actions)
    with open_pool(CART_POLE) as pool:
        pool.reset()
        notes = play(pool, actions[:30])
        snapshot = pool.snapshot()
        notes += play(pool, actions[30:])
        assert_same_play(notes, expected)
        pool.restore(snapshot)
        assert_same_play(play(pool, actions[30:]), expected[30:])
        restored_twice = pool.snapshot()
        pool.restore(restored_twice)
        assert {name: array.tolist() for name, array in pool.snapshot().items()} == {
            name: array.tolist() for name, array in restored_twice.items()
        }


def test_reset_of_a_used_pool_begins_anew():
    with open_counting(length=2) as pool:
        first = note(pool.reset())
        for _ in range(2):
            step = pool.step(np.array([1, 2, 3]))
        assert len(step.episodes) == 3
        again = pool.reset()
        assert again.slot == 0
        assert len(again.episodes) == 0
        assert not again.terminated.any()
        assert np.array_equal(again.obs, first["obs"])


# Observations and actions of every kind


def random_choices(action, steps, num_envs):
    """[steps, num_envs, ...], real numbers also beyond the bounds, with all the bits that they can have."""
    rng = np.random.default_rng(0)
    if not action.choices:
        return rng.normal(scale=1.5, size=(steps, num_envs, *action.shape)).astype(np.float32)
    return rng.integers(action.choices, size=(steps, num_envs, *action.shape))


def assert_a_restored_pool_goes_on(config, length):
    """`length`: of an episode; 3 environments are restored in the midst of their second."""
    spec = describe_env(config)
    actions = random_choices(spec.action, 3 * length, num_envs=3)
    here = length + length // 2
    with open_pool(config, spec, num_workers=2) as pool:
        pool.reset()
        notes = play(pool, actions[:here])
        snapshot = pool.snapshot()
        expected = play(pool, actions[here:])
    assert len(notes[length - 1]["episodes"]) == 3
    assert snapshot["actions"].dtype == spec.action.dtype
    played = np.concatenate([actions[length:here, n] for n in range(3)])
    assert snapshot["actions"].tolist() == played.tolist()  # to the last bit
    with open_pool(config, spec, num_workers=2) as pool:
        assert np.array_equal(pool.restore(snapshot).obs, notes[-1]["obs"])
        assert_same_play(play(pool, actions[here:]), expected)
    return notes, actions


@pytest.mark.parametrize("name", [name for name in ACTION_SPACES if name not in ("integer box", "empty")])
@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_actions_of_every_kind_reach_the_environments_and_are_played_again(name, ends):
    """The environments refuse what is no action of theirs, and see the ones they get, to the last bit."""
    config = EnvConfig(id="toy_envs:EchoAction-v0", kwargs={"actions": name, "script": {"length": 6, "ends": ends}})
    notes, actions = assert_a_restored_pool_goes_on(config, length=6)
    translator = ActionTranslator(ACTION_SPACES[name], "EchoAction-v0")
    for note, row in zip(notes[:5], actions, strict=False):
        assert note["obs"][:, 0].tolist() == [translator.translate(action).ravel().tolist() for action in row]


@pytest.mark.parametrize("name", OBSERVATION_SPACES)
def test_observations_of_every_kind_are_seen_and_come_back(name):
    config = EnvConfig(id="toy_envs:SampledObservation-v0", kwargs={"space": name, "script": {"length": 6}})
    notes, actions = assert_a_restored_pool_goes_on(config, length=6)
    first, expected = play_without_pool(config, actions)
    assert_same_play(notes, expected[: len(notes)])
    assert first.dtype == notes[0]["obs"].dtype
    assert len(np.unique(first.reshape(3, -1), axis=0)) > 1  # environments see different things


def test_stacked_screens_are_seen_and_come_back():
    config = EnvConfig(id="toy_envs:TiledImages-v0", frame_stack=4, resize=(4, 6), kwargs={"script": {"length": 7}})
    notes, actions = assert_a_restored_pool_goes_on(config, length=7)
    assert_same_play(notes, play_without_pool(config, actions)[1][: len(notes)])


# What a worker is made of


def test_a_worker_has_imported_neither_tensorflow_nor_plots_nor_the_command_line():
    with open_pool(config_of(ProcessInfo), spec_of(ProcessInfo), num_envs=2) as pool:
        *imported, pid = pool.reset().obs.T.tolist()
        assert len(set(pid)) == 2
        assert os.getpid() not in pid
        imported = dict(zip(INSPECTED_MODULES, imported, strict=True))
        assert imported.pop("paac_cli.sampling.worker") == [1, 1]
        assert all(found == [0, 0] for found in imported.values()), imported


def test_no_library_of_tensorflow_is_mapped_into_the_workers_of_a_learner_that_uses_it(tmp_path):
    # As with the `paac` command, the main module imports TensorFlow late: every worker runs it again.
    path = tmp_path / "learner.py"
    path.write_text(
        """
import multiprocessing
from pathlib import Path
from paac_cli.config.schema import EnvConfig, SamplingConfig
from paac_cli.envs.make import describe_env
from paac_cli.sampling.pool import WorkerPool

def has_tensorflow(process):
    return "tensorflow" in Path(f"/proc/{process}/maps").read_text()

if __name__ == "__main__":
    import tensorflow
    config = EnvConfig(id="ALE/Pong-v5")
    sampling = SamplingConfig(num_envs=2, num_workers=2)
    with WorkerPool(config, describe_env(config), sampling, rollout_length=1, seed=1, tell=print) as pool:
        pool.reset()
        print(has_tensorflow("self"), *(has_tensorflow(child.pid) for child in multiprocessing.active_children()))
"""
    )
    answer = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    assert answer.stdout.split() == ["True", "False", "False"], answer.stderr


def test_what_draws_from_everybodys_generators_draws_something_else_in_each_worker():
    """They are forked from one server; and what they draw follows from the seed, as far as it can."""
    seen = []
    for _ in range(2):
        with open_pool(config_of(GlobalRandomState), spec_of(GlobalRandomState)) as pool:
            pool.reset()
            seen.append(pool.step(np.zeros(3, int)).obs[:, 1:].copy())
    assert len(set(seen[0].flat)) == 6
    assert np.array_equal(*seen)


def schedulers_can_be_chosen():
    try:
        for policy in (os.SCHED_BATCH, os.SCHED_OTHER):
            os.sched_setscheduler(0, policy, os.sched_param(0))
    except OSError:  # some containers
        return False
    return True


@pytest.mark.skipif(not schedulers_can_be_chosen(), reason="the system forbids it")
def test_workers_take_turns_well():
    """None preempts the learner while it wakes the others; and each has a core of its own if there are enough."""
    cores = os.sched_getaffinity(0)
    for num_workers in (len(cores), len(cores) + 1):
        with open_counting(num_envs=num_workers, num_workers=num_workers) as pool:
            pool.reset()
            assert {os.sched_getscheduler(pid) for pid in pool.pids} == {os.SCHED_BATCH}
            held = [os.sched_getaffinity(pid) for pid in pool.pids]
            assert held == ([{core} for core in sorted(cores)] if num_workers == len(cores) else [cores] * num_workers)


# How workers die


def test_traceback_of_a_failed_environment_comes_home():
    with open_counting(raises_at_step=2) as pool:
        pool.reset()
        pool.step(np.zeros(3, int))
        with pytest.raises(WorkerError) as caught:
            pool.step(np.zeros(3, int))
    message = str(caught.value)
    where = f"in step 2 (action 0) of game 0 (seed {counting_seed(0, 0)}) of environment 0"
    assert message.startswith(f"worker 0 (environments 0-0) failed {where}:\nTraceback")
    assert "toy_envs.py" in message
    assert message.rstrip().endswith("ValueError: the joystick fell off")


@pytest.mark.parametrize("error", [ConnectionResetError, BrokenPipeError, EOFError, SystemExit])
def test_an_environment_may_fail_with_any_error(error):
    """Some environments talk to a process of their own, whose end is not that of the learner."""
    with open_counting(raises_at_step=1, exception=error.__name__) as pool:
        pool.reset()
        with pytest.raises(WorkerError, match=rf"{error.__name__}: the joystick fell off"):
            pool.step(np.zeros(3, int))


def test_traceback_of_an_environment_that_cannot_be_made_comes_home_with_the_first_reset():
    with open_counting(raises_when_made=True) as pool, pytest.raises(WorkerError, match="no coin inserted"):
        pool.reset()


def test_an_interrupt_from_the_keyboard_does_not_reach_the_workers():
    with open_counting(ends="never") as pool:
        pool.reset()
        for pid in worker_pids():
            os.kill(pid, signal.SIGINT)
        assert pool.step(np.zeros(3, int)).obs[:, 1].tolist() == [1, 1, 1]


def test_close_leaves_no_process_no_shared_memory_and_no_descriptor():
    with open_pool(PONG):  # the server that forks workers stays, and is not counted
        pass
    gc.collect()
    shared, descriptors = names_in("/dev/shm"), len(names_in("/proc/self/fd"))
    with open_pool(PONG) as pool:
        pool.reset()
        pids = worker_pids()
        assert len(pids) == 2
        assert names_in("/dev/shm") <= shared
        pool.close()
        pool.close()
    del pool
    gc.collect()
    assert worker_pids() == []
    assert seconds_until_gone(pids) < 2
    assert names_in("/dev/shm") <= shared
    assert len(names_in("/proc/self/fd")) == descriptors


def test_environments_are_closed_with_their_worker(tmp_path):
    """They may own processes, windows or sockets."""
    note = tmp_path / "closed"
    with open_counting(touch_when_closed=str(note)) as pool:
        pool.reset()
        assert not note.exists()
    assert note.exists()


def test_a_pool_can_be_closed_while_its_workers_still_load():
    pool = open_pool(PONG)
    pids = worker_pids()
    assert len(pids) == 2
    pool.close()
    assert seconds_until_gone(pids) < 2


@pytest.mark.parametrize("how", ["playing", "stopped"])
def test_workers_of_a_killed_learner_are_gone_within_two_seconds(how, tmp_path):
    path = tmp_path / "learner.py"
    path.write_text(
        """
import multiprocessing, os, signal, sys
import numpy as np
from paac_cli.config.schema import EnvConfig, SamplingConfig
from paac_cli.envs.make import describe_env
from paac_cli.sampling.pool import WorkerPool

if __name__ == "__main__":
    config = EnvConfig(id="ALE/Pong-v5")
    sampling = SamplingConfig(num_envs=4, num_workers=2)
    with WorkerPool(config, describe_env(config), sampling, rollout_length=5, seed=1, tell=print) as pool:
        pool.reset()
        pids = [child.pid for child in multiprocessing.active_children()]
        if sys.argv[1] == "stopped":
            os.kill(pids[0], signal.SIGSTOP)
        print(*pids, flush=True)
        while True:
            pool.step(np.zeros(4, int))
"""
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, path, how], **pipes) as learner:
        pids = [int(pid) for pid in learner.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_running, pids))
        learner.kill()
        assert seconds_until_gone(pids) < 2
        assert "Traceback" not in learner.stderr.read()


def test_what_an_environment_says_comes_home_in_any_letters():
    """As the name of a file that is no UTF-8 has them."""
    with open_counting(raises_at_step=1, message="caf\udce9") as pool:
        pool.reset()
        with pytest.raises(WorkerError, match=r"ValueError: caf\\udce9"):
            pool.step(np.zeros(3, int))


def test_a_learner_with_thousands_of_open_files_can_end_its_workers():
    """`select` knows no descriptor beyond 1023; some two hundred workers have as many."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with open_counting() as pool:
            pool.reset()
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
