"""PPO: its loss by hand and against PAAC's, and its two reactions to the KL divergence."""

import numpy as np
import pytest
import tensorflow as tf

from corridor import SPEC, corridor_for, make_config, run
from paac_cli.algorithms.agent import make_agent
from paac_cli.algorithms.paac import paac_loss
from paac_cli.algorithms.ppo import clipped_policy_loss, clipped_value_loss, ppo_loss, rate_for_kl
from paac_cli.errors import ConfigError
from paac_cli.networks.distributions import Categorical

OLD_LOGITS = np.log([[0.5, 0.5], [0.5, 0.5], [0.2, 0.8]]).astype(np.float32)
ACTION = np.array([0, 0, 1], np.int32)


OLD_VALUE = np.array([1.0, 2.0, 3.0], np.float32)
LOG_PROB = OLD_LOGITS[np.arange(3), ACTION]


def policy_loss_of(logits, advantage, *, clip_coef=0.2):
    return clipped_policy_loss(
        Categorical(2).log_prob(tf.convert_to_tensor(logits), ACTION), LOG_PROB, advantage, clip_coef=clip_coef
    )


def value_loss_of(value, target, **options):
    return clipped_value_loss(tf.convert_to_tensor(value), OLD_VALUE, tf.constant(target), **options)


def test_the_policy_loss_by_hand():
    logits = np.log([[0.7, 0.3], [0.55, 0.45], [0.5, 0.5]]).astype(np.float32)
    loss, metrics = policy_loss_of(logits, [2.0, -1.0, -3.0])
    # Ratios 1.4, 1.1, 0.625. With a positive advantage the ratio counts up to 1.2, with a negative one from 0.8.
    assert loss.numpy() == pytest.approx(-(1.2 * 2.0 + 1.1 * -1.0 + 0.8 * -3.0) / 3, rel=1e-5)
    assert metrics["train/clip_fraction"].numpy() == pytest.approx(2 / 3)
    ratios = np.array([1.4, 1.1, 0.625])
    assert metrics["train/approx_kl"].numpy() == pytest.approx(np.mean(ratios - 1 - np.log(ratios)), rel=1e-4)


def test_without_clip_value_the_value_loss_is_the_mean_squared_error():
    loss = value_loss_of([1.5, 2.0, 2.0], [3.0, 1.0, 0.0], clip_value=None)
    assert loss.numpy() == pytest.approx((1.5**2 + 1.0**2 + 2.0**2) / 3, rel=1e-5)


def test_a_value_change_beyond_clip_value_does_not_lower_the_loss():
    # The first value moved from 1 towards its target beyond 1.2 and counts as 1.2; the second moved away from its own.
    value, target = [2.5, 2.5, 3.1], [3.0, 1.0, 3.0]
    loss = value_loss_of(value, target, clip_value=0.2)
    assert loss.numpy() == pytest.approx((1.8**2 + 1.5**2 + 0.1**2) / 3, rel=1e-5)
    # With a unit of 10 values may move by 0.2 * 10.
    loss = value_loss_of(value, target, clip_value=0.2, unit=10.0)
    assert loss.numpy() == pytest.approx((0.05**2 + 0.15**2 + 0.01**2) / 3, rel=1e-5)


def test_the_first_step_of_an_update_has_the_gradient_of_paac():
    logits, value = tf.Variable(OLD_LOGITS), tf.Variable([1.0, 2.0, 3.0])
    advantage = np.array([2.0, -1.0, 0.5], np.float32)
    with tf.GradientTape(persistent=True) as tape:
        policy_loss, _ = policy_loss_of(logits, advantage, clip_coef=1e6)
        entropy = tf.reduce_mean(Categorical(2).entropy(tf.convert_to_tensor(logits)))
        value_loss = value_loss_of(value, OLD_VALUE + advantage, clip_value=None)
        ppo = ppo_loss(policy_loss, value_loss, entropy, ent_coef=0.02, vf_coef=0.3)
        arrays = (logits, value, tf.constant(ACTION), tf.constant(advantage), OLD_VALUE + advantage)
        paac, _ = paac_loss(Categorical(2), *arrays, ent_coef=0.02, vf_coef=0.3, loss_scale=1.0)
    for variable in (logits, value):
        np.testing.assert_allclose(tape.gradient(ppo, variable), tape.gradient(paac, variable), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("coefficient", ["ent_coef", "vf_coef"])
def test_an_update_weighs_entropy_and_value_error(coefficient):
    """A coefficient of 0 leaves the weights of the value head, or those of the policy, as they are."""
    config = make_config("ppo", num_steps=4, num_epochs=1, num_minibatches=1, gamma=0.0, **{coefficient: 0.0})
    agent = make_agent(config, SPEC)
    before = agent.policy.to_arrays()
    corridor = corridor_for(config)
    corridor.timestep().rollout.reward[:] = 1.0  # equal advantages are 0 when they are normalised
    run(agent, corridor, 4)
    after = agent.policy.to_arrays()
    changed = {head for head in ("policy", "value") if (before[f"{head}/bias"] != after[f"{head}/bias"]).any()}
    assert changed == ({"value"} if coefficient == "ent_coef" else {"policy"})


@pytest.mark.parametrize("truncates", [False, True])
def test_an_update_begins_with_the_probabilities_with_which_a_recurrent_policy_acted(truncates):
    """Also after the end of an episode inside the rollout, where the state of the cell begins anew."""
    config = make_config("ppo+gru", num_steps=4, num_epochs=1, num_minibatches=1)
    agent = make_agent(config, SPEC)
    policy = agent.policy.to_arrays()
    policy["policy/kernel"] *= 1000.0  # so that probabilities depend on the state
    agent.policy.assign(policy)
    metrics = run(agent, corridor_for(config, length=3, truncates=truncates), 8)
    assert [row["train/approx_kl"] for row in metrics] == pytest.approx([0.0] * 2, abs=1e-6)


@pytest.mark.parametrize(("target_kl", "epochs"), [(1e9, 10), (1e-12, 2)])
def test_with_on_kl_stop_an_update_ends_after_the_epoch_that_exceeds_the_target(target_kl, epochs):
    config = make_config("ppo", num_steps=4, num_epochs=10, num_minibatches=1, target_kl=target_kl, ent_coef=1.0)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 4)
    steps_taken = np.log(agent.learner.to_arrays()["adam/beta_1_power"]) / np.log(0.9) - 1
    assert round(float(steps_taken)) == epochs


