"""The quick forms of what `chaos` does to files."""

import pytest

from chaos import corruption, fuzz, saves


@pytest.mark.parametrize(
    "trial",
    [
        lambda: saves.kills_and_errors(every=12),
        lambda: saves.power_cuts(by_chance=1, every=6),
        lambda: corruption.flips(every=5),
        lambda: corruption.cuts_and_tails(every=5),
        lambda: corruption.ranges(megabytes=1, parts=20),
        lambda: fuzz.run(inputs=2000, processes=1),
    ],
    ids=["kills and errors", "power cuts", "flips", "cuts and tails", "ranges", "fuzz"],
)
def test_nothing_is_lost(trial):
    tally = trial()
    assert tally.tried > 100
    assert (tally.lost, tally.notes if tally.lost else ()) == (0, ())
