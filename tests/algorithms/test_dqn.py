"""DQN: its loss by hand, and the steps after which it learns and updates its target network."""

import numpy as np
import pytest
import tensorflow as tf

from corridor import SPEC, corridor_for, make_config, run, set_state, state_of
from paac_cli.algorithms.agent import make_agent
from paac_cli.algorithms.dqn import huber
from paac_cli.algorithms.replay import ReplayBatch, ReplayBuffer
from paac_cli.algorithms.replay_memory import stack_frames
from paac_cli.errors import CheckpointError, ConfigError

SETTINGS = {
    "learning_starts": 40,
    "batch_size": 8,
    "steps_per_update": 8,
    "buffer_size": 400,
    "target_update_steps": 16,
    "epsilon_anneal_steps": 80,
}


def make(**options):
    return make_agent(make_config("dqn", **SETTINGS | options), SPEC)


def test_huber_by_hand():
    np.testing.assert_allclose(huber(tf.constant([0.0, 0.5, -1.0, 3.0])), [0.0, 0.125, 0.5, 2.5])


@pytest.mark.parametrize(("double", "next_value"), [(False, 30.0), (True, 20.0)])
def test_loss_and_td_errors_by_hand(double, next_value):
    agent = make(double=double)
    for network, bias in ((agent._network, [1.0, 7.0]), (agent._target, [30.0, 20.0])):
        q = next(variable for variable in network.variables if "q/bias" in variable.name)
        kernel = next(variable for variable in network.variables if "q/kernel" in variable.name)
        q.assign(bias)
        kernel.assign(tf.zeros_like(kernel))
    frames = np.zeros((2, 1, 1), np.float32)
    batch = ReplayBatch(
        frames=frames,
        action=np.array([0, 1], np.int32),
        reward=np.array([5, 6], np.float32),
        discount=np.array([0.5, 0.0], np.float32),
        next_frames=frames,
        indices=np.array([0, 1]),
        weight=np.array([1.0, 0.5], np.float32),
    )
    metrics, error = agent._update_graph(ReplayBatch(*map(tf.constant, batch)))
    expected = [5 + 0.5 * next_value - 1.0, 6 - 7.0]
    np.testing.assert_allclose(error, expected)
    assert metrics["train/loss"].numpy() == pytest.approx(((expected[0] - 0.5) + 0.5 * 0.5) / 2)
    assert metrics["train/q_mean"].numpy() == pytest.approx(4.0)


def test_updates_come_after_learning_starts_and_every_steps_per_update():
    agent = make()
    corridor = corridor_for(make_config("dqn", **SETTINGS))
    assert run(agent, corridor, 10) == []  # 40 steps
    assert run(agent, corridor, 1) == []  # 44
    assert len(run(agent, corridor, 1)) == 1  # 48: the first 8 after learning_starts
    assert len(run(agent, corridor, 20)) == 10


