"""Whether an environment can be recorded is tried in a process of its own."""

import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.errors import EnvironmentSpecError, VideoError
from paac_cli.sampling.describe import require_renderable
from playing_envs import odd
from toy_envs import Counting, NoRenderMode, config_of


@pytest.mark.parametrize("env", [EnvConfig(id="CartPole-v1"), EnvConfig(id="ALE/Pong-v5"), odd("Rendered")])
def test_an_environment_that_renders_images_can_be_recorded(env):
    require_renderable(env, SamplingConfig(), needs_frame_rate=True)


@pytest.mark.parametrize(
    ("env", "error", "message"),
    [
        (odd("Rendered", frame="none"), VideoError, "render() returned None; expected an RGB image"),
        (odd("Rendered", fps="fast"), VideoError, "metadata['render_fps'] is 'fast'; expected a number of frames"),
        (config_of(NoRenderMode), EnvironmentSpecError, "cannot be made with render_mode 'rgb_array', for a video"),
        (config_of(Counting, fault_in="reset", fault="SIGSEGV"), VideoError, "cannot be rendered: the process that"),
        (config_of(Counting, fault_in="reset", fault="spin"), VideoError, "cannot be rendered: the process that"),
    ],
)
def test_an_environment_that_cannot_be_recorded_says_why_in_one_line(env, error, message):
    with pytest.raises(error) as caught:
        require_renderable(env, SamplingConfig(worker_timeout=1.0), needs_frame_rate=True)
    first, *_ = str(caught.value).splitlines()
    assert first.startswith(env.id)
    assert message in first
