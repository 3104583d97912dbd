"""PPO: its loss by hand, against PAAC's, and what it does about the KL divergence."""

import numpy as np
import pytest
import tensorflow as tf

from corridor import SPEC, corridor_for, make_config, run
from paac_cli.algorithms.agent import make_agent
from paac_cli.algorithms.paac import paac_loss
from paac_cli.algorithms.ppo import Batch, ppo_loss
from paac_cli.config.algorithms import PaacConfig, PpoConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.distributions import Categorical

OLD = np.log([[0.5, 0.5], [0.5, 0.5], [0.2, 0.8]]).astype(np.float32)
ACTION = np.array([0, 0, 1], np.int32)


def batch(advantage, value=(1.0, 2.0, 3.0)):
    log_prob = OLD[np.arange(3), ACTION]
    arrays = (np.zeros((3, 1), np.float32), ACTION, log_prob, np.float32(value), np.float32(advantage))
    return Batch(*map(tf.constant, arrays))


def loss_of(config, parameters, value, advantage, unit=1.0, ent_coef=0.0):
    return ppo_loss(
        config, ent_coef, Categorical(2), tf.constant(parameters), tf.constant(value), unit, batch(advantage)
    )


def test_loss_by_hand():
    config = PpoConfig(clip_coef=0.2, vf_coef=0.5, normalize_advantage=False)
    new = np.log([[0.7, 0.3], [0.55, 0.45], [0.5, 0.5]]).astype(np.float32)
    loss, metrics = loss_of(config, new, [1.5, 2.0, 2.0], [2.0, -1.0, -3.0], ent_coef=0.1)
    # Ratios 1.4, 1.1, 0.625. A gain beyond 1.2 does not count; a loss below 0.8 counts as at 0.8.
    policy = -(1.2 * 2.0 + 1.1 * -1.0 + 0.8 * -3.0) / 3
    value = ((3.0 - 1.5) ** 2 + (1.0 - 2.0) ** 2 + (0.0 - 2.0) ** 2) / 3
    entropy = -np.mean((np.exp(new) * new).sum(axis=1))
    ratios = np.array([1.4, 1.1, 0.625])
    assert metrics["train/policy_loss"].numpy() == pytest.approx(policy, rel=1e-5)
    assert metrics["train/value_loss"].numpy() == pytest.approx(value, rel=1e-5)
    assert metrics["train/clip_fraction"].numpy() == pytest.approx(2 / 3)
    assert metrics["train/approx_kl"].numpy() == pytest.approx(np.mean(ratios - 1 - np.log(ratios)), rel=1e-4)
    assert loss.numpy() == pytest.approx(policy - 0.1 * entropy + 0.5 * value, rel=1e-5)


def test_a_value_that_moved_too_far_gains_nothing_by_it():
    config = PpoConfig(clip_value=0.2)
    # Targets 3, 1, 3: the first value came nearer than 1.2 and counts as 1.2; the second went away.
    _, metrics = loss_of(config, OLD, [2.5, 2.5, 3.1], [2.0, -1.0, 0.0])
    assert metrics["train/value_loss"].numpy() == pytest.approx((1.8**2 + 1.5**2 + 0.1**2) / 3, rel=1e-5)
    _, metrics = loss_of(config, OLD, [2.5, 2.5, 3.1], [2.0, -1.0, 0.0], unit=10.0)  # 0.2 is 2 of the returns' units
    assert metrics["train/value_loss"].numpy() == pytest.approx((0.05**2 + 0.15**2 + 0.01**2) / 3, rel=1e-5)


def test_the_first_step_of_an_update_has_the_gradient_of_paac():
    parameters, value = tf.Variable(OLD), tf.Variable([1.0, 2.0, 3.0])
    advantage = [2.0, -1.0, 0.5]
    with tf.GradientTape(persistent=True) as tape:
        ours, _ = ppo_loss(
            PpoConfig(vf_coef=0.3, normalize_advantage=False, clip_coef=1e6),
            *(0.02, Categorical(2), parameters, value, 1.0, batch(advantage)),
        )
        theirs, _ = paac_loss(
            PaacConfig(vf_coef=0.3),
            0.02,
            Categorical(2),
            parameters,
            value,
            tf.constant(ACTION),
            tf.constant(advantage),
        )
    for variable in (parameters, value):
        np.testing.assert_allclose(tape.gradient(ours, variable), tape.gradient(theirs, variable), rtol=1e-5, atol=1e-7)


def test_every_step_of_a_rollout_is_learned_from_once_an_epoch():
    from paac_cli.learning.minibatches import minibatches

    epochs = list(minibatches(1, 64, size=12, num_epochs=3, num_minibatches=4))
    assert [len(rows) for rows in epochs[0]] == [3, 3, 3, 3]
    assert all(sorted(np.concatenate(epoch)) == list(range(12)) for epoch in epochs)
    assert len({tuple(np.concatenate(epoch)) for epoch in epochs}) == 3
    again, later = (next(minibatches(1, steps, size=12, num_epochs=1, num_minibatches=4)) for steps in (64, 128))
    assert np.array_equal(again, epochs[0])
    assert not np.array_equal(later, epochs[0])


@pytest.mark.parametrize(("target_kl", "epochs"), [(1e9, 10), (1e-12, 2)])
def test_an_update_stops_after_the_epoch_that_went_too_far(target_kl, epochs):
    config = make_config("ppo", num_steps=4, num_epochs=10, num_minibatches=1, target_kl=target_kl, ent_coef=1.0)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config), 4)
    steps_taken = np.log(agent.learner.to_arrays()["adam/beta_1_power"]) / np.log(0.9) - 1
    assert round(float(steps_taken)) == epochs


def test_the_learning_rate_follows_the_divergence_within_bounds():
    rates = {}
    for target_kl in (1e-9, 1e9):
        config = make_config("ppo", num_steps=4, num_epochs=2, target_kl=target_kl, on_kl="adapt", learning_rate=1e-4)
        metrics = run(make_agent(config, SPEC), corridor_for(config), 100)
        rates[target_kl] = metrics[-1]["train/learning_rate"]
    assert rates[1e9] == pytest.approx(1e-3)  # max_learning_rate
    assert 1e-6 <= rates[1e-9] < 1e-4 / 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target_kl": 0.01, "lr_anneal_steps": 1000}, "choose one"),
        ({}, "needs a target_kl"),
        ({"target_kl": 0.01, "learning_rate": 1.0}, "above max_learning_rate"),
        ({"target_kl": 0.01, "num_epochs": 1, "num_minibatches": 1}, "more than one step of the optimiser"),
        ({"on_kl": "stop", "num_steps": 4, "num_minibatches": 16}, "every advantage 0"),
    ],
)
def test_combinations_that_cannot_work_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        make_config("ppo", **{"on_kl": "adapt", "learning_rate": 1e-4} | options)


def test_values_in_units_of_the_returns_are_given_out_in_returns():
    config = make_config("ppo", num_envs=8, num_steps=8, gamma=0.9, normalize_value=True, num_minibatches=2)
    agent = make_agent(config, SPEC)
    run(agent, corridor_for(config, length=1, truncates=False), 400)
    policy = agent.policy.to_arrays()
    assert policy["value_normalizer/mean"] == pytest.approx(1.0, abs=0.05)
    value = agent.predict(np.ones((1, 1), np.float32), seed=0, step=0, greedy=True).value[0]
    assert value == pytest.approx(1.0, abs=0.05)
