"""Placeholders in `env.kwargs` give every copy of an environment values of its own."""

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.envs.placeholders import Copy, fill_placeholders
from pools import open_pool
from rude_envs import SPEC, rude

COPY = Copy(env_index=7, worker_index=2)


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ("{env_index}", "7"),
        ("{worker_index}", "2"),
        ("sim-{worker_index}/{env_index}.log", "sim-2/7.log"),
        ("{env_index + 5000}", 5007),
        ("{worker_index+1}", 3),
        ("port {env_index + 5000}", "port 5007"),
        ("{ env_index }", "7"),
        (["{env_index}", {"a": "{env_index}"}], ["7", {"a": "7"}]),
    ],
)
def test_placeholders_are_filled_at_any_depth(given, filled):
    assert fill_placeholders(EnvConfig(id="x", kwargs={"key": given}), COPY).kwargs == {"key": filled}


@pytest.mark.parametrize(
    "text", ["{}", "{{env}}", "{env}", "{env_index", "{ENV_INDEX}", "{env_index - 1}", "{env_index:03}", "{0}", 7, None]
)
def test_all_other_braces_stay_as_they_are(text):
    config = EnvConfig(id="x", kwargs={"{env_index}": text})
    assert fill_placeholders(config, COPY) is config


def test_every_environment_of_a_pool_has_its_own(tmp_path):
    """Also after a restart of its worker."""
    config = rude(made=["touch", str(tmp_path / "{worker_index}-{env_index}")])
    with open_pool(config, SPEC, num_envs=5, num_workers=2) as pool:
        pool.reset()
        pool.step(np.zeros(5, int))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-0", "0-1", "1-2", "1-3", "1-4"]


def test_they_are_counted_over_both_halves_of_an_overlapped_pool(tmp_path):
    config = rude(made=["touch", str(tmp_path / "{worker_index}-{env_index}")])
    with open_pool(config, SPEC, num_envs=4, num_workers=1, overlap=True) as pool:
        pool.reset()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-0", "0-1", "1-2", "1-3"]
