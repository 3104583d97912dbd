import numpy as np
import pytest
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.initializers import fan_in_uniform, orthogonal
from paac_cli.networks.normalizer import ObsNormalizer
from paac_cli.spec import EnvSpec, one_of

SCREENS = (84, 84, 4)


def network(torso, obs_shape=SCREENS, num_actions=6, **options):
    config = NetworkConfig(torso=torso, **options)
    spec = EnvSpec(obs_shape, np.dtype(np.uint8), one_of(("",) * num_actions), 60.0)
    return ActorCritic(config, spec, np.random.default_rng(0))


def shapes(model):
    return {variable.name.removesuffix(":0"): tuple(variable.shape) for variable in model.trainable_variables}


def test_arch_nips_of_the_paper():
    assert shapes(network("nips")) == {
        "torso/0/kernel": (8, 8, 4, 16),
        "torso/0/bias": (16,),
        "torso/1/kernel": (4, 4, 16, 32),
        "torso/1/bias": (32,),
        "torso/2/kernel": (9 * 9 * 32, 256),
        "torso/2/bias": (256,),
        "policy/kernel": (256, 6),
        "policy/bias": (6,),
        "value/kernel": (256, 1),
        "value/bias": (1,),
    }


def test_arch_nature_of_the_paper():
    found = shapes(network("nature"))
    assert found["torso/2/kernel"] == (3, 3, 64, 64)
    assert found["torso/3/kernel"] == (7 * 7 * 64, 512)


def test_mlp_flattens_what_it_is_given():
    found = shapes(network("mlp", obs_shape=(2, 3), hidden_sizes=(8, 5)))
    assert found["torso/0/kernel"] == (6, 8)
    assert found["torso/1/kernel"] == (8, 5)


def test_bytes_are_scaled_and_floats_are_not():
    model = network("mlp", obs_shape=(3,))
    as_bytes = model(tf.constant([[0, 51, 255]], tf.uint8))[0]
    as_floats = model(tf.constant([[0.0, 0.2, 1.0]]))[0]
    np.testing.assert_allclose(as_bytes, as_floats, atol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (16, 16, 3), (84, 84)])
def test_a_convolution_refuses_what_is_no_large_image(shape):
    with pytest.raises(ConfigError, match="torso = 'nips' is for larger images"):
        network("nips", obs_shape=shape)


def test_orthogonal_columns_or_rows():
    for shape in ((64, 8), (8, 64), (4, 4, 3, 16)):
        kernel, bias = orthogonal(shape, 2.0, np.random.default_rng(0))
        matrix = kernel.reshape(-1, shape[-1]) / 2.0
        small = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
        np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-5)
        assert not bias.any()


def test_fan_in_uniform_fills_its_interval():
    kernel, bias = fan_in_uniform((8, 8, 4, 64), 1.0, np.random.default_rng(0))
    assert 0.99 / 16 < np.abs(kernel).max() <= 1 / 16
    assert 0 < np.abs(bias).max() <= 1 / 16


def test_the_first_policy_is_almost_uniform():
    logits, _ = network("nips")(tf.constant(np.random.default_rng(0).integers(0, 255, (8, *SCREENS)), tf.uint8))
    assert np.abs(logits).max() < 0.2


def test_the_normalizers_moments_are_those_of_all_it_has_seen():
    data = np.random.default_rng(0).normal(3.0, 2.0, (60, 2)).astype(np.float32)
    normalizer = ObsNormalizer((2,))
    for part in np.split(data, [7, 30]):
        normalizer.update(tf.constant(part))
    expected = (data - data.mean(axis=0)) / np.sqrt(data.var(axis=0) + 1e-5)
    np.testing.assert_allclose(normalizer(data * 255, 1 / 255), np.clip(expected, -5, 5), atol=1e-4)


def test_the_normalizer_is_saved_but_not_trained():
    model = network("mlp", obs_shape=(3,), normalize_obs=True)
    names = {variable.name.removesuffix(":0") for variable in model.variables}
    assert {"normalizer/mean", "normalizer/variance", "normalizer/count"} <= names
    assert not any(name.startswith("normalizer") for name in shapes(model))
