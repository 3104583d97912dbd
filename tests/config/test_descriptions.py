"""Every setting is documented."""

import re
from typing import Annotated, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

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


def limits_and_choices(annotation, metadata=()):
    """What the annotation of a setting allows, as far as it can be listed."""
    yield from limits(annotation, metadata)
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    elif get_origin(annotation) is Annotated:
        inner, *inner_metadata = get_args(annotation)
        yield from limits_and_choices(inner, inner_metadata)
    elif get_origin(annotation) is not dict:  # the values of `torsos` are those of `torso`
        for part in get_args(annotation):
            yield from limits_and_choices(part)


@pytest.mark.parametrize("model", list(config_classes()), ids=lambda model: model.__name__)
def test_every_description_gives_the_range_and_the_choices(model):
    for name, field in model.model_fields.items():
        if name == "name":
            continue
        for value in limits_and_choices(field.annotation, field.metadata):
            pattern = rf"(?<![\w.,]){re.escape(value)}(?![\w.,]*\d)"
            assert re.search(pattern, field.description), f"{model.__name__}.{name} does not give {value}"
