"""Whatever the input, loading it raises no exception but ConfigError."""

from hypothesis import given, settings
from hypothesis import strategies as st

from minimal_config import MINIMAL, config_classes, load, load_set
from paac_cli.config import yaml_io
from paac_cli.config.load import load_config, to_yaml
from paac_cli.config.schema import RunConfig
from paac_cli.errors import ConfigError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = sorted({name for model in config_classes() for name in model.model_fields})
SECTIONS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), PLAIN, max_size=5)
NEARLY = st.fixed_dictionaries(
    {}, optional={name: SECTIONS | PLAIN for name in RunConfig.model_fields} | {"other": PLAIN}
)


@settings(max_examples=300, deadline=None)
@given(PLAIN | SECTIONS | NEARLY)
def test_any_plain_data_loads_or_raises_config_error(data):
    try:
        load_config(data, "any")
    except ConfigError as error:
        assert str(error).startswith("any: ")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(KEYS), st.sampled_from(sorted(RunConfig.model_fields)), PLAIN)
def test_any_value_of_any_key_loads_or_raises_config_error(key, section, value):
    try:
        load_config(MINIMAL, "any", {f"{section}.{key}": value})
    except ConfigError as error:
        assert str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**90), 10**90) | st.floats(-1e90, 1e90) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=3))
def test_any_kwargs_are_unchanged_after_writing_and_reading(kwargs):
    """Also every character that YAML would normalise, and the type of every number."""
    config = load(env__kwargs=kwargs)
    again = load_config(yaml_io.parse(to_yaml(config), "dumped"), "dumped")
    assert repr(again.env.kwargs) == repr(kwargs)


YAMLISH = st.text(st.sampled_from(list("ab1_.e+-:,[]{}&*!|>%@`'\"#?= \t\n~<")), max_size=40)
TAGGED = st.builds(
    "!!{} {}".format,
    st.sampled_from(["map", "seq", "set", "omap", "pairs", "str", "int", "float", "bool", "null", "binary"]),
    st.text(st.sampled_from(list("ab1_.e+-:,[]{}'\" ")), max_size=8),
)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60) | YAMLISH | TAGGED)
def test_any_text_parses_or_raises_config_error(text):
    try:
        yaml_io.parse(text, "any")
    except ConfigError as error:
        assert str(error).startswith("any")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=20) | st.builds("{}={}".format, st.sampled_from(KEYS), YAMLISH), max_size=3))
def test_any_assignments_load_or_raise_config_error(assignments):
    try:
        load_set(*assignments)
    except ConfigError as error:
        assert str(error)
