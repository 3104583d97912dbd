"""PAAC: its loss by hand."""

import numpy as np
import pytest
import tensorflow as tf

from corridor import SPEC, corridor_for, make_config, run
from paac_cli.algorithms.agent import make_agent
from paac_cli.algorithms.paac import paac_loss
from paac_cli.networks.distributions import Categorical


def loss_of(logits, value, action, advantage, **options):
    """`paac_loss` of two actions; `options` replace plain coefficients."""
    options = {"ent_coef": 0.01, "vf_coef": 0.25, "loss_scale": 1.0} | options
    advantage = tf.constant(advantage)
    target = tf.stop_gradient(value + advantage)
    return paac_loss(Categorical(2), logits, value, tf.constant(action), advantage, target, **options)


def test_loss_by_hand():
    logits, value = tf.math.log([[0.5, 0.5], [0.2, 0.8]]), tf.constant([1.0, 2.0])
    loss, metrics = loss_of(logits, value, [0, 1], [2.0, -1.0], ent_coef=0.1, loss_scale=5.0)
    policy = -(2.0 * np.log(0.5) - 1.0 * np.log(0.8)) / 2
    entropy = (np.log(2) - (0.2 * np.log(0.2) + 0.8 * np.log(0.8))) / 2
    squared = (2.0**2 + 1.0**2) / 2
    assert metrics["train/policy_loss"].numpy() == pytest.approx(policy, rel=1e-5)
    assert metrics["train/entropy"].numpy() == pytest.approx(entropy, rel=1e-5)
    assert metrics["train/value_loss"].numpy() == pytest.approx(squared, rel=1e-5)
    assert loss.numpy() == pytest.approx(5.0 * (policy - 0.1 * entropy + 0.25 * squared), rel=1e-5)


def test_the_value_gets_no_gradient_from_the_policy_term():
    value = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        loss, _ = loss_of(tf.zeros((2, 2)), value, [0, 1], [2.0, -1.0])
    # d/dV 0.25 * mean((target - V)^2) = -0.25 * 2 * advantage / 2
    np.testing.assert_allclose(tape.gradient(loss, value), [-0.5, 0.25])


def test_normalised_advantages_change_only_the_policy_term():
    metrics = []
    for normalize_advantage in (False, True):
        config = make_config("paac", num_steps=4, normalize_advantage=normalize_advantage)
        metrics += run(make_agent(config, SPEC), corridor_for(config), 4)
    plain, normalised = metrics
    assert normalised["train/policy_loss"] != plain["train/policy_loss"]
    for name in ("train/value_loss", "train/entropy", "train/explained_variance"):
        assert normalised[name] == plain[name]
