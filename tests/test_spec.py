"""Random actions of each kind of action space."""

import numpy as np
import pytest

from paac_cli.spec import ActionSpec, discrete_action


@pytest.mark.parametrize(
    ("action", "low", "high"),
    [
        (discrete_action(("left", "stay", "right")), 0, 2),
        (ActionSpec((2,), (3, 5)), [0, 0], [2, 4]),
        (ActionSpec((2,), ()), [-1, -1], [1, 1]),
    ],
    ids=["discrete", "multi-discrete", "continuous"],
)
def test_random_actions_cover_the_whole_range(action, low, high):
    drawn = action.draw(np.random.default_rng(0), 500, 4)
    assert drawn.shape == (500, 4, *action.shape)
    assert drawn.dtype == action.dtype
    assert np.allclose(drawn.min(axis=(0, 1)), low, atol=0.01)
    assert np.allclose(drawn.max(axis=(0, 1)), high, atol=0.01)
    assert action.draw(np.random.default_rng(0)).shape == action.shape
