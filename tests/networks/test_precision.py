import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.networks import precision
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.precision import compute_dtype
from paac_cli.spec import EnvSpec, one_of

SCREENS = EnvSpec((84, 84, 4), np.dtype(np.uint8), one_of(tuple("abcdef")), 60.0)


def gradients(network, obs):
    with tf.GradientTape() as tape:
        parameters, value = network(obs)
        loss = tf.reduce_mean(tf.square(parameters)) + tf.reduce_mean(tf.square(value - 1.0))
    return parameters, value, tape.gradient(loss, network.trainable_variables)


@pytest.mark.parametrize("options", [{}, {"layer_norm": True}, {"normalize_obs": True}])
@pytest.mark.parametrize("torso", ["nips", "nature", "impala"])
def test_bfloat16_computes_much_the_same_and_keeps_everything_in_float32(torso, options):
    obs = tf.constant(np.random.default_rng(0).integers(0, 255, (8, 84, 84, 4), np.uint8))
    results = {}
    for name in ("float32", "bfloat16"):
        config = NetworkConfig(torso=torso, precision=name, **options)
        network = ActorCritic(config, SCREENS, np.random.default_rng(0))
        assert {variable.dtype for variable in network.variables} == {tf.float32}
        results[name] = gradients(network, obs)
    for one, other in zip(tf.nest.flatten(results["bfloat16"]), tf.nest.flatten(results["float32"]), strict=True):
        assert one.dtype == other.dtype == tf.float32
        assert not np.array_equal(one, other)
        length = np.linalg.norm(one) * np.linalg.norm(other)
        assert np.vdot(one, other) / length > 0.98
        assert np.linalg.norm(one) == pytest.approx(np.linalg.norm(other), rel=0.2)


@pytest.mark.parametrize(("is_native", "dtype"), [(True, tf.bfloat16), (False, tf.float32)])
def test_auto_is_what_the_processor_can_do(monkeypatch, is_native, dtype):
    monkeypatch.setattr(precision, "_has_native_bfloat16", lambda: is_native)
    assert compute_dtype("auto") == dtype
    assert compute_dtype("float32") == tf.float32
    assert compute_dtype("bfloat16") == tf.bfloat16
