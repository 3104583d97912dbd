"""Short forms of the trials that damage files."""

import pytest

from chaos import corruption, fuzz, saves


@pytest.mark.parametrize(
    ("trial", "arguments"),
    [
        (saves, {"every": 24, "random_cuts": 1}),
        (corruption, {"every": 5, "megabytes": 1, "parts": 20}),
        (fuzz, {"inputs": 2000, "processes": 1}),
    ],
    ids=["saves", "corruption", "fuzz"],
)
def test_a_short_trial_has_no_failures(trial, arguments):
    result = trial.run(seed=1, **arguments)
    assert result.tried > 200
    assert (result.failures, result.notes[1:]) == (0, ())
