"""n-step Q-learning and Sarsa: loss and returns by hand."""

import numpy as np
import pytest
import tensorflow as tf

from corridor import SPEC, corridor_for, make_config, run, set_state, state_of
from paac_cli.algorithms.agent import make_agent
from paac_cli.algorithms.nstep_q import hl_gauss_loss, nstep_q_loss
from paac_cli.config.algorithms import HlGaussConfig
from paac_cli.learning.rollout_memory import RolloutBatch
from paac_cli.networks.recurrent import NO_STATE
from paac_cli.networks.value_bins import ValueBins

GAMMA, T, N = 0.5, 3, 2
REWARD = np.array([[1, 10], [2, 20], [4, 40]], np.float32)
VALUE = np.array([[100, 1], [200, 2], [400, 4]], np.float32)  # v(s_0), v(s_1), v(s_2)


def make(**options):
    options = {"num_steps": T, "gamma": GAMMA, "epsilon_start": 0.5, "epsilon_end": 0.5} | options
    return make_agent(make_config("nstep_q", num_envs=N, **options), SPEC)


def returns_of(agent, terminated=(), truncated=()):
    """The returns [T, N] of one rollout that ends with Q(s_T) = (8, 2). terminated, truncated: pairs (t, n)."""
    ends = np.zeros((2, T, N), np.bool_)
    for which, positions in enumerate((terminated, truncated)):
        for t, n in positions:
            ends[which, t, n] = True
    state = agent.policy.to_arrays()
    state["q/kernel"][:], state["q/bias"][:] = 0.0, [8.0, 2.0]
    agent.policy.assign(state)
    rollout = RolloutBatch(
        obs=tf.zeros((T + 1, N, 1)),
        action=np.zeros((T, N), np.int32),
        reward=REWARD,
        terminated=ends[0],
        truncated=ends[1],
        final_value=np.full((T, N), 64, np.float32),
        kept=[tf.constant(VALUE.ravel())],
        state=NO_STATE,
        last_state=NO_STATE,
    )
    _, _, returns = agent._prepare(rollout)
    return returns.numpy().reshape(T, N)


def test_loss_by_hand():
    q = tf.constant([[1.0, 3.0], [5.0, -1.0]])
    loss, metrics = nstep_q_loss(q, tf.constant([1, 0]), tf.constant([5.0, 4.0]))
    assert loss.numpy() == pytest.approx((2.0**2 + 1.0**2) / 2 / 2)
    assert metrics["train/value_loss"].numpy() == pytest.approx((2.0**2 + 1.0**2) / 2)
    assert metrics["train/q_mean"].numpy() == pytest.approx(4.0)


def test_with_lambda_zero_returns_are_one_step_returns():
    # r + 0.5 * v of the next state; the last: max(8, 2)
    expected = [[1 + 100, 10 + 1], [2 + 200, 20 + 2], [4 + 4, 40 + 4]]
    np.testing.assert_allclose(returns_of(make(q_lambda=0.0)), expected)


def test_with_lambda_one_returns_are_n_step_returns():
    last = [4 + 0.5 * 8, 40 + 0.5 * 8]
    middle = [2 + 0.5 * last[0], 20 + 0.5 * last[1]]
    expected = [[1 + 0.5 * middle[0], 10 + 0.5 * middle[1]], middle, last]
    np.testing.assert_allclose(returns_of(make(q_lambda=1.0)), expected)


def test_with_lambda_between_0_and_1_returns_mix_both_at_every_step():
    last = [8.0, 44.0]
    middle = [2 + 0.5 * (0.25 * last[0] + 0.75 * 400), 20 + 0.5 * (0.25 * last[1] + 0.75 * 4)]
    first = [1 + 0.5 * (0.25 * middle[0] + 0.75 * 200), 10 + 0.5 * (0.25 * middle[1] + 0.75 * 2)]
    np.testing.assert_allclose(returns_of(make(q_lambda=0.25)), [first, middle, last])


@pytest.mark.parametrize("q_lambda", [0.0, 0.7, 1.0])
def test_returns_ignore_everything_after_the_end_of_an_episode(q_lambda):
    returns = returns_of(make(q_lambda=q_lambda), terminated=[(1, 0)], truncated=[(1, 1)])
    assert returns[1].tolist() == [2.0, 20 + 0.5 * 64]
    returns = returns_of(make(q_lambda=q_lambda), terminated=[(2, 0)], truncated=[(2, 1)])
    assert returns[2].tolist() == [4, 40 + 32]


def test_sarsa_bootstraps_with_the_mean_over_epsilon_greedy_actions():
    # epsilon 0.5: 0.5 * 8 + 0.5 * (8 + 2) / 2 = 6.5
    np.testing.assert_allclose(returns_of(make(rule="sarsa", q_lambda=0.0))[-1], [4 + 3.25, 40 + 3.25])


