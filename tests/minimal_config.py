"""The smallest valid preset, loaded with overrides."""

import pytest

from paac_cli.config.base import ConfigModel
from paac_cli.config.load import load_config, parse_assignments
from paac_cli.errors import ConfigError

MINIMAL = {"env": {"id": "CartPole-v1"}, "network": {"torso": "mlp"}, "training": {"total_steps": 100}}


def load(**overrides):
    """The config of `MINIMAL`, "here.yaml", with overrides; `__` stands for the dot in a key."""
    return load_config(MINIMAL, "here.yaml", {key.replace("__", "."): value for key, value in overrides.items()})


def load_set(*assignments):
    """The config of `MINIMAL`, "here.yaml", with the arguments of `--set`."""
    return load_config(MINIMAL, "here.yaml", parse_assignments(assignments))


def error_message(function, *args, **kwargs):
    """The message of the ConfigError that the call raises."""
    with pytest.raises(ConfigError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def config_classes(base=ConfigModel):
    """All config classes, sections and algorithms alike."""
    for model in base.__subclasses__():
        yield model
        yield from config_classes(model)
