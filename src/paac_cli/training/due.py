"""When metrics, checkpoints and milestones are due."""

MILESTONES = (1, 3, 10, 30, 100)  #: percent of `total_steps`


class MilestoneDue:
    """True once for every milestone that is reached or passed: every percentage of `MILESTONES`."""

    def __init__(self, total_steps: int, steps: int) -> None:
        """total_steps: of the run; 0: it has no milestones. steps: agent steps so far."""
        self._ahead = [at for percent in MILESTONES if (at := -(-total_steps * percent // 100)) > steps]

    def __call__(self, steps: int) -> bool:
        before, self._ahead = len(self._ahead), [at for at in self._ahead if at > steps]
        return len(self._ahead) < before


class Due:
    """True once for every multiple of `every` steps that is reached or passed."""

    def __init__(self, every: int, steps: int) -> None:
        """steps: agent steps so far."""
        self._every = every
        self._last = steps // every

    def __call__(self, steps: int) -> bool:
        before, self._last = self._last, steps // self._every
        return self._last > before