@pytest.mark.parametrize(("rule", "of"), [("q_learning", np.max), ("sarsa", None)])
def test_the_value_of_a_state_is_that_of_its_best_action_or_with_sarsa_of_the_action_taken(rule, of):
    agent = make(rule=rule, epsilon_start=1.0, epsilon_end=1.0)
    obs = np.random.default_rng(0).normal(size=(64, 1)).astype(np.float32)
    q = agent._network(obs).numpy()
    action, value = (tensor.numpy() for tensor in agent._act_graph(tf.constant(obs), NO_STATE)[:2])
    expected = q.max(axis=1) if of else q[np.arange(64), action]
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert set(action) == {0, 1}


@pytest.mark.parametrize(("rule", "expected"), [("q_learning", 5.0), ("sarsa", 1.0)])
def test_the_value_of_a_state_comes_from_the_target_network_and_its_action_does_not(rule, expected):
    agent = make(rule=rule, target_update_steps=12, epsilon_start=0.0, epsilon_end=0.0)
    state = state_of(agent)
    state["q/kernel"][:], state["q/bias"][:] = 0.0, [8.0, 2.0]
    state["target/q/kernel"][:], state["target/q/bias"][:] = 0.0, [1.0, 5.0]
    set_state(agent, state)
    action, value, _ = agent._act_graph(tf.zeros((1, 1)), NO_STATE)
    assert (action.numpy().tolist(), value.numpy().tolist()) == ([0], [expected])


def test_the_target_network_is_updated_at_its_interval_and_is_part_of_the_state():
    config = make_config("nstep_q", num_steps=4, target_update_steps=32)  # 16 steps an update
    agent = make_agent(config, SPEC)
    corridor = corridor_for(config)
    run(agent, corridor, 4)
    state = state_of(agent)
    assert (state["target/q/bias"] != state["q/bias"]).any()
    run(agent, corridor, 4)
    state = state_of(agent)
    assert (state["target/q/bias"] == state["q/bias"]).all()


def test_epsilon_falls_from_start_to_end():
    config = make_config("nstep_q", num_steps=4, epsilon_start=0.9, epsilon_end=0.1, epsilon_anneal_steps=64)
    epsilons = [row["train/epsilon"] for row in run(make_agent(config, SPEC), corridor_for(config), 24)]
    assert epsilons == pytest.approx([0.7, 0.5, 0.3, 0.1, 0.1, 0.1])


# --- values over bins


def test_the_loss_of_values_over_bins_worked_by_hand():
    """Two bins with centres 0.5 and 1.5; the Gaussian around 1 is split evenly, and 5 counts as 2."""
    bins = ValueBins(HlGaussConfig(num_bins=2, v_min=0.0, v_max=2.0, sigma_ratio=0.5))
    logits = np.zeros((2, 3, 2), np.float32)
    logits[0, 1] = np.log([0.25, 0.75])
    loss, metrics = hl_gauss_loss(tf.constant(logits), tf.constant([1, 2]), tf.constant([1.0, 5.0]), bins)
    (last,) = bins.probabilities(tf.constant([2.0])).numpy()
    expected = -(0.5 * np.log(0.25) + 0.5 * np.log(0.75)), -(last * np.log(0.5)).sum()
    assert float(loss) == pytest.approx(np.mean(expected))
    assert float(metrics["train/cross_entropy"]) == pytest.approx(np.mean(expected))
    assert float(metrics["train/outside_range"]) == 0.5
    assert float(metrics["train/value_loss"]) == pytest.approx(((1 - 1.25) ** 2 + (5 - 1) ** 2) / 2)
    assert float(metrics["train/q_mean"]) == pytest.approx((1.25 + 1) / 2)


HL_GAUSS = {"hl_gauss": {"v_min": 0.0, "v_max": 12.0}}


@pytest.mark.parametrize("options", [{"dueling": True}, HL_GAUSS, {"dueling": True} | HL_GAUSS])
def test_values_of_every_kind_of_head_converge_to_their_closed_form(options):
    config = make_config(
        "nstep_q", num_envs=8, num_steps=3, gamma=0.9, optimizer={"name": "adam"}, lr_anneal_steps=12_000, **options
    )
    agent = make_agent(config, SPEC)
    metrics = run(agent, corridor_for(config, length=7), 1500)
    value = agent.predict(np.ones((1, 1), np.float32), seed=0, step=0, greedy=True).value[0]
    assert value == pytest.approx(10.0, rel=0.03)
    assert ("train/cross_entropy" in metrics[-1]) == ("hl_gauss" in options)


def test_a_target_network_has_the_same_heads():
    options = {"dueling": True, "hl_gauss": {"num_bins": 7}, "target_update_steps": 12}
    agent = make(**options)
    learner, policy = agent.learner.to_arrays(), agent.policy.to_arrays()
    assert policy["q/kernel"].shape[1] == 2 * 7
    assert policy["value/kernel"].shape[1] == 7
    for name, array in policy.items():
        np.testing.assert_array_equal(learner[f"target/{name}"], array)
