"""PAAC: its loss by hand."""

import numpy as np
import pytest
import tensorflow as tf

from corridor import SPEC, corridor_for, make_config, run, set_state, state_of
from paac_cli.algorithms.agent import make_agent
from paac_cli.algorithms.paac import paac_loss
from paac_cli.config.algorithms import PaacConfig
from paac_cli.networks.distributions import Categorical


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


def test_an_entropy_bonus_that_has_run_out_is_none():
    """Without entropy bonus, and with the value perfect from the start, a policy has nothing to learn."""
    options = {"ent_coef": 1.0, "vf_coef": 0.0, "gamma": 0.0, "num_steps": 3}
    for anneal_steps, moves in ((0, True), (1, False)):
        config = make_config("paac", ent_anneal_steps=anneal_steps, **options)
        agent = make_agent(config, SPEC)
        state = state_of(agent)
        state["value/bias"][:], state["value/kernel"][:] = 1.0, 0.0
        state["policy/bias"][:] = [1.0, 0.0]
        set_state(agent, state)
        run(agent, corridor_for(config), 9)
        assert (state_of(agent)["policy/bias"] != state["policy/bias"]).any() == moves