def test_with_on_kl_adapt_the_learning_rate_follows_the_divergence_within_bounds():
    rates = {}
    for target_kl in (1e-9, 1e9):
        config = make_config("ppo", num_steps=4, num_epochs=2, target_kl=target_kl, on_kl="adapt", learning_rate=1e-4)
        metrics = run(make_agent(config, SPEC), corridor_for(config), 100)
        rates[target_kl] = metrics[-1]["train/learning_rate"]
    assert rates[1e9] == pytest.approx(1e-3)  # max_learning_rate
    assert 1e-6 <= rates[1e-9] < 1e-4 / 5


@pytest.mark.parametrize(("kl", "expected"), [(0.021, 2e-4), (0.019, 3e-4), (0.0051, 3e-4), (0.0049, 4.5e-4)])
def test_with_on_kl_adapt_the_learning_rate_changes_beyond_twice_and_below_half_of_the_target(kl, expected):
    rate = rate_for_kl(tf.constant(3e-4), tf.constant(kl), target_kl=0.01, max_rate=1e-3)
    assert rate.numpy() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_kl": 0.01, "lr_anneal_steps": 1000}, "choose one"),
        ({}, "needs a target_kl"),
        ({"target_kl": 0.01, "learning_rate": 1.0}, "above max_learning_rate"),
        ({"target_kl": 0.01, "learning_rate": 9e-7}, "a learning_rate of at least 1e-06, its lower bound"),
        ({"target_kl": 0.01, "num_epochs": 1, "num_minibatches": 1}, "more than one gradient step"),
        ({"on_kl": "stop", "num_steps": 4, "num_minibatches": 16}, "every advantage 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        make_config("ppo", **{"on_kl": "adapt", "learning_rate": 1e-4} | options)


def test_with_normalize_value_predictions_are_still_in_units_of_the_returns():
    config = make_config("ppo", num_envs=8, num_steps=8, gamma=0.9, normalize_value=True, num_minibatches=2)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config, length=1, truncates=False), 400)
    policy = agent.policy.to_arrays()
    assert policy["value_normalizer/mean"] == pytest.approx(1.0, abs=0.05)
    value = agent.predict(np.ones((1, 1), np.float32), seed=0, step=0, greedy=True).value[0]
    assert value == pytest.approx(1.0, abs=0.05)


def test_with_normalize_value_errors_are_in_units_of_the_deviation_of_the_returns():
    """If the network outputs 0, the value is the mean of the returns, and the error their variance: 1 such unit."""
    config = make_config("ppo", num_steps=4, gamma=0.0, normalize_value=True, num_epochs=1, num_minibatches=1)
    agent, corridor = make_agent(config, SPEC), corridor_for(config)
    policy = agent.policy.to_arrays()
    agent.policy.assign(policy | {name: np.zeros_like(policy[name]) for name in ("value/kernel", "value/bias")})
    corridor.timestep().rollout.reward[:] = np.arange(16).reshape(4, 4)
    (metrics,) = run(agent, corridor, 4)
    assert metrics["train/value_loss"] == pytest.approx(1.0, rel=1e-5)


def test_clip_value_limits_no_change_of_the_statistics():
    """The old values are those that the network gives with the statistics of the update."""
    config = make_config("ppo", num_envs=4, num_steps=8, normalize_value=True, clip_value=0.2, num_minibatches=1)
    agent, found = make_agent(config, SPEC), []
    prepare = agent._prepare

    def compare_values(rollout):
        batch, estimates = prepare(rollout)
        found.append((batch.value.numpy(), agent._network.unroll(batch.sequences)[1].numpy()))
        return batch, estimates

    agent._prepare = compare_values
    run(agent, corridor_for(config), 32)
    assert len(found) == 4
    for old_value, value in found:
        np.testing.assert_allclose(old_value, value, atol=1e-5)
