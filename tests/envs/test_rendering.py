"""What an environment renders becomes RGB frames of a video, or an error before any game is played for it."""

import os
import re
import sys

import numpy as np
import pytest

from odd_envs import FRAMES
from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import describe_env, make_env
from paac_cli.envs.try_rendering import try_rendering
from paac_cli.errors import EnvironmentSpecError, PaacError, VideoError
from playing_envs import odd, play
from toy_envs import NoRenderMode, config_of


def frames_of(config, steps=3):
    frames = []
    play(make_env(config, lambda frame: frames.append(frame.copy())), steps)
    return frames


def refusal(config, *, needs_frame_rate=True):
    """The message with which `config` is refused for a video: one line."""
    with pytest.raises(PaacError) as caught:
        try_rendering(config, needs_frame_rate=needs_frame_rate)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems can always draw")
@pytest.mark.parametrize(
    ("variables", "draws", "expected"),
    [
        ({}, True, "egl"),
        ({}, False, None),
        ({"MUJOCO_GL": "osmesa"}, True, "osmesa"),
        ({"DISPLAY": ":0"}, True, None),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, None),
    ],
)
def test_without_a_display_mujoco_draws_with_egl(monkeypatch, variables, draws, expected):
    for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    make_env(EnvConfig(id="CartPole-v1"), (lambda frame: None) if draws else None).close()
    found = os.environ.pop("MUJOCO_GL", None)
    assert found == expected


@pytest.mark.skipif(sys.platform != "linux", reason="other systems can always draw")
def test_mujoco_draws_with_egl_if_the_module_of_an_environment_imports_it(monkeypatch, tmp_path):
    """As that of dm_control does: MuJoCo reads the variable when it is imported."""
    for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "reads_mujoco_gl.py").write_text("import os\n\nfound = os.environ.get('MUJOCO_GL')\n")
    monkeypatch.syspath_prepend(tmp_path)
    make_env(EnvConfig(id="reads_mujoco_gl:CartPole-v1"), lambda frame: None).close()
    assert os.environ.pop("MUJOCO_GL", None) == sys.modules["reads_mujoco_gl"].found == "egl"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rgb", FRAMES["rgb"]),
        ("rgba", FRAMES["rgba"][:, :, :3]),
        ("grey", np.stack([FRAMES["grey"]] * 3, axis=2)),
        ("grey channel", np.concatenate([FRAMES["grey channel"]] * 3, axis=2)),
    ],
)
def test_grey_and_rgba_are_converted_to_rgb(name, expected):
    try_rendering(odd("Rendered", frame=name), needs_frame_rate=True)
    frames = frames_of(odd("Rendered", frame=name))
    assert len(frames) == 4
    for frame in frames:
        assert frame.dtype == np.uint8
        assert frame.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("none", "None"),
        ("list", "a list of 1"),
        ("text", "a value of type str"),
        ("floats", "an array [6, 8, 3] of float64"),
        ("integers", "an array [6, 8, 3] of int64"),
        ("bools", "an array [6, 8, 3] of bool"),
        ("two channels", "an array [6, 8, 2] of uint8"),
        ("vector", "an array [8] of uint8"),
        ("frames", "an array [2, 6, 8, 3] of uint8"),
        ("empty", "an array [0, 8, 3] of uint8"),
    ],
)
def test_what_is_no_image_is_refused_with_what_came_and_what_is_wanted(name, found):
    text = refusal(odd("Rendered", frame=name))
    assert text.startswith(
        f"odd_envs:Rendered-v0: render() returned {found}; expected an RGB image: an array [height, "
    )
    with pytest.raises(VideoError, match=re.escape(text)):
        frames_of(odd("Rendered", frame=name))


def test_a_render_that_raises_is_refused_with_its_error():
    assert refusal(odd("Rendered", frame="raises")) == (
        "odd_envs:Rendered-v0: render() raised RuntimeError: no display"
    )


def test_an_environment_without_render_is_refused_with_what_to_define():
    assert refusal(odd("OwnBuffer", kind="image")) == (
        "odd_envs:OwnBuffer-v0 has no render(); to record or watch it, define render() that returns an RGB image: "
        "an array [height, width, 3] uint8"
    )
    assert refusal(odd("Rendered", frame="unfinished")) == (
        "odd_envs:Rendered-v0: render() raised NotImplementedError: tomorrow"
    )


def test_frames_must_not_change_their_size():
    try_rendering(odd("Rendered", frame="grows"), needs_frame_rate=True)  # it has only the first
    with pytest.raises(VideoError, match=re.escape("an image [7, 8, 3] after one of [6, 8, 3]; all frames of a video")):
        frames_of(odd("Rendered", frame="grows"))


@pytest.mark.parametrize("fps", ["fast", "30", 0, -5, "nan", "inf", True, [30], 0.01, 1e9])
def test_a_frame_rate_that_no_video_can_have_is_refused_unless_another_is_given(fps):
    config = odd("Rendered", fps=fps)
    text = refusal(config)
    assert text.startswith("odd_envs:Rendered-v0: metadata['render_fps'] is ")
    assert text.endswith("; expected a number of frames per second from 0.1 to 100,000, or give one with --fps")
    try_rendering(config, needs_frame_rate=False)
    assert describe_env(config).fps == 30.0  # and it can be trained


@pytest.mark.parametrize(("fps", "expected"), [(20, 20.0), (12.5, 12.5), (None, 30.0)])
def test_the_frame_rate_is_that_of_the_environment_or_30(fps, expected):
    config = odd("Rendered", fps=fps)
    try_rendering(config, needs_frame_rate=True)
    assert describe_env(config).fps == expected


def test_an_environment_that_cannot_be_made_for_a_video_says_so():
    config = config_of(NoRenderMode)
    assert describe_env(config)
    needs = (
        r"takes the argument render_mode, lists 'rgb_array' in metadata\['render_modes'\], and has the method render"
    )
    with pytest.raises(EnvironmentSpecError, match=rf"'rgb_array', for a video: TypeErr.* {needs}"):
        try_rendering(config, needs_frame_rate=True)


def test_an_environment_that_renders_images_can_be_recorded():
    try_rendering(EnvConfig(id="CartPole-v1"), needs_frame_rate=True)
