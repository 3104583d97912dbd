"""Networks in bfloat16."""

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.recurrent import NO_STATE
from paac_cli.spec import EnvSpec, discrete_action

IMAGES = EnvSpec((84, 84, 4), np.dtype(np.uint8), discrete_action(tuple("abcdef")), 60.0)


def gradients(network, obs):
    with tf.GradientTape() as tape:
        parameters, value, _ = network.step(obs, NO_STATE)
        loss = tf.reduce_mean(tf.square(parameters)) + tf.reduce_mean(tf.square(value - 1.0))
    return parameters, value, tape.gradient(loss, network.trainable_variables)


@pytest.mark.parametrize("options", [{}, {"layer_norm": True}, {"normalize_obs": True}])
@pytest.mark.parametrize("torso", ["nips", "nature", "gamma", "impala"])
def test_bfloat16_gives_nearly_the_same_outputs_and_gradients_in_float32(torso, options):
    obs = tf.constant(np.random.default_rng(0).integers(0, 255, (8, 84, 84, 4), np.uint8))
    results = {}
    for name in ("float32", "bfloat16"):
        config = NetworkConfig(torso=torso, precision=name, **options)
        network = ActorCritic(config, IMAGES, np.random.default_rng(0))
        assert {variable.dtype for variable in network.variables} == {tf.float32}
        results[name] = gradients(network, obs)
    for one, other in zip(tf.nest.flatten(results["bfloat16"]), tf.nest.flatten(results["float32"]), strict=True):
        assert one.dtype == other.dtype == tf.float32
        assert not np.array_equal(one, other)
        length = np.linalg.norm(one) * np.linalg.norm(other)
        assert np.vdot(one, other) / length > 0.95
        assert np.linalg.norm(one) == pytest.approx(np.linalg.norm(other), rel=0.2)
