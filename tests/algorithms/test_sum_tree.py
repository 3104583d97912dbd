"""The sum tree against numbers worked by hand."""

import numpy as np
import pytest

from paac_cli.algorithms.sum_tree import SumTree


def tree_of(*numbers):
    tree = SumTree(len(numbers))
    tree.set(np.arange(len(numbers)), np.array(numbers, np.float64))
    return tree


def numbers(tree, size):
    """The leaves: the second half of the nodes."""
    return tree.nodes[len(tree.nodes) // 2 :][:size].tolist()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9])
def test_a_tree_of_any_size_holds_and_finds_all_its_numbers(size):
    tree = tree_of(*range(1, size + 1))
    assert tree.total == size * (size + 1) / 2
    assert numbers(tree, size) == list(range(1, size + 1))
    indices, values = tree.find(np.cumsum(np.arange(size)) + 0.5)
    assert indices.tolist() == list(range(size))
    assert values.tolist() == list(range(1, size + 1))


def test_find_returns_the_number_that_covers_the_position():
    tree = tree_of(1, 2, 0, 4)
    indices, values = tree.find(np.array([0, 0.99, 1, 2.99, 3, 6.99]))
    assert indices.tolist() == [0, 0, 1, 1, 3, 3]
    assert values.tolist() == [1, 1, 2, 2, 4, 4]


def test_a_position_rounded_beyond_the_total_finds_the_last_number_that_is_not_zero():
    tree = tree_of(1, 2, 0, 0, 0)
    indices, values = tree.find(np.array([3.0, 3.5]))
    assert (indices.tolist(), values.tolist()) == ([1, 1], [2, 2])
    assert tree_of(0.0, 0.0, 5.0).find(np.array([0.0, 5.0]))[0].tolist() == [2, 2]


def test_where_an_index_is_set_twice_the_last_value_counts():
    tree = tree_of(1, 2, 3, 4)
    tree.set(np.array([2, 0, 2]), np.array([7.0, 5.0, 0.5]))
    assert numbers(tree, 4) == [5, 2, 0.5, 4]
    assert tree.total == 11.5
    tree.set(np.array([], int), np.array([]))
    assert tree.total == 11.5


def test_rounding_errors_do_not_accumulate():
    rng, tree = np.random.default_rng(0), SumTree(37)
    for _ in range(2000):
        tree.set(rng.integers(37, size=5), rng.random(5) * 10.0 ** rng.integers(-6, 6, 5))
    tree.set(np.arange(37), np.ones(37))
    assert tree.total == 37
