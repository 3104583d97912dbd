"""What is recorded during a rollout, and the complete rollout."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.rollout_memory import RolloutMemory, merge_time
from paac_cli.spec import ActionSpec, discrete_action
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep

T, N = 3, 4
ACTION = discrete_action(("left", "right"))


def step(slot, *, envs=slice(None), truncated=(), final_obs=0.0):
    """A step of a rollout in which observation `t` is `t`. truncated: environments in which it truncates an episode."""
    ends = np.isin(np.arange(N), truncated)
    obs = np.repeat(np.arange(T + 1, dtype=np.float32)[:, np.newaxis], N, axis=1)
    rollout = Rollout(obs, np.ones((T, N), np.float32), np.zeros((T, N), np.bool_), np.zeros((T, N), np.bool_))
    final = np.full(N, final_obs, np.float32)
    zeros = np.zeros(N, np.bool_)
    return TimeStep(obs[slot], rollout.reward[0], zeros, ends, final, np.zeros(0, EPISODE_DTYPE), slot, rollout, envs)


def new_memory(action=ACTION):
    return RolloutMemory(T, ProcessGroup(N), action, values=lambda obs, state: 10.0 * obs)


def test_the_rollout_is_handed_over_when_it_is_complete():
    memory = new_memory()
    for t in range(T):
        actions = memory.record(step(t), tf.constant([t, t, 0, 1]))
        assert actions.tolist() == [t, t, 0, 1]
        batch = memory.add(step(t + 1))
        assert (batch is None) == (t < T - 1)
    assert batch.action.tolist() == [[t, t, 0, 1] for t in range(T)]
    np.testing.assert_array_equal(batch.obs, step(T).rollout.obs)
    assert batch.kept == []


def test_the_first_actions_of_the_next_rollout_are_for_the_last_observation():
    memory = new_memory()
    for t in range(T):
        memory.record(step(t), tf.fill(N, 0))
        memory.add(step(t + 1))
    memory.record(step(T), tf.fill(N, 5))
    assert memory.last_batch()["action"].tolist() == [[5] * N, [0] * N, [0] * N]


def test_actions_have_the_shape_and_dtype_of_the_action_space():
    memory = new_memory(ActionSpec((2,), ()))
    memory.record(step(1), tf.ones((N, 2)))
    assert memory.last_batch()["action"].dtype == np.float32
    assert memory.last_batch()["action"].tolist() == [[[0.0] * 2] * N, [[1.0] * 2] * N, [[0.0] * 2] * N]


def test_final_values_are_kept_for_the_steps_that_truncate_an_episode():
    memory = new_memory()
    for t in range(T):
        memory.record(step(t), tf.zeros(N, tf.int32))
        batch = memory.add(step(t + 1, truncated=[2] if t == 1 else [], final_obs=7.0))
    assert batch.final_value[1, 2] == 70.0
    assert not batch.final_value[0].any()
    assert not batch.final_value[2].any()


def test_kept_tensors_come_back_in_the_order_of_the_rollout_whether_of_all_or_of_half_the_environments():
    whole, halves = new_memory(), new_memory()
    actions = tf.zeros(N, tf.int32)
    for offset in (100, 200):  # two rollouts; the second begins with slot T of the first
        for t in range(T):
            slot = T if t == 0 and offset == 200 else t
            value = tf.range(4.0) + 10.0 * t + offset
            whole.record(step(slot), actions, [value, -value])
            for envs in (slice(0, 2), slice(2, 4)):
                halves.record(step(slot, envs=envs), actions[envs], [value[envs], -value[envs]])
        batches = [each.add(step(T)) for each in (whole, halves)]
    expected = [200 + 10 * t + n for t in range(T) for n in range(N)]
    for batch in batches:
        positive, negative = batch.kept
        assert positive.numpy().tolist() == expected
        assert (-negative).numpy().tolist() == expected


def test_a_rewind_drops_the_tensors_kept_since_the_last_complete_rollout():
    memory = new_memory()
    memory.record(step(1), tf.zeros(N, tf.int32), [tf.fill(N, 9.0)])
    memory.steps.assign_add(N)
    memory.rewind(0)
    assert memory.steps.numpy() == 0
    for t in range(T):
        memory.record(step(t), tf.zeros(N, tf.int32), [tf.fill(N, float(t))])
        batch = memory.add(step(t + 1))
    (kept,) = batch.kept
    assert kept.numpy().tolist() == [float(t) for t in range(T) for _ in range(N)]


def recurrent_memory():
    """With states of one number, and values that are 10 * observation + state."""
    values = lambda obs, state: 10.0 * obs + state[:, 0]  # noqa: E731
    return RolloutMemory(T, ProcessGroup(N), ACTION, values, state_size=1)


def act(memory, step, halves=()):
    """Act as a cell that adds 1 to each state."""
    for envs in halves or [slice(0, N)]:
        part = step._replace(envs=envs, terminated=step.terminated[envs], truncated=step.truncated[envs])
        state = memory.state(part)
        memory.record(part, tf.zeros(len(state), tf.int32), state=tf.constant(state + 1.0))


@pytest.mark.parametrize("halves", [(), (slice(0, 2), slice(2, 4))])
def test_states_are_carried_over_and_are_zero_where_an_episode_begins(halves):
    memory = recurrent_memory()
    act(memory, step(0), halves)
    act(memory, step(1, truncated=[2]), halves)
    assert memory.state(step(2)).ravel().tolist() == [2.0, 2.0, 1.0, 2.0]
    act(memory, step(2), halves)
    first = memory.add(step(3, truncated=[0]))
    assert first.state.ravel().tolist() == [0.0] * 4
    assert first.last_state.ravel().tolist() == [0.0, 3.0, 2.0, 3.0]
    assert memory.state(step(3, truncated=[0])).ravel().tolist() == [0.0, 3.0, 2.0, 3.0]
    act(memory, step(3), halves)  # the next rollout
    act(memory, step(1), halves)
    act(memory, step(2), halves)
    second = memory.add(step(3))
    assert second.state.ravel().tolist() == [0.0, 3.0, 2.0, 3.0]
    assert second.last_state.ravel().tolist() == [3.0, 6.0, 5.0, 6.0]
    assert memory.last_batch()["recurrent_state"].tolist() == [[[0.0], [3.0], [2.0], [3.0]]]


def test_a_truncated_episode_is_valued_with_the_state_before_it_is_reset():
    memory = recurrent_memory()
    act(memory, step(0))
    memory.add(step(1, truncated=[2], final_obs=7.0))
    act(memory, step(1, truncated=[2]))
    act(memory, step(2))
    batch = memory.add(step(3, truncated=[0], final_obs=5.0))
    assert batch.final_value[0, 2] == 70.0 + 1.0
    assert batch.final_value[2, 0] == 50.0 + 3.0


def test_a_checkpoint_holds_the_states_with_which_the_rollout_began_even_in_its_middle():
    memory, other = recurrent_memory(), recurrent_memory()
    for t in range(T):
        act(memory, step(t))
    memory.add(step(T, truncated=[1]))
    act(memory, step(T, truncated=[1]))
    memory.rewind(T * N)
    for variable, copy in zip(memory.variables, other.variables, strict=True):
        copy.assign(variable)
    assert other.state(step(0)).ravel().tolist() == [3.0, 0.0, 3.0, 3.0]


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 5)])
def test_time_and_environments_are_merged_in_row_major_order(shape):
    array = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(merge_time(array), array.reshape(6, *shape[2:]))
