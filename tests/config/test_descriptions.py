"""Every setting is documented."""

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
