"""Every setting is documented."""

import re
from typing import Annotated, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from marked_code import code_in, unmarked_code
from minimal_config import config_classes


@pytest.mark.parametrize("model", list(config_classes()), ids=lambda model: model.__name__)
def test_every_class_and_every_field_has_a_description(model):
    assert model.__doc__
    for name, field in model.model_fields.items():
        annotation = field.annotation
        is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)  # described by its class
        assert field.description or is_section, f"{model.__name__}.{name} has no description"


def limits(annotation, metadata):
    """The numbers that bound a setting, but for those that need no text: 1 for a count, and limits against overflow."""
    for constraint in metadata:
        for name in ("gt", "ge", "lt", "le"):
            limit = getattr(constraint, name, None)
            if limit is not None and limit < 10**6 and not (name in ("gt", "ge") and annotation is int):
                yield f"{limit:,}"
        yield from limits(annotation, getattr(constraint, "metadata", ()))


def parts(annotation, metadata=()):
    """The types of which the annotation of a setting consists, each with its metadata."""
    if get_origin(annotation) is Annotated:
        inner, *inner_metadata = get_args(annotation)
        yield from parts(inner, inner_metadata)
        return
    yield annotation, metadata
    if get_origin(annotation) not in (Literal, dict):  # the values of `torsos` are those of `torso`
        for part in get_args(annotation):
            yield from parts(part)


@pytest.mark.parametrize("model", list(config_classes()), ids=lambda model: model.__name__)
def test_every_description_gives_the_range_and_the_choices(model):
    for name, field in model.model_fields.items():
        if name == "name":
            continue
        for annotation, metadata in parts(field.annotation, field.metadata):
            for limit in limits(annotation, metadata):
                pattern = rf"(?<![\w.,]){re.escape(limit)}(?![\w.,]*\d)"
                assert re.search(pattern, field.description), f"{model.__name__}.{name} does not give {limit}"
            for choice in get_args(annotation) if get_origin(annotation) is Literal else ():
                assert choice in code_in(field.description), f"{model.__name__}.{name} does not give `{choice}`"


@pytest.mark.parametrize("model", list(config_classes()), ids=lambda model: model.__name__)
def test_code_in_descriptions_is_in_backticks(model):
    assert not unmarked_code(model.__doc__)
    for name, field in model.model_fields.items():
        assert not unmarked_code(field.description or ""), f"{model.__name__}.{name}"


@pytest.mark.parametrize(
    ("text", "unmarked"),
    [
        ("0 = constant, e.g. none; in [0, 1], 4:3, and/or 1.5 x < 2; i.e. all", []),
        ("uses num_envs / 2, or `training.total_steps`.", ["num_envs"]),
        ("in training.total_steps, or a .mp4", ["training.total_steps,", ".mp4"]),
        ("with --seed and <N>, or module:Class", ["--seed", "<N>,", "module:Class"]),
        ("null = none; `auto", ["null", "`auto"]),
    ],
)
def test_unmarked_code_is_found(text, unmarked):
    assert unmarked_code(text) == unmarked
