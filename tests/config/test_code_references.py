"""Which texts of a config count as code."""

import sys

import pytest

from minimal_config import MINIMAL
from paac_cli.config.algorithms import TRUSTED
from paac_cli.config.load import changed_settings, load_config
from paac_cli.config.schema import RunConfig
from paac_cli.config.trust import code_references, require_trusted
from paac_cli.errors import TrustError


def in_kwargs(text):
    return [reference.name for reference in code_references({"env": {"kwargs": {"a": text}}})]


@pytest.mark.parametrize(
    "text", ["localhost:8080", "http://localhost:8080/x", "tcp://h:1", "12:30", "no: such thing", ":"]
)
def test_addresses_and_sentences_in_kwargs_are_not_code(text):
    assert in_kwargs(text) == []


@pytest.mark.parametrize(
    "text", ["my_envs:Maze-v0", "a.b:C", "my-module:Maze-v0", "numpy:8080", "mine:8080", "a dir:1"]
)
def test_what_could_be_imported_is_code(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    (tmp_path / "a dir").mkdir()
    assert in_kwargs(text) == [text]
    assert "mine" not in sys.modules


def test_everywhere_else_a_colon_means_code():
    data = {"env": {"id": "x:8080"}, "network": {"torso": "x:1", "torsos": {"a": "x:2"}}, "algorithm": {"name": "x:3"}}
    assert [reference.name for reference in code_references(data)] == ["x:8080", "x:1", "x:2", "x:3"]


def test_every_place_counts_with_its_own_path():
    data = {"a": {"b": "m:One"}, "a.b": "m:Two", "c": ["m:Three", {"d": "m:Four"}], "m:Five": None, 7: "m:Six"}
    assert set(code_references(data)) == {
        ("a.b", "m:One"),
        ("'a.b'", "m:Two"),
        ("c[0]", "m:Three"),
        ("c[1].d", "m:Four"),
        ("'m:Five'", "m:Five"),
        ("'7'", "m:Six"),
    }


def test_a_deep_config_is_searched_without_recursion():
    deep = "m:Name"
    for _ in range(10_000):
        deep = [deep]
    assert [reference.name for reference in code_references(deep)] == ["m:Name"]


def test_an_error_lists_a_few_names_and_counts_the_rest():
    with pytest.raises(TrustError) as caught:
        require_trusted({"a": [f"m:Name{number}" for number in range(1_000)] + ["m:" + "x" * 10_000]}, "here", ())
    assert "a[0] = 'm:Name0'" in str(caught.value)
    assert "and 991 more" in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_a_config_that_is_validated_anywhere_else_imports_nothing():
    """The import itself needs the permission, so that no new way to it can be forgotten."""
    data = MINIMAL | {"algorithm": {"name": "json:JSONDecoder"}}
    for context in (None, {}, {TRUSTED: ()}, {TRUSTED: {"json:Other"}}):
        with pytest.raises(ValueError, match="not trusted here"):
            RunConfig.model_validate(data, context=context)
    with pytest.raises(ValueError, match="has no attribute Config"):
        RunConfig.model_validate(data, context={TRUSTED: {"json:JSONDecoder"}})


def test_kwargs_that_differ_only_in_their_nesting_are_a_change():
    old, new = (load_config(MINIMAL, "x", {"env.kwargs": kwargs}) for kwargs in ({"a": {"b": 1}}, {"a.b": 1}))
    assert changed_settings(old, new)
