"""How many workers there are."""

import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.config.schema import SamplingConfig
from paac_cli.sampling import partition
from paac_cli.sampling.describe import describe
from paac_cli.sampling.partition import num_workers
from rude_envs import SPEC, rude


@pytest.mark.parametrize(
    ("cores", "num_envs", "step_us", "expected"),
    [
        (2, 16, None, 2),  # not known, as for Atari
        (2, 16, 11.0, 1),  # as CartPole
        (2, 16, 100.0, 2),
        (2, 256, 11.0, 2),
        (16, 16, 11.0, 3),
        (16, 256, 11.0, 14),
        (16, 256, 1000.0, 16),
        (16, 4, None, 4),
        (1, 16, 11.0, 1),
    ],
)
def test_auto_starts_fewer_workers_where_environments_are_fast(cores, num_envs, step_us, expected, monkeypatch):
    monkeypatch.setattr(partition, "available_cores", lambda: cores)
    spec = SPEC._replace(step_seconds=step_us and step_us * 1e-6)
    assert num_workers(SamplingConfig(num_envs=num_envs), spec) == expected
    assert num_workers(SamplingConfig(num_envs=num_envs, num_workers=2), spec) == 2


def test_each_half_of_an_overlapped_pool_has_workers_for_its_own_environments(monkeypatch):
    monkeypatch.setattr(partition, "available_cores", lambda: 16)
    spec = SPEC._replace(step_seconds=5e-6)
    of_half = num_workers(SamplingConfig(num_envs=32), spec)
    assert num_workers(SamplingConfig(num_envs=64, overlap=True), spec) == of_half
    assert num_workers(SamplingConfig(num_envs=64), spec) > of_half


def test_steps_are_tried_only_to_choose_the_number_of_workers():
    auto, fixed = SamplingConfig(), SamplingConfig(num_workers=2)
    assert 1e-6 < describe(EnvConfig(id="CartPole-v1"), auto).step_seconds < 1e-3
    assert describe(EnvConfig(id="CartPole-v1"), fixed).step_seconds is None
    assert describe(EnvConfig(id="ALE/Pong-v5"), auto).step_seconds is None


@pytest.mark.parametrize(("is_used", "ignores"), [(True, False), (False, True)])
def test_a_trial_finds_an_action_mask_that_is_ignored(is_used, ignores):
    assert describe(EnvConfig(id="Taxi-v4", action_mask=is_used), SamplingConfig()).ignores_mask is ignores


@pytest.mark.parametrize("action", ["raise", "exit", "os exit", "crash", "hang", "hang in C"])
@pytest.mark.parametrize("call", ["reset", "step"])
def test_an_environment_that_fails_in_the_trial_is_left_to_the_run(call, action):
    quick = SamplingConfig(worker_timeout=2, close_timeout=1)
    assert describe(rude(**{call: [action]}), quick) == SPEC
