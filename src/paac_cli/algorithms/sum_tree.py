"""Sampling in proportion to priorities, in logarithmic time."""

import numpy as np
from numpy.typing import NDArray


class SumTree:
    """Numbers >= 0 and their partial sums, as a binary tree in one array.

    `nodes[i] = nodes[2 * i] + nodes[2 * i + 1]`, and `nodes[1]` is the root. The numbers are the leaves, all on the
    last level.
    """

    def __init__(self, size: int) -> None:
        self._first_leaf = 1 << max(size - 1, 1).bit_length()
        self.nodes = np.zeros(2 * self._first_leaf)

    @property
    def total(self) -> float:
        return float(self.nodes[1])

    def set(self, indices: NDArray, value: NDArray) -> None:
        """Set the numbers at `indices` [B] to `value` [B]. Where an index occurs twice, the last value counts."""
        node = self._first_leaf + indices
        self.nodes[node] = value
        while len(node) and node[0] > 1:
            node = np.unique(node // 2)
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1]

    def find(self, position: NDArray) -> tuple[NDArray, NDArray]:
        """For each `position` [B] in [0, total): index [B] and value [B] of the number whose interval contains it.

        The interval of number `i` begins at the sum of all numbers before it, and its length is the number itself.
        """
        node, position = np.ones(len(position), np.int64), position.copy()
        while node[0] < self._first_leaf:
            left = self.nodes[2 * node]
            # A subtree whose sum is 0 is never entered, not even if rounding puts a position beyond the total.
            goes_right = (position >= left) & (self.nodes[2 * node + 1] > 0.0)
            position -= np.where(goes_right, left, 0.0)
            node = 2 * node + goes_right
        return node - self._first_leaf, self.nodes[node]
