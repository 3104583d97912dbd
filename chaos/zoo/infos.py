"""Environments with odd `info`, and odd arguments of their constructor."""

from pathlib import Path
from typing import Any

import numpy as np

from chaos.zoo.case import Outcome, ends_well, fails
from chaos.zoo.toy import Toy, case

_SUCCESS = "train && head -1 run/metrics.csv | grep -q success && play"


class _Succeeds(Toy):
    success: Any = True

    def info(self) -> Any:
        return {"is_success": self.success}


@case(ends_well("success"), _SUCCESS)
class SucceedsWithBool(_Succeeds):
    """info["is_success"] is True."""


@case(ends_well("success"), _SUCCESS)
class SucceedsWithNumpy(_Succeeds):
    """info["is_success"] is a NumPy bool."""

    success = np.bool_(True)


@case(ends_well("success"), _SUCCESS)
class SucceedsWithFloat(_Succeeds):
    """info["is_success"] is a float."""

    success = np.float32(1.0)


@case(ends_well(), "train && play")
class SucceedsWithText(_Succeeds):
    """info["is_success"] is text."""

    success = "yes"


@case(ends_well(), "train && play")
class SucceedsWithNone(_Succeeds):
    """info["is_success"] is None."""

    success = None


@case(ends_well(), "train && play")
class SucceedsWithArray(_Succeeds):
    """info["is_success"] is an array."""

    success = np.ones(3)


@case(ends_well(), "train --set training.info_keys=[distance] && head -1 run/metrics.csv | grep -q distance")
class LogsInfo(Toy):
    """Numbers of info are logged as the config says, where there are any."""

    def info(self) -> Any:
        return {"distance": "far" if self.steps % 2 else 3.5}


@case(ends_well(), "train --set training.info_keys=[speed] && play")
class LogsMissingInfo(Toy):
    """The config names a key that info never has."""


@case(ends_well())
class OddInfoKeys(Toy):
    """info has keys that are no strings."""

    def info(self) -> Any:
        return {0: 1, None: 2, (1, 2): 3, "action_mask": np.ones(2, np.int8), "episode": 5, "final_observation": 7}


@case(ends_well())
class HugeInfo(Toy):
    """info has 10 MB."""

    def info(self) -> Any:
        return {"map": np.zeros(10_000_000, np.uint8)}


@case(Outcome((0, 1)))
class HostileInfo(Toy):
    """info holds an object that raises whatever one does with it."""

    def info(self) -> Any:
        return {"is_success": _Hostile(), "x": _Hostile()}


class _Hostile:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("do not touch")

    def __float__(self) -> float:
        raise RuntimeError("do not touch")

    __bool__ = __float__  # type: ignore[assignment]


@case(Outcome((0, 1)))
class InfoNone(Toy):
    """info is None."""

    def info(self) -> Any:
        return None


@case(fails(1, "info", "dict"), "train")
class InfoList(Toy):
    """info is a list."""

    def info(self) -> Any:
        return [1, 2]


@case(
    fails(2, "trust", without=("localhost",)),
    "train --set 'env.kwargs={address: \"localhost:8080\"}' && paac eval run --episodes 2",
)
class TakesAddress(Toy):
    """Takes an address with a colon, which is no code that would be imported."""

    def __init__(self, address: str, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        assert address == "localhost:8080"


@case(
    ends_well(),
    'train --set \'env.kwargs={port: "90{env_index}", worker: "{worker_index}"}\' && test -e 900 -a -e 901 && play',
)
class TakesPort(Toy):
    """Every copy needs a port of its own."""

    def __init__(self, port: str, worker: str, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        assert worker in "01", worker
        Path(port).touch()


@case(ends_well(), "train && play")
class MutableDefault(Toy):
    """Collects what it observes in a default argument that all its objects share."""

    def __init__(self, render_mode: str | None = None, seen: list[Any] = []) -> None:  # noqa: B006
        super().__init__(render_mode)
        self.seen = seen

    def observe(self) -> Any:
        self.seen.append(super().observe())
        return self.seen[-1]


@case(fails(2, "cannot be made", "size"))
class NeedsArgument(Toy):
    """Needs an argument that the config does not give."""

    def __init__(self, size: int, render_mode: str | None = None) -> None:
        super().__init__(render_mode)


@case(fails(2, "cannot be made", "colour"), "train --set env.kwargs.colour=red")
class TakesNoColour(Toy):
    """The config gives an argument that it does not take."""
