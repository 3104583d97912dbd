"""The JSON Schema of presets, with which an editor marks errors, accepts every preset that loads."""

import json
from typing import get_args

import jsonschema
import pytest

from minimal_config import MINIMAL, error_message, load
from paac_cli.config import yaml_io
from paac_cli.config.algorithms import ALGORITHM_CONFIGS
from paac_cli.config.load import load_config, read_config, to_yaml
from paac_cli.config.presets import find_preset, preset_names
from paac_cli.config.schema import RunConfig
from paac_cli.errors import ConfigError

VALIDATOR = jsonschema.Draft202012Validator(RunConfig.model_json_schema())

#: Tried for every key: each is valid for some and invalid for others.
VALUES = [None, True, 0, 1, -1, 2, 0.5, 1.0, 1e6, "", "auto", "cpu", "nature", "a.b:make", "x", [], [3, 4], [64], {}]
VALUES += [
    "fan_in_uniform",
    {"a": "mlp"},
    {"name": "adam"},
    {"name": "radam", "beta_1": 0.5},
    {"decay": 0.5},
    {"mean_return": 3},
]


def accepts(data):
    """As an editor reads it: plain JSON."""
    return VALIDATOR.is_valid(json.loads(json.dumps(data)))


def with_key(key, value):
    section, _, name = key.partition(".")
    required = MINIMAL | {"init_from": {"path": "runs/a"}}  # of a section that MINIMAL lacks
    return MINIMAL | {section: {**required.get(section, {}), name: value} if name else value}


def keys_of(annotation, section):
    model = next(iter(get_args(annotation)), annotation)  # of `Model | None`, the model
    return [f"{section}.{name}" for name in model.model_fields]


SECTIONS = [name for name in RunConfig.model_fields if name not in ("seed", "algorithm")]
KEYS = ["seed", *SECTIONS, "algorithm"]
KEYS += [key for name in SECTIONS for key in keys_of(RunConfig.model_fields[name].annotation, name)]


@pytest.mark.parametrize("name", preset_names())
def test_the_schema_accepts_every_preset_as_it_is_written_and_as_it_is_stored(name):
    path = find_preset(name)
    assert accepts(yaml_io.read(path))
    assert accepts(yaml_io.parse(to_yaml(read_config(path)), "stored"))


@pytest.mark.parametrize("key", KEYS)
def test_the_schema_accepts_whatever_value_of_a_key_loads(key):
    loaded = 0
    for value in VALUES:
        data = with_key(key, value)
        try:
            load_config(data, "here.yaml")
        except ConfigError:
            continue
        loaded += 1
        assert accepts(data), f"{key} = {value!r} loads, but the schema refuses it"
    assert loaded or "." not in key


@pytest.mark.parametrize("name", ALGORITHM_CONFIGS)
def test_the_schema_accepts_whatever_value_of_an_algorithm_loads(name):
    for key in ALGORITHM_CONFIGS[name].model_fields:
        for value in VALUES:
            data = with_key("algorithm", {"name": name, key: value})
            try:
                load_config(data, "here.yaml")
            except ConfigError:
                continue
            assert accepts(data), f"algorithm.{key} = {value!r} loads, but the schema refuses it"


@pytest.mark.parametrize("algorithm", [{}, {"num_steps": 5}, {"gamma": 0.9, "ent_coef": 0.1}])
def test_an_algorithm_without_a_name_is_paac(algorithm):
    assert load(algorithm=algorithm).algorithm.name == "paac"
    assert accepts(with_key("algorithm", algorithm))
    assert not accepts(with_key("algorithm", algorithm | {"clip_coef": 0.1}))  # a key of ppo


def test_the_schema_accepts_an_algorithm_of_your_own():
    own = {"name": "reinforce:Reinforce", "learning_rate": 0.01}
    assert load(algorithm=own).algorithm.name == "reinforce:Reinforce"
    assert accepts(with_key("algorithm", own))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("algorithm", {"name": "pqn"}),
        ("algorithm", {"name": "paac", "gama": 0.9}),
        ("algorithm", {"optimizer": {"name": "sgd"}}),
        ("algorithm", {"optimizer": {"decay": 0.9}}),
        ("network", {"torso": "natur"}),
        ("sampling.num_env", 4),
        ("training.total_steps", 0),
    ],
)
def test_the_schema_refuses_what_does_not_load(key, value):
    data = with_key(key, value)
    assert error_message(load_config, data, "here.yaml")
    assert not accepts(data)