@pytest.mark.parametrize(("steps_per_update", "steps", "updates"), [(0.1, 44, 40), (0.56, 68, 50)])
def test_no_update_is_late_if_steps_per_update_is_a_fraction(steps_per_update, steps, updates):
    agent = make(steps_per_update=steps_per_update)
    made = []
    agent._update = lambda *arguments, update=agent._update: made.append(1) or update(*arguments)
    run(agent, corridor_for(make_config("dqn", **SETTINGS)), steps // 4)  # 40 of them before learning_starts
    assert len(made) == updates  # 28 steps / 0.56: a little less than 50 in binary


def test_the_target_network_is_updated_at_its_interval():
    agent, corridor = make(), corridor_for(make_config("dqn", **SETTINGS))
    run(agent, corridor, 14)  # 56 steps: the target network is updated at 48, the online network at 48 and 56
    assert (state_of(agent)["target/q/bias"] != state_of(agent)["q/bias"]).any()
    run(agent, corridor, 2)  # 64
    assert (state_of(agent)["target/q/bias"] == state_of(agent)["q/bias"]).all()


@pytest.mark.parametrize("save_buffer", [True, False])
def test_the_replay_buffer_is_part_of_the_state_if_save_buffer_is_set(save_buffer):
    agent = make(save_buffer=save_buffer)
    run(agent, corridor_for(make_config("dqn", **SETTINGS)), 20)
    assert any(name.startswith("replay/") for name in agent.learner.to_arrays()) == save_buffer


def test_a_dueling_network_has_a_value_head():
    agent = make(dueling=True)
    assert "value/kernel" in state_of(agent)
    assert "value/kernel" not in state_of(make())
    run(agent, corridor_for(make_config("dqn", **SETTINGS)), 30)


def test_stacked_frames_are_the_observation_that_was_split():
    obs = np.arange(2 * 5 * 4 * 6).reshape(2, 5, 4, 6)  # three frames of two channels
    frames = np.stack([obs[..., 2 * k : 2 * k + 2] for k in range(3)], axis=1)
    np.testing.assert_array_equal(stack_frames(tf.constant(frames)), obs)
    single = np.arange(6).reshape(2, 1, 3)
    np.testing.assert_array_equal(stack_frames(tf.constant(single)), single[:, 0])


@pytest.mark.parametrize(("steps", "expected"), [(80, [0.76, 0.82, 0.88, 0.94, 1.0, 1.0]), (0, [0.4] * 6)])
def test_beta_rises_over_prioritized_beta_steps_and_is_constant_if_that_is_zero(steps, expected, monkeypatch):
    betas, sample = [], ReplayBuffer.sample

    def sample_and_record(buffer, rng, size, beta):
        betas.append(beta)
        return sample(buffer, rng, size, beta)

    monkeypatch.setattr(ReplayBuffer, "sample", sample_and_record)
    agent = make(prioritized_alpha=0.6, prioritized_beta=0.4, prioritized_beta_steps=steps)
    run(agent, corridor_for(make_config("dqn", **SETTINGS)), 22)  # draws after 48, 56, ... 88 steps
    assert betas == pytest.approx(expected)


def test_after_an_update_the_drawn_transitions_have_their_td_errors_as_priorities():
    """Every reward is 1, the value 3 and that of the target network 0, so every error is -2."""
    agent = make(target_update_steps=1000, prioritized_alpha=0.5)
    state = state_of(agent)
    for name in ("q/kernel", "target/q/kernel", "target/q/bias"):
        state[name][:] = 0.0
    state["q/bias"][:] = 3.0
    set_state(agent, state)
    run(agent, corridor_for(make_config("dqn", **SETTINGS), length=50), 12)  # one update
    drawn = set(agent.memory.last_batch()["replayed/indices"].tolist())
    indices = [100 * env + time for env in range(4) for time in range(12)]  # the buffer holds 100 steps of each
    nodes = agent.memory.buffer._priorities.nodes
    priorities = nodes[len(nodes) // 2 + np.array(indices)]  # the leaves are the second half
    np.testing.assert_allclose(priorities, [2**0.5 if index in drawn else 1.0 for index in indices], rtol=1e-5)


def test_the_state_before_the_first_step_can_be_restored():
    first, second = make(), make()
    second.learner.assign(first.learner.to_arrays())
    assert run(second, corridor_for(make_config("dqn", **SETTINGS)), 30) != []


def test_the_last_batch_is_every_batch_of_the_latest_learn():
    agent = make(steps_per_update=2, learning_starts=0)  # two updates a step
    assert agent.memory.last_batch() == {}
    run(agent, corridor_for(make_config("dqn", **SETTINGS)), 10)
    batch = agent.memory.last_batch()
    assert batch.keys() == {f"replayed/{field}" for field in ReplayBatch._fields}
    assert {len(array) for array in batch.values()} == {2 * 8}


def test_a_buffer_too_small_for_a_batch_is_refused():
    with pytest.raises(ConfigError, match="must hold a batch"):
        make(buffer_size=10)


@pytest.mark.parametrize("damage", ["missing", "shape", "negative"])
def test_if_the_replay_buffer_does_not_fit_nothing_is_restored(damage):
    agent = make()
    run(agent, corridor_for(make_config("dqn", **SETTINGS)), 20)
    before, state = state_of(agent), {name: array.copy() for name, array in agent.learner.to_arrays().items()}
    state = {name: array + 1 if array.dtype == np.float32 else array for name, array in state.items()}
    if damage == "missing":
        del state["replay/reward"]
    elif damage == "shape":
        state["replay/reward"] = state["replay/reward"][:, :-1]
    else:
        state["replay/num_steps"] = np.array(-1)
    with pytest.raises(CheckpointError):
        agent.learner.assign(state)
    for name, array in state_of(agent).items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
