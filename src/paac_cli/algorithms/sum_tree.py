"""Drawing in proportion to priorities, in logarithmic time."""

import numpy as np
from numpy.typing import NDArray


class SumTree:
    """Numbers >= 0 and all their partial sums, as a binary tree in one array.

    Node `i` is the sum of nodes `2i` and `2i + 1`; the numbers are the leaves, on the last level.
    """

    def __init__(self, size: int) -> None:
        self._first_leaf = 1 << max(size - 1, 1).bit_length()
        self.nodes = np.zeros(2 * self._first_leaf)

    @property
    def total(self) -> float:
        return float(self.nodes[1])

    def get(self, indices: NDArray) -> NDArray:
        """The numbers at `indices` [B]."""
        return self.nodes[self._first_leaf + indices]

    def set(self, indices: NDArray, value: NDArray) -> None:
        """Set the numbers at `indices` [B] to `value` [B]. Where an index occurs twice, the last value counts."""
        node = self._first_leaf + indices
        self.nodes[node] = value
        while len(node) and node[0] > 1:
            node = np.unique(node // 2)
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1]

    def find(self, position: NDArray) -> tuple[NDArray, NDArray]:
        """Indices [B] and values [B] of the numbers that `position` [B] in [0, total) falls on.

        Number `i` covers the positions from the sum of the numbers before it to that sum plus itself.
        """
        node, position = np.ones(len(position), np.int64), position.copy()
        while node[0] < self._first_leaf:
            left = self.nodes[2 * node]
            # Rounding may put a position beyond the total; a number of 0 is never found.
            goes_right = (position >= left) & (self.nodes[2 * node + 1] > 0.0)
            position -= np.where(goes_right, left, 0.0)
            node = 2 * node + goes_right
        return node - self._first_leaf, self.nodes[node]
