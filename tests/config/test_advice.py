"""Settings that are valid but probably not intended give a warning."""

import pytest

from minimal_config import load
from paac_cli.config.advice import advice


def test_the_defaults_give_no_warning():
    assert advice(load(), (4,)) == []


@pytest.mark.parametrize(("anneal_steps", "is_warned"), [(0, False), (60, True), (100, False), (200, False)])
def test_a_learning_rate_that_reaches_0_before_the_end_is_warned_of(anneal_steps, is_warned):
    warnings = advice(load(algorithm__lr_anneal_steps=anneal_steps))
    assert len(warnings) == is_warned
    assert all("reaches 0 at step 60" in text and "lr_anneal_steps=100" in text for text in warnings)


@pytest.mark.parametrize(
    ("torso", "obs_shape", "is_warned"),
    [
        ("mlp", (84, 84, 4), True),
        ("mlp", (4,), False),
        ("mlp", (3, 5), False),
        ("mlp", None, False),
        ("nips", (84, 84, 4), False),
    ],
)
def test_mlp_on_images_is_warned_of(torso, obs_shape, is_warned):
    warnings = advice(load(network__torso=torso), obs_shape)
    assert len(warnings) == is_warned
    assert all("'mlp' flattens images [84, 84, 4]" in text and "nature" in text for text in warnings)
