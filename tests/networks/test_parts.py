"""Observations with several parts: a torso for each named part, and one for all others together."""

import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces

from paac_cli.config.schema import NetworkConfig
from paac_cli.envs.spaces import ObservationTranslator
from paac_cli.errors import ConfigError
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.initializers import orthogonal
from paac_cli.networks.normalizer import moments_of
from paac_cli.networks.q_network import QNetwork
from paac_cli.networks.recurrent import NO_STATE
from paac_cli.networks.torsos import Torso
from paac_cli.spec import EnvSpec, discrete_action

ACTIONS = discrete_action(("",) * 3)
IMAGE = EnvSpec((8, 6, 3), np.dtype(np.uint8), ACTIONS, 60.0)
SPACE = spaces.Dict(
    {
        "goal": spaces.Box(-np.inf, np.inf, (2,)),
        "camera": spaces.Box(0, 255, IMAGE.obs_shape, np.uint8),
        "arm": spaces.Dict({"angles": spaces.Box(-1, 1, (2, 2)), "level": spaces.Box(0, 255, (1,), np.uint8)}),
        "mode": spaces.Discrete(4),
    }
)


def translated(space):
    translator = ObservationTranslator(space, 1, "test")
    spec = EnvSpec(translator.shape, translator.dtype, ACTIONS, 60.0, parts=translator.parts)

    def rows(*observations):
        out = np.zeros((len(observations), *spec.obs_shape), spec.obs_dtype)
        for row, obs in zip(out, observations, strict=True):
            translator.write(obs, row)
        return tf.constant(out)

    return spec, rows


SPEC, rows = translated(SPACE)
IDENTITY = "keras_models:identity"


def torso(spec=SPEC, seed=0, **options):
    return Torso(NetworkConfig(**{"torso": "mlp", **options}), spec, orthogonal, np.random.default_rng(seed))


def sample(seed=0, **changed):
    SPACE.seed(seed)
    return {**SPACE.sample(), **changed}


def test_the_toy_space_has_the_parts_that_these_tests_need():
    assert [(part.name, part.shape, part.is_bytes) for part in SPEC.parts] == [
        ("arm.angles", (2, 2), False),
        ("arm.level", (1,), True),
        ("camera", (8, 6, 3), True),
        ("goal", (2,), False),
        ("mode", (4,), False),
    ]
    assert SPEC.obs_dtype == np.float32


def test_each_torso_gets_its_part_in_its_shape_and_the_last_one_gets_all_others_in_order():
    whole = torso(torso=IDENTITY, torsos={"mode": IDENTITY, "camera": IDENTITY})
    obs = sample()
    expected = [
        obs["camera"].ravel() / 255,
        np.eye(4)[obs["mode"]],
        obs["arm"]["angles"].ravel(),
        obs["arm"]["level"] / 255,
        obs["goal"],
    ]
    np.testing.assert_allclose(whole(rows(obs))[0], np.concatenate(expected), rtol=1e-6)
    assert whole.num_features == 144 + 4 + 2 + 4 + 1


