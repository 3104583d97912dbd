"""Finds the trackers that `training.trackers` names. Only `paac train` does so: importing code runs it."""

import importlib
import importlib.util
from collections.abc import Callable, Iterable

from paac_cli.config.trust import hidden_file
from paac_cli.errors import ConfigError, DependencyError
from paac_cli.import_tensorflow import import_tensorflow
from paac_cli.runs.tracking import TrackedRun, Tracker
from paac_cli.text import describe_error, how_to_install

TENSORBOARD = "tensorboard"  #: the name of the tracker that `TensorBoardSink` is
_BUILT_IN = {
    "wandb": "paac_cli.runs.trackers.wandb:WandbTracker",
    "mlflow": "paac_cli.runs.trackers.mlflow:MlflowTracker",
    "trackio": "paac_cli.runs.trackers.trackio:TrackioTracker",
}


def require_trackers(names: Iterable[str]) -> None:
    """Check that all trackers can be used. Imports those of a user's own.

    Raises DependencyError, which says what to install, if a package is missing, and ConfigError if a tracker of a
    user's own cannot be imported.
    """
    for name in names:
        if name in _BUILT_IN:
            if importlib.util.find_spec(name) is None:  # the package has the same name
                raise DependencyError(
                    f"training.trackers: {name} needs the package {name}, which is not installed; try: "
                    f"{how_to_install(name)}"
                )
        elif name != TENSORBOARD:
            import_tensorflow()  # before the tracker's module, which may import it, too
            try:
                _find(name)
            except Exception as error:  # third-party code may raise anything while it is imported
                hidden = hidden_file(name.partition(":")[0])
                raise ConfigError(
                    f"training.trackers: {name} cannot be imported: {describe_error(error)}{hidden}"
                ) from error


def make_tracker(name: str, run: TrackedRun) -> Tracker:
    """Make the tracker `name` for `run`. Raises whatever its import and its class raise."""
    return _find(name)(run)


def _find(name: str) -> Callable[[TrackedRun], Tracker]:
    """The class of the tracker `name`, but for `TENSORBOARD`. Raises whatever its import raises."""
    module, _, class_name = _BUILT_IN.get(name, name).partition(":")
    found: Callable[[TrackedRun], Tracker] = getattr(importlib.import_module(module), class_name)
    return found
