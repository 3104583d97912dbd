"""What a study leaves on disk: its config, its trials, and the best settings as a preset.

base.yaml      the config of all trials, without what varies
study.yaml     the search space, the seeds, the number of trials at a time, and whether trials are pruned
trials.json    settings, outcome and score of each trial
best.yaml      the config of the best trial, as a preset
trial<K>/seed<S>    the run directory of trial K with seed S; what it printed is in seed<S>.txt beside it
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from pydantic import TypeAdapter, ValidationError

from paac_cli.config import yaml_io
from paac_cli.config.load import changed_settings, is_free_on_resume, load_config, read_config, to_yaml
from paac_cli.config.schema import RunConfig
from paac_cli.config.trust import code_names
from paac_cli.errors import RunDirectoryError
from paac_cli.files import make_directory, read_regular, replace_synced
from paac_cli.runs.directory_lock import DirectoryLock
from paac_cli.text import reason
from paac_cli.tuning.space import SearchSpace, to_data
from paac_cli.tuning.trial import Trial

_STUDY, _BASE, _TRIALS, _BEST = "study.yaml", "base.yaml", "trials.json", "best.yaml"
#: On these depend scores, and the parts of a trial after which it is compared.
_DECIDE_SCORES = (
    "training.total_steps",
    "training.log_every",
    "training.evaluate_every",
    "training.evaluate_episodes",
    "training.evaluate_greedy",
    "training.evaluate_max_steps",
)
_MAX_BYTES = 1 << 26
_TRIAL_LIST = TypeAdapter(list[Trial])


class Design(NamedTuple):
    """What a study is. The same design gives the same trials."""

    base: RunConfig  #: of all trials, but for what varies; its seed decides which settings are proposed
    space: SearchSpace
    seeds: tuple[int, ...]  #: with which each trial trains
    jobs: int  #: trials at a time; a trial is proposed without the results of the `jobs - 1` trials before it
    prune: bool  #: whether trials that are worse than others are stopped early

    def config_of(self, settings: Mapping[str, Any]) -> RunConfig:
        """The config of a trial with these settings, dotted key -> value. Raises ConfigError."""
        return load_config(self.base.model_dump(mode="json"), _BASE, settings)

    @property
    def data(self) -> dict[str, Any]:
        """All but `base`, as it is written in YAML."""
        return {
            "seeds": list(self.seeds),
            "jobs": self.jobs,
            "prune": self.prune,
            "space": to_data(self.space),
        }


class StudyDirectory:
    """The directory of a study. A context manager that releases the lock: only one process at a time works in it."""

    def __init__(self, path: Path, design: Design) -> None:
        self.path, self._design = path, design
        self.base, self.best = path / _BASE, path / _BEST
        self._lock: DirectoryLock | None = None

    def __enter__(self) -> Self:
        """Create the directory, or continue the study in it.

        Raises RunDirectoryError if it holds anything else or another study, or cannot be used, and ConfigError if the
        config is too large.
        """
        base = to_yaml(self._design.base)
        try:
            is_study = (self.path / _STUDY).is_file()
            if not is_study and self.path.exists() and any(self.path.iterdir()):
                raise RunDirectoryError(
                    f"{self.path} is neither empty nor a study (it has no {_STUDY}); choose another --run-dir"
                )
            make_directory(self.path)
            self._lock = DirectoryLock(self.path)
            if is_study:
                self._require_same()
            replace_synced(self.base, [base.encode()])
            replace_synced(self.path / _STUDY, [yaml_io.dump(self._design.data).encode()])
        except BlockingIOError:
            raise RunDirectoryError(f"another process works on the study in {self.path}") from None
        except OSError as error:
            self._release()
            raise RunDirectoryError(f"{self.path} cannot be used: {reason(error, self.path)}") from error
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def run(self, trial: int, seed: int) -> Path:
        """The run directory of a trial."""
        return self.path / f"trial{trial}" / f"seed{seed}"

    def read_trials(self) -> list[Trial]:
        """The trials so far, in the order of their numbers. Raises RunDirectoryError."""
        file = self.path / _TRIALS
        try:
            return _TRIAL_LIST.validate_json(read_regular(file, _MAX_BYTES))
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as error:
            raise RunDirectoryError(f"{file} cannot be read: {error}") from error

    def write_trials(self, trials: Sequence[Trial]) -> None:
        """Raises RunDirectoryError."""
        self._write(self.path / _TRIALS, _TRIAL_LIST.dump_json(list(trials), indent=2) + b"\n")

    def write_best(self, config: RunConfig, comment: str) -> None:
        """Write `config` as a preset. comment: one line. Raises RunDirectoryError."""
        self._write(self.best, f"# {comment}\n{to_yaml(config)}".encode())

    def _write(self, file: Path, content: bytes) -> None:
        try:
            replace_synced(file, [content])
        except OSError as error:
            raise RunDirectoryError(f"{file} cannot be written: {reason(error, file)}") from error

    def _require_same(self) -> None:
        """Raises RunDirectoryError if the directory holds a study of another design, ConfigError and TrustError."""
        old, new = yaml_io.read(self.path / _STUDY), self._design.data
        old = old if isinstance(old, dict) else {}
        changed = {key: (old.get(key), new[key]) for key in new if yaml_io.dump(old.get(key)) != yaml_io.dump(new[key])}
        base = self._design.base
        changed |= changed_settings(read_config(self.base, trusted=code_names(base)), base, _is_free)
        if changed:
            lines = "\n".join(
                f"  {key}: {before!r} in the study, {now!r} now" for key, (before, now) in changed.items()
            )
            raise RunDirectoryError(
                f"{self.path} holds another study:\n{lines}\nChoose another directory with --run-dir"
            )

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _is_free(path: tuple[str, ...]) -> bool:
    """Whether trials with another value of this setting have the same scores."""
    return is_free_on_resume(path) and ".".join(path) not in _DECIDE_SCORES