def test_the_features_of_a_part_equal_those_of_a_torso_on_that_part_alone():
    parts = torso(torsos={"camera": "impala"})
    alone = Torso(NetworkConfig(torso="impala"), IMAGE, orthogonal, np.random.default_rng(0))
    first, second = sample(1), sample(2)
    images = tf.constant(np.stack([first["camera"], second["camera"]]))
    np.testing.assert_allclose(parts(rows(first, second))[:, :256], alone(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("normalize_obs", [False, True])
def test_a_change_in_one_part_changes_only_its_features(normalize_obs):
    model = torso(torsos={"goal": "mlp", "camera": "impala"}, hidden_sizes=[5], normalize_obs=normalize_obs)
    model.observe(rows(*(sample(seed) for seed in range(20))), moments_of)
    obs, other = sample(1), sample(2)
    # In the order of the observation, not of the config.
    where = {"camera": range(256), "goal": range(256, 261), "arm": range(261, 266), "mode": range(261, 266)}
    assert model.num_features == 266
    before = model(rows(obs))[0].numpy()
    for name, columns in where.items():
        after = model(rows({**obs, name: other[name]}))[0].numpy()
        changed = np.flatnonzero(before != after)
        assert len(changed) > 0, name
        assert set(changed) <= set(columns), name


def test_the_order_in_the_config_does_not_matter():
    first, second = torso(torsos={"camera": "impala", "goal": "mlp"}), torso(torsos={"goal": "mlp", "camera": "impala"})
    np.testing.assert_array_equal(first(rows(sample())), second(rows(sample())))


def test_variables_are_named_after_their_part():
    names = {v.name.removesuffix(":0") for v in torso(torsos={"arm.angles": "mlp"}, layer_norm=True).variables}
    ends = ("kernel", "bias", "scale", "shift")
    assert names == {f"torso/{place}{layer}/{end}" for place in ("arm.angles/", "") for layer in (0, 1) for end in ends}


def test_if_every_part_is_named_there_is_no_torso_for_the_rest():
    everything = {part.name: "mlp" for part in SPEC.parts}
    # 'nips' would refuse the vector of the rest.
    model = torso(torso="nips", torsos=everything, hidden_sizes=[3])
    assert model.num_features == 15
    assert all(v.name.split("/")[1] in everything for v in model.variables)


def test_an_entry_of_a_tuple_is_named_by_its_index():
    spec, some_rows = translated(spaces.Tuple([spaces.Discrete(3), spaces.Box(0, 255, (2, 2, 1), np.uint8)]))
    model = torso(spec, torso="mlp", hidden_sizes=[4], torsos={"1": IDENTITY})
    features = model(some_rows((2, np.array([[[0], [51]], [[255], [0]]], np.uint8))))
    np.testing.assert_allclose(features[0, :4], [0, 0.2, 1, 0], rtol=1e-6)
    assert features.shape == (1, 8)


@pytest.mark.parametrize("options", [{}, {"torsos": {"left": IDENTITY}}])
def test_bytes_are_scaled_once_whether_the_observation_is_stored_as_bytes_or_floats(options):
    left, right = (spaces.Box(0, 255, (2,), np.uint8) for _ in range(2))
    entries = {"left": left, "right": right}
    obs = {"left": np.array([0, 51], np.uint8), "right": np.array([255, 102], np.uint8)}
    spec, some_rows = translated(spaces.Dict(entries))
    assert spec.obs_dtype == np.uint8
    expected = [0, 0.2, 1, 0.4]
    np.testing.assert_allclose(torso(spec, torso=IDENTITY, **options)(some_rows(obs))[0], expected, rtol=1e-6)
    spec, some_rows = translated(spaces.Dict({**entries, "speed": spaces.Box(-np.inf, np.inf, (1,))}))
    assert spec.obs_dtype == np.float32
    features = torso(spec, torso=IDENTITY, **options)(some_rows({**obs, "speed": np.array([7.0], np.float32)}))
    np.testing.assert_allclose(features[0], [*expected, 7], rtol=1e-6)


@pytest.mark.parametrize("kind", [ActorCritic, QNetwork])
def test_networks_learn_through_the_torsos_of_all_parts(kind):
    config = NetworkConfig(torso="mlp", torsos={"camera": "impala", "goal": IDENTITY, "mode": "mlp"}, hidden_sizes=[4])
    model = kind(config, SPEC, np.random.default_rng(0))
    obs = rows(*(sample(seed) for seed in range(4)))

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(model.step(obs, NO_STATE))
            loss = tf.add_n([tf.reduce_sum(tf.square(output - 1.0)) for output in outputs])
        return tape.gradient(loss, model.trainable_variables)

    for variable, gradient in zip(model.trainable_variables, gradients(), strict=True):
        assert np.abs(gradient).max() > 0, variable.name
    assert len(Variables(model.variables).to_arrays()) == len(model.variables)


# --- refusals


def test_an_unknown_part_is_refused_with_the_nearest_name_and_all_names():
    with pytest.raises(ConfigError) as caught:
        torso(torsos={"camara": "nips"})
    assert str(caught.value) == (
        "network.torsos: unknown part 'camara'; "
        "observations have arm.angles, arm.level, camera, goal, mode; did you mean camera?"
    )


def test_torsos_are_refused_for_observations_without_parts():
    with pytest.raises(
        ConfigError, match=r"network.torsos needs observations with several parts \(a Dict or Tuple space\)"
    ):
        torso(IMAGE, torsos={"camera": "impala"})


def test_a_torso_that_does_not_fit_its_part_is_reported_with_its_key():
    with pytest.raises(
        ConfigError, match=r"^network.torsos.goal = 'impala' does not fit: layer 0 takes images .* shape \[2\]"
    ):
        torso(torsos={"goal": "impala"})
    with pytest.raises(ConfigError, match=r"^network.torsos.goal = 'no_module:make' cannot be imported"):
        torso(torsos={"goal": "no_module:make"})
    with pytest.raises(
        ConfigError, match=r"^network.torso = 'impala' does not fit: layer 0 takes images .* shape \[153\]"
    ):
        torso(torso="impala", torsos={"goal": "mlp"})
