"""The axis that holds the channels of an image is found, or given, and moved to the end."""

import re

import cv2
import numpy as np
import pytest
from gymnasium import spaces
from pydantic import ValidationError

from odd_envs import ALL_DTYPES, SHAPES, Sampled
from paac_cli.config.env import EnvConfig
from paac_cli.envs.images import describe_images, has_channels_first
from paac_cli.envs.make import describe_env, make_env
from paac_cli.errors import EnvironmentSpecError
from paac_cli.seeding import episode_seed, integer_seed
from paac_cli.spec import ObsPart
from playing_envs import observations, odd, play


def layout(shape, channels="auto"):
    """How an image is read, and whether that is ambiguous."""
    (image,) = describe_images(spaces.Box(0, 255, shape, np.uint8), channels)
    assert has_channels_first(spaces.Box(0, 255, shape, np.uint8), channels) == (image.channels == "first")
    return image.channels, image.is_ambiguous


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 40, 40), ("first", False)),
        ((3, 40, 50), ("first", False)),
        ((1, 84, 84), ("first", False)),
        ((4, 84, 84), ("first", False)),
        ((40, 40, 3), ("last", False)),
        ((84, 84, 4), ("last", False)),
        ((84, 84, 1), ("last", False)),
        ((84, 84, 12), ("last", False)),
        ((6, 7, 2), ("last", False)),
        ((4, 4, 1), ("last", False)),
        ((10, 3, 3), ("last", False)),
        ((3, 40, 4), ("last", True)),
        ((3, 40, 3), ("last", True)),
        ((4, 4, 4), ("last", True)),
        ((12, 84, 84), ("last", True)),
        ((2, 5, 5), ("last", True)),
        ((3, 3, 9), ("last", False)),
    ],
)
def test_channels_are_first_if_only_the_first_axis_has_their_size(shape, expected):
    assert layout(shape) == expected


@pytest.mark.parametrize("shape", [(3, 40, 40), (40, 40, 3), (4, 4, 4), (12, 84, 84)])
@pytest.mark.parametrize("channels", ["first", "last"])
def test_the_setting_decides_and_leaves_nothing_ambiguous(shape, channels):
    assert layout(shape, channels) == (channels, False)


def given(space, steps=3):
    """The observations that `Sampled` gives in the first game of `play`, before any conversion."""
    env = Sampled(space)
    first, _ = env.reset(seed=integer_seed(episode_seed(1, 0, 0)))
    return [first, *(env.step(0)[0] for _ in range(steps))]


@pytest.mark.parametrize(
    ("space", "channels", "moves"),
    [
        ("image first", "auto", True),
        ("image first", "first", True),
        ("image first", "last", False),
        ("stack first", "auto", True),
        ("image last", "auto", False),
        ("many first", "auto", False),
        ("many first", "first", True),
        ("both", "first", True),
    ],
)
def test_an_image_with_channels_first_becomes_one_with_channels_last(space, channels, moves):
    config = odd("Sampled", space=space, config={"channels": channels})
    raw = given(space)
    expected = [np.moveaxis(image, 0, 2) if moves else image for image in raw]
    obs = observations(config)
    assert obs.tolist() == np.array(expected).tolist()
    spec = describe_env(config)
    assert (spec.obs_shape, spec.obs_dtype) == (expected[0].shape, raw[0].dtype)
    assert spec.images[0].shape == raw[0].shape


@pytest.mark.parametrize("channels", ["auto", "first"])
def test_other_conversions_come_after_it(channels):
    """Grey, smaller and stacked images are those of the same environment with its channels last."""
    config = {"channels": channels, "grayscale": True, "resize": (10, 20), "frame_stack": 2}
    assert describe_env(odd("Sampled", space="image first", config=config)).obs_shape == (10, 20, 2)
    obs = observations(odd("Sampled", space="image first", config=config))
    for step, raw in enumerate(given("image first")):
        grey = (np.moveaxis(raw, 0, 2) @ np.array([0.2125, 0.7154, 0.0721])).astype(np.uint8)
        assert obs[step, :, :, 1].tolist() == cv2.resize(grey, (20, 10), interpolation=cv2.INTER_AREA).tolist()


def test_images_inside_of_other_observations_are_converted_too():
    config = odd("Sampled", space="dict")
    spec = describe_env(config)
    assert spec.parts == (
        ObsPart("arm.camera", (40, 50, 3), True),
        ObsPart("map", (40, 50, 1), True),
        ObsPart("speed", (2,), False),
    )
    assert [(image.name, image.channels) for image in spec.images] == [("arm.camera", "first"), ("map", "last")]
    for vector, raw in zip(observations(config), given("dict"), strict=True):
        camera = np.moveaxis(raw["arm"]["camera"], 0, 2)
        assert vector.tolist() == [*camera.ravel(), *raw["map"].ravel(), *raw["speed"]]


def test_images_inside_of_a_tuple_are_converted_too():
    spec = describe_env(odd("Sampled", space="tuple"))
    assert spec.parts == (ObsPart("0", (5, 6, 1), True), ObsPart("1", (2,), False))


@pytest.mark.parametrize("channels", ["first", "last"])
def test_the_setting_is_rejected_for_observations_without_images(channels):
    with pytest.raises(EnvironmentSpecError, match=re.escape("channels needs images of three axes, not Box(-1.0")):
        make_env(odd("Sampled", space="vector", config={"channels": channels}))


@pytest.mark.parametrize("channels", ["first", "last"])
def test_the_setting_is_rejected_for_atari(channels):
    with pytest.raises(ValidationError, match="channels cannot be set for Atari, whose rule set"):
        EnvConfig(id="ALE/Pong-v5", channels=channels)
    assert EnvConfig(id="ALE/Pong-v5", channels="auto").channels == "auto"


@pytest.mark.parametrize(("space", "high"), [("image last", 255), ("stack first", 1), ("many first", 255)])
def test_the_spec_has_the_largest_value_of_a_pixel(space, high):
    (image,) = describe_env(odd("Sampled", space=space)).images
    assert (image.high, image.dtype) == (high, SHAPES[space].dtype)


def test_pixels_without_a_bound_have_no_largest_value():
    box = spaces.Box(-np.inf, np.inf, (5, 5, 3))
    assert describe_images(box, "auto")[0].high is None
    high = np.full((5, 5, 3), np.inf, np.float32)
    high[0, 0, 0] = 255
    assert describe_images(spaces.Box(np.zeros_like(high), high), "auto")[0].high == 255


# Numbers of any type


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_images_of_any_dtype_keep_it(dtype):
    env = make_env(odd("TypedImage", dtype=dtype))
    obs, _ = play(env, 3)
    assert env.spec.obs_dtype == obs.dtype == np.dtype(dtype)
    expected = [bool(step) if dtype == "bool" else step for step in range(4)]
    assert [image.ravel().tolist() for image in obs] == [[value] * 144 for value in expected]
