"""The quick forms of what `chaos` does to files."""

import pytest

from chaos import corruption, fuzz, saves


@pytest.mark.parametrize(
    ("trial", "arguments"),
    [
        (saves, {"every": 14, "by_chance": 1}),
        (corruption, {"every": 5, "megabytes": 1, "parts": 20}),
        (fuzz, {"inputs": 2000, "processes": 1}),
    ],
    ids=["saves", "corruption", "fuzz"],
)
def test_nothing_is_lost(trial, arguments):
    tally = trial.run(seed=1, **arguments)
    assert tally.tried > 200
    assert (tally.lost, tally.notes[1:]) == (0, ())
