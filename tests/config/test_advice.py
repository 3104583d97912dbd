"""Settings that are valid but probably not intended give a warning."""

import shlex

import numpy as np
import pytest

from minimal_config import load
from paac_cli.config.advice import advice
from paac_cli.config.algorithms import AlgorithmConfig
from paac_cli.config.load import parse_assignments, read_config
from paac_cli.config.presets import find_preset, preset_names
from paac_cli.spec import EnvSpec, ImageSpec, discrete_action


def spec(obs_shape, *images):
    return EnvSpec(obs_shape, np.dtype(np.float32), discrete_action(("left", "right")), 30.0, images=images)


def image(shape=(40, 40, 3), name="", dtype=np.uint8, channels="last", is_ambiguous=False, high=255.0):
    return ImageSpec(name, shape, np.dtype(dtype), channels, is_ambiguous, high)


def test_the_defaults_give_no_warning():
    assert advice(load(), spec((4,))) == []


@pytest.mark.parametrize(("anneal_steps", "is_warned"), [(0, False), (60, True), (100, False), (200, False)])
def test_a_learning_rate_that_reaches_0_before_the_end_is_warned_of(anneal_steps, is_warned):
    warnings = advice(load(algorithm__lr_anneal_steps=anneal_steps))
    assert len(warnings) == is_warned
    assert all("reaches 0 at step 60" in text and "lr_anneal_steps=100" in text for text in warnings)


@pytest.mark.parametrize(("every", "is_warned"), [(None, False), (100, False), (101, True)])
def test_evaluations_that_never_happen_are_warned_of(every, is_warned):
    warnings = advice(load(training__evaluate_every=every))
    assert ["never evaluated" in text for text in warnings] == [True] * is_warned


def test_an_action_mask_that_is_ignored_is_warned_of():
    assert advice(load(), spec((4,))._replace(ignores_mask=False)) == []
    (text,) = advice(load(), spec((4,))._replace(ignores_mask=True))
    assert "--set env.action_mask=true" in text


@pytest.mark.parametrize(("starts", "is_warned"), [(99, False), (100, True)])
@pytest.mark.parametrize("algorithm", ["dqn", "sac"])
def test_a_run_that_ends_before_it_learns_is_warned_of(algorithm, starts, is_warned):
    warnings = advice(load(algorithm={"name": algorithm, "learning_starts": starts}))
    assert ["nothing is learned" in text for text in warnings] == [True] * is_warned


@pytest.mark.parametrize(
    ("section", "name", "settings", "reason"),
    [
        (
            "training",
            "evaluate_greedy",
            {"total_steps": 100, "evaluate_greedy": True},
            "training.evaluate_every is null",
        ),
        ("algorithm", "on_kl", {"name": "ppo", "on_kl": "stop"}, None),
        ("algorithm", "max_learning_rate", {"name": "ppo", "max_learning_rate": 0.1}, 'algorithm.on_kl is "stop"'),
        (
            "algorithm",
            "ent_anneal_steps",
            {"name": "ppo", "ent_coef": 0, "ent_anneal_steps": 9},
            "algorithm.ent_coef is 0.0",
        ),
        (
            "algorithm",
            "prioritized_beta",
            {"name": "dqn", "learning_starts": 0, "prioritized_beta": 0.5},
            "algorithm.prioritized_alpha is 0.0",
        ),
        (
            "algorithm",
            "target_entropy",
            {"name": "sac", "learning_starts": 0, "ent_coef": 0.2, "target_entropy": -1},
            "algorithm.ent_coef is 0.2",
        ),
        ("algorithm", "target_entropy", {"name": "sac", "learning_starts": 0, "target_entropy": -1}, None),
    ],
)
def test_settings_without_effect_are_warned_of(section, name, settings, reason):
    warnings = advice(load(**{section: settings}))
    assert warnings == ([] if reason is None else [f"{section}.{name} has no effect, because {reason}"])


def test_settings_of_a_users_own_algorithm_are_not_judged():
    class OwnConfig(AlgorithmConfig):
        learning_starts: int | None = None
        epsilon_start: float = 1.0

    own = load().model_copy(update={"algorithm": OwnConfig(name="mine:Own", epsilon_start=0.5)})
    assert advice(own) == []


@pytest.mark.parametrize("preset", preset_names())
def test_presets_give_no_warning(preset):
    assert advice(read_config(find_preset(preset))) == []


