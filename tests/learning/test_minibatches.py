"""Shuffled minibatches."""

import numpy as np

from paac_cli.learning.minibatches import minibatches


def test_every_step_of_a_rollout_is_visited_once_an_epoch_in_a_new_order():
    epochs = list(minibatches(1, 64, size=12, num_epochs=3, num_minibatches=4))
    assert [len(rows) for rows in epochs[0]] == [3, 3, 3, 3]
    assert all(sorted(np.concatenate(epoch)) == list(range(12)) for epoch in epochs)
    assert len({tuple(np.concatenate(epoch)) for epoch in epochs}) == 3


def test_the_order_depends_on_the_update():
    first = next(minibatches(1, 64, size=12, num_epochs=3, num_minibatches=4))
    again, later = (next(minibatches(1, steps, size=12, num_epochs=1, num_minibatches=4)) for steps in (64, 128))
    assert np.array_equal(again, first)
    assert not np.array_equal(later, first)
