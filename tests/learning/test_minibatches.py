"""Shuffled minibatches."""

import numpy as np

from paac_cli.learning.minibatches import minibatches


def test_every_step_of_a_rollout_is_visited_once_an_epoch_in_a_new_order():
    epochs = list(minibatches(1, 64, num_steps=3, num_envs=4, num_epochs=3, num_minibatches=4))
    assert [len(rows) for rows in epochs[0]] == [3, 3, 3, 3]
    assert all(sorted(np.concatenate(epoch)) == list(range(12)) for epoch in epochs)
    assert len({tuple(np.concatenate(epoch)) for epoch in epochs}) == 3


def test_the_order_depends_on_the_update():
    first = next(minibatches(1, 64, num_steps=3, num_envs=4, num_epochs=3, num_minibatches=4))
    again, later = (
        next(minibatches(1, steps, num_steps=3, num_envs=4, num_epochs=1, num_minibatches=4)) for steps in (64, 128)
    )
    assert np.array_equal(again, first)
    assert not np.array_equal(later, first)


def test_minibatches_of_whole_environments_have_all_their_steps_in_order():
    epochs = list(minibatches(1, 64, num_steps=3, num_envs=4, num_epochs=2, num_minibatches=2, whole_envs=True))
    for epoch in epochs:
        envs = [rows.reshape(3, 2) % 4 for rows in epoch]
        assert all((part == part[0]).all() for part in envs)
        assert all((rows.reshape(3, 2) // 4 == [[0, 0], [1, 1], [2, 2]]).all() for rows in epoch)
        assert sorted(np.concatenate([part[0] for part in envs])) == [0, 1, 2, 3]
    assert any((first != second).any() for first, second in zip(*epochs, strict=True))