@pytest.mark.parametrize(
    ("frames", "recurrent", "is_warned"), [(1, None, True), (1, {}, False), (2, None, False), (4, None, False)]
)
def test_one_frame_of_atari_without_memory_is_warned_of(frames, recurrent, is_warned):
    config = load(env={"id": "ALE/Pong-v5", "frame_stack": frames}, network={"torso": "nips", "recurrent": recurrent})
    assert [("shows no motion" in text) for text in advice(config)] == [True] * is_warned


@pytest.mark.parametrize(
    ("torso", "obs_shape", "is_warned"),
    [
        ("mlp", (84, 84, 4), True),
        ("mlp", (4,), False),
        ("mlp", (3, 5), False),
        ("mlp", None, False),
        ("nips", (84, 84, 4), False),
    ],
)
def test_mlp_on_images_is_warned_of(torso, obs_shape, is_warned):
    warnings = advice(load(network__torso=torso), obs_shape and spec(obs_shape))
    assert len(warnings) == is_warned
    assert all("'mlp' flattens images [84, 84, 4]" in text and "nature" in text for text in warnings)


@pytest.mark.parametrize(("obs_shape", "fitting"), [((36, 40, 3), "nature, or nips"), ((80, 35, 3), "impala")])
def test_mlp_on_images_names_torsos_that_fit_their_size(obs_shape, fitting):
    """tests/networks/test_torsos.py shows that they do."""
    (text,) = advice(load(network__torso="mlp"), spec(obs_shape))
    assert text.endswith(f"; use --set network.torso={fitting}")


# --- which axis holds the channels


def test_images_whose_channels_may_be_first_are_warned_of():
    (text,) = advice(load(network__torso="impala"), spec((12, 40, 40), image((12, 40, 40), is_ambiguous=True)))
    assert text.startswith("observations have the shape [12, 40, 40], which is read as [height, width, channels]; ")
    assert "--set env.channels=first" in text
    assert "--set env.channels=last" in text


def test_the_warning_names_the_part_of_an_observation():
    robot = spec((99,), image((12, 4, 4), "arm.camera", is_ambiguous=True), image(name="other", is_ambiguous=True))
    (text,) = advice(load(network__torsos={"arm.camera": "impala", "other": "mlp"}), robot)
    assert text.startswith("the part 'arm.camera' of observations has the shape [12, 4, 4], ")


def test_where_images_are_flattened_their_channels_may_be_anywhere():
    ambiguous = spec((480,), image((3, 40, 4), "camera", is_ambiguous=True))
    assert advice(load(network__torsos={"camera": "mlp"}), ambiguous) == []


@pytest.mark.parametrize(
    ("shape", "torso"), [((36, 40, 3), "nature"), ((3, 84, 84), "nature"), ((35, 80, 3), "impala")]
)
def test_an_image_that_becomes_a_part_of_a_vector_is_warned_of(shape, torso):
    observations = spec((99,), image(shape, "arm.camera"))
    assert advice(load(), observations) == [
        "images in observations ('arm.camera') become parts of one vector; use --set "
        f"""'network.torsos={{"arm.camera": "{torso}"}}'"""
    ]


def test_the_advice_about_images_in_vectors_keeps_other_torsos_and_can_be_followed():
    """The parts of a Tuple are called "0", "1" and so on, which YAML without quotes would take for numbers."""
    observations = spec((99,), image(name="0"), image((30, 30, 3), name="1"), image(name="2"))
    (text,) = advice(load(network__torsos={"2": "nature"}), observations)
    setting = shlex.split(text.partition("use ")[2])
    assert setting == ["--set", 'network.torsos={"2": "nature", "0": "nature", "1": "impala"}']
    assert advice(load(network__torsos=parse_assignments(setting[1:])["network.torsos"]), observations) == []


# --- pixels that are not scaled


@pytest.mark.parametrize(
    ("dtype", "high", "is_warned"),
    [
        (np.float32, 255.0, True),
        (np.float64, 2.0, True),
        (np.float32, 1.0, False),
        (np.float32, None, False),
        (np.uint16, 65535.0, True),
        (np.int8, 12.0, False),  # the pieces of a board game
        (np.uint8, 255.0, False),
        (np.bool_, 1.0, False),
    ],
)
def test_images_that_are_not_scaled_are_warned_of(dtype, high, is_warned):
    warnings = advice(load(network__torso="impala"), spec((40, 40, 3), image(dtype=dtype, high=high)))
    assert len(warnings) == is_warned
    for text in warnings:
        assert f"observations have {np.dtype(dtype)} pixels up to {high:g}, and only bytes (uint8) are scaled" in text
        assert text.endswith("--set network.normalize_obs=true")
    assert advice(load(network={"torso": "impala", "normalize_obs": True}), spec((40, 40, 3), image())) == []
