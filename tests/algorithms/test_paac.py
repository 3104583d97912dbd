"""The agent: its loss by hand, its traces, and what it learns from where episodes end."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.algorithms.agent import make_agent
from paac_cli.algorithms.paac import paac_loss
from paac_cli.config.algorithms import PaacConfig
from paac_cli.config.load import load_config
from paac_cli.errors import CheckpointError
from paac_cli.networks.distributions import Categorical
from paac_cli.spec import EnvSpec, one_of
from paac_cli.timestep import EPISODE_DTYPE, Rollout, TimeStep

N, T = 4, 3
SPEC = EnvSpec((1,), np.dtype(np.float32), one_of(("left", "right")), 30.0)


def make_config(num_envs=N, num_steps=T, seed=1, **algorithm):
    return load_config(
        {
            "seed": seed,
            "env": {"id": "CartPole-v1"},
            "sampling": {"num_envs": num_envs},
            "algorithm": {"name": "paac", "num_steps": num_steps, "learning_rate": 0.01, **algorithm},
            "network": {"torso": "mlp", "hidden_sizes": [16]},
            "training": {"total_steps": 1000},
        },
        "test",
    )


class Corridor:
    """Feeds an agent without processes: every state has its own one-hot observation.

    In state 0 reward 1 is paid at every step; an episode takes `length` steps and then is cut off or
    truly ends. The value of a corridor that is only ever cut off is that of an endless one.
    """

    def __init__(self, num_envs, num_steps, *, length, truncates):
        self._length, self._truncates, self._num_steps = length, truncates, num_steps
        self._rollout = Rollout(
            np.zeros((num_steps + 1, num_envs, 1), np.float32),
            np.ones((num_steps, num_envs), np.float32),
            np.zeros((num_steps, num_envs), np.bool_),
            np.zeros((num_steps, num_envs), np.bool_),
        )
        self._rollout.obs[:] = 1.0
        self._age = np.arange(num_envs) % length  # ends fall on every place of a rollout, and on its edge
        self._slot = 0

    def step(self):
        self._slot = self._slot % self._num_steps + 1
        self._age += 1
        ended = self._age == self._length
        self._age[ended] = 0
        row = self._slot - 1
        self._rollout.terminated[row] = ended & (not self._truncates)
        self._rollout.truncated[row] = ended & self._truncates
        return self.timestep()

    def timestep(self):
        row = self._slot - 1
        return TimeStep(
            obs=self._rollout.obs[self._slot],
            reward=self._rollout.reward[row],
            terminated=self._rollout.terminated[row],
            truncated=self._rollout.truncated[row],
            final_obs=np.ones_like(self._rollout.obs[0]),
            episodes=np.empty(0, EPISODE_DTYPE),
            slot=self._slot,
            rollout=self._rollout,
        )


def test_loss_by_hand():
    config = PaacConfig(vf_coef=0.25, loss_scale=5.0)
    logits = tf.math.log([[0.5, 0.5], [0.2, 0.8]])
    value, advantage = tf.constant([1.0, 2.0]), tf.constant([2.0, -1.0])
    loss, metrics = paac_loss(config, 0.1, Categorical(2), logits, value, tf.constant([0, 1]), advantage)
    policy = -(2.0 * np.log(0.5) - 1.0 * np.log(0.8)) / 2
    entropy = (np.log(2) - (0.2 * np.log(0.2) + 0.8 * np.log(0.8))) / 2
    squared = (2.0**2 + 1.0**2) / 2
    assert metrics["train/policy_loss"].numpy() == pytest.approx(policy, rel=1e-5)
    assert metrics["train/entropy"].numpy() == pytest.approx(entropy, rel=1e-5)
    assert metrics["train/value_loss"].numpy() == pytest.approx(squared, rel=1e-5)
    assert loss.numpy() == pytest.approx(5.0 * (policy - 0.1 * entropy + 0.25 * squared), rel=1e-5)


def test_the_value_is_not_pushed_by_the_policy_gradient_nor_the_target_by_the_value_loss():
    value = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        loss, _ = paac_loss(
            PaacConfig(vf_coef=0.25),
            0.01,
            Categorical(2),
            tf.zeros((2, 2)),
            value,
            tf.constant([0, 1]),
            tf.constant([2.0, -1.0]),
        )
    # d/dV 0.25 * mean((target - V)^2) = -0.25 * 2 * advantage / 2
    np.testing.assert_allclose(tape.gradient(loss, value), [-0.5, 0.25])


def test_normalised_advantages_change_the_policy_term_alone():
    arguments = (
        0.01,
        Categorical(2),
        tf.zeros((4, 2)),
        tf.zeros(4),
        tf.constant([0, 1, 1, 1]),
        tf.constant([5.0, 1.0, 1.0, 1.0]),
    )
    _, plain = paac_loss(PaacConfig(), *arguments)
    _, normalised = paac_loss(PaacConfig(normalize_advantage=True), *arguments)
    assert normalised["train/policy_loss"].numpy() == pytest.approx(0.0, abs=1e-6)
    assert normalised["train/value_loss"].numpy() == plain["train/value_loss"].numpy() == 7.0


@pytest.mark.parametrize(
    ("length", "truncates", "expected"),
    [
        (1, False, 1.0),  # every step is the last: V = 1
        (1, True, 10.0),  # cut off at every step, but endless: V = 1 / (1 - 0.9)
        (7, True, 10.0),  # cut off in mid-rollout and on its edge
    ],
)
def test_the_value_learned_where_episodes_end_is_the_closed_form_one(length, truncates, expected):
    agent = make_agent(
        make_config(num_envs=8, num_steps=5, gamma=0.9, vf_coef=0.5, ent_coef=0.0, optimizer={"name": "adam"}), SPEC
    )
    corridor = Corridor(8, 5, length=length, truncates=truncates)
    step = corridor.timestep()
    for _ in range(3000):
        agent.act(step)
        step = corridor.step()
        agent.learn(step)
    value = agent.predict(np.ones((1, 1), np.float32), seed=0, step=0, greedy=True).value[0]
    assert value == pytest.approx(expected, rel=0.02)


def run_updates(agent, corridor, updates):
    step, metrics = corridor.timestep(), []
    for _ in range(updates * T):
        agent.act(step)
        step = corridor.step()
        found = agent.learn(step)
        if found is not None:
            metrics.append({name: float(value) for name, value in found.items()})
    return metrics


def corridor():
    return Corridor(N, T, length=5, truncates=True)


def state_of(agent):
    return agent.policy.to_arrays() | agent.learner.to_arrays()


def set_state(agent, state):
    for part in (agent.policy, agent.learner):
        part.assign({name: state[name] for name in part.to_arrays()})


def test_one_update_per_rollout_and_one_trace_each_after_many_updates():
    agent = make_agent(make_config(), SPEC)
    assert len(run_updates(agent, corridor(), 50)) == 50
    for function in (agent._act, agent._update, agent._final_values._value):
        assert function.experimental_get_tracing_count() == 1


def test_the_state_of_one_gives_another_the_same_run():
    first = make_agent(make_config(), SPEC)
    run_updates(first, corridor(), 4)
    second = make_agent(make_config(seed=1), SPEC)
    set_state(second, state_of(first))
    assert run_updates(first, corridor(), 4) == run_updates(second, corridor(), 4)
    for name, array in state_of(first).items():
        np.testing.assert_array_equal(array, state_of(second)[name])


def test_a_state_holds_weights_slots_and_counters_and_is_a_copy():
    agent = make_agent(make_config(), SPEC)
    state = state_of(agent)
    assert state["steps"] == 0
    assert {"policy/kernel", "rmsprop/mean_square/policy/kernel"} <= state.keys()
    before = {name: array.copy() for name, array in state.items()}
    run_updates(agent, corridor(), 2)
    assert state_of(agent)["steps"] == 2 * T * N
    for name, array in before.items():
        np.testing.assert_array_equal(state[name], array)


@pytest.mark.parametrize("damage", ["missing", "unknown", "shape", "dtype"])
def test_a_state_that_does_not_fit_is_refused_whole(damage):
    agent = make_agent(make_config(), SPEC)
    before, state = state_of(agent), {name: array + 1 for name, array in agent.policy.to_arrays().items()}
    bias = state.pop("policy/bias")
    state |= {
        "missing": {},
        "unknown": {"policy/bias": bias, "policy/other": bias},
        "shape": {"policy/bias": bias[:1]},
        "dtype": {"policy/bias": bias.astype(np.float64)},
    }[damage]
    with pytest.raises(CheckpointError, match="policy/"):
        agent.policy.assign(state)
    for name, array in state_of(agent).items():
        np.testing.assert_array_equal(array, before[name])


def test_the_seed_alone_decides():
    first, same, other = (run_updates(make_agent(make_config(seed=seed), SPEC), corridor(), 3) for seed in (1, 1, 2))
    assert first == same != other


def test_greedy_takes_the_most_probable_and_sampling_follows_the_policy():
    agent = make_agent(make_config(), SPEC)
    obs = np.random.default_rng(0).normal(size=(400, 1)).astype(np.float32)
    greedy = agent.predict(obs, seed=0, step=0, greedy=True)
    np.testing.assert_array_equal(greedy.action, greedy.probability.argmax(axis=1))
    np.testing.assert_allclose(greedy.probability.sum(axis=1), 1.0, rtol=1e-5)
    drawn = agent.predict(obs, seed=0, step=0, greedy=False)
    assert drawn.action.mean() == pytest.approx(greedy.probability[:, 1].mean(), abs=0.1)
    assert (agent.predict(obs, seed=0, step=1, greedy=False).action != drawn.action).any()


def test_the_learning_rate_follows_the_steps():
    config = make_config(learning_rate=0.1, lr_anneal_steps=2 * N * T)
    metrics = run_updates(make_agent(config, SPEC), corridor(), 3)
    assert [row["train/learning_rate"] for row in metrics] == pytest.approx([0.05, 0.0, 0.0])


def test_an_entropy_bonus_that_has_run_out_is_none():
    """Without entropy bonus, and with the value perfect from the start, a policy has nothing to learn."""
    options = {"ent_coef": 1.0, "vf_coef": 0.0, "gamma": 0.0, "num_steps": T}
    for anneal_steps, moves in ((0, True), (1, False)):
        agent = make_agent(make_config(ent_anneal_steps=anneal_steps, **options), SPEC)
        state = state_of(agent)
        state["value/bias"][:], state["value/kernel"][:] = 1.0, 0.0
        state["policy/bias"][:] = [1.0, 0.0]
        set_state(agent, state)
        run_updates(agent, corridor(), 3)
        assert (state_of(agent)["policy/bias"] != state["policy/bias"]).any() == moves
