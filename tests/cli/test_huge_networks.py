"""A checkpoint of a few bytes that describes a huge network is refused before any of it is built."""

import resource
import time

import pytest
from expectations import assert_one_error

from forgery import change_checkpoints, change_config

HUGE = {
    "two layers": [40_000, 40_000],
    "the last layer": [32, 65_536],
    "many layers": [65_536] * 64,
}


@pytest.fixture
def cheaply():
    """The test takes neither long nor gigabytes."""
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("sizes", HUGE.values(), ids=HUGE)
def test_a_huge_network_is_not_built(sizes, trained_copy, invoke, cheaply, tmp_path):
    def change(config):
        config["network"]["hidden_sizes"] = sizes

    change_checkpoints(trained_copy, change)
    change_config(trained_copy, change)
    preset = tmp_path / "mine.yaml"
    preset.write_bytes((trained_copy / "config.yaml").read_bytes())
    for args in (
        ["eval", trained_copy],
        ["record", "video.mp4", "--checkpoint", trained_copy, "--last"],
        ["verify", trained_copy],
        ["train", "--preset", preset, "--run-dir", trained_copy, "--total-steps", 10**6],
    ):
        result = invoke(*args)
        assert result.exit_code == 2, args
        assert "does not fit its config: torso/" in result.stderr
        assert "Traceback" not in result.stderr


def test_a_huge_replay_buffer_takes_no_memory_to_play(trained_copy, invoke, cheaply):
    """The arrays are those of another algorithm; what counts is that the answer comes at once."""
    huge = {"name": "dqn", "buffer_size": 10**9, "prioritized_alpha": 0.5}
    change_checkpoints(trained_copy, lambda config: config.update(algorithm=huge))
    assert_one_error(invoke("eval", trained_copy), "does not fit its config")
