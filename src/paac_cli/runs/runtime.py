"""The software and hardware that a run's bits depend on, beside its config and its seed."""

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict, PositiveInt


class Runtime(BaseModel):
    """What a session of a run computes with. Every checkpoint stores it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    python: str  #: version; no sum depends on it, so it is not compared
    versions: dict[str, str]  #: package -> version
    processor: str  #: model name
    cores: PositiveInt  #: that the process may use
    device: str  #: of the learner: "CPU", or the name of a GPU
    deterministic: bool  #: whether `device` adds in a fixed order
    tensorflow_threads: str  #: threads of one operation, or "as cores"
    xla_flags: str
    onednn: str  #: TF_ENABLE_ONEDNN_OPTS, or "by default"


def approximate_reasons(
    now: Runtime, before: Runtime | None = None, earlier: Iterable[str] = (), *, resumes_exactly: bool = True
) -> tuple[str, ...]:
    """Why a run is not promised to be bit-for-bit reproducible in a session with runtime `now`; empty if it is.

    before, earlier: the runtime and the reasons of the checkpoint that the session resumes; None and () at the start
    of a run. A run that has once been approximate stays so.
    resumes_exactly: whether a checkpoint holds everything that learning needs.
    """
    reasons = [*earlier]
    if before is not None:
        reasons += _changes(before, now)
    if not now.deterministic:
        reasons.append("without training.deterministic a GPU adds in any order")
    if before is not None and not resumes_exactly:
        reasons.append("the checkpoints do not hold the experience to learn from")
    return unique(reasons)


def unique(reasons: Iterable[str]) -> tuple[str, ...]:
    """Each reason once, in the order of their first occurrence."""
    return tuple(dict.fromkeys(reasons))


def _changes(before: Runtime, now: Runtime) -> Iterator[str]:
    """One reason for each value that both runtimes name and that differs."""
    for name, version in now.versions.items():
        if before.versions.get(name, version) != version:
            yield f"{name} was {before.versions[name]} and is {version}"
    for name in ("processor", "cores", "device", "tensorflow_threads", "xla_flags", "onednn"):
        if getattr(before, name) != getattr(now, name):
            label = name.replace("_", " ")
            yield f"{label} was {getattr(before, name)} and is {getattr(now, name)}"
