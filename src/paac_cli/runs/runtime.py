"""The software and hardware on which the bits of a run depend, besides its config and seed."""

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

#: What may differ between ranks; the versions of packages may not.
_OF_EACH_RANK = ("processor", "cores", "device", "tensorflow_threads", "xla_flags", "onednn")


class Runtime(BaseModel):
    """The software and hardware of one session of a run. Every checkpoint stores it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    python: str  #: version; not compared, because no result depends on it
    versions: dict[str, str]  #: package -> version
    processor: str  #: model name
    cores: PositiveInt  #: that the process may use
    device: str  #: of the learner: "CPU", or the name of a GPU
    deterministic: bool  #: whether operations on `device` are deterministic
    tensorflow_threads: str  #: threads per operation, or "as cores"
    xla_flags: str
    onednn: str  #: TF_ENABLE_ONEDNN_OPTS, or "by default"
    #: Of the other processes (ranks) that train together with this one, in order, each without `others`.
    others: "tuple[Runtime, ...]" = Field(default=(), strict=False)

    @property
    def ranks(self) -> int:
        """The number of processes that train together: they add gradients in another order than one does."""
        return 1 + len(self.others)


def approximate_reasons(
    now: Runtime, before: Runtime | None = None, earlier: Iterable[str] = (), *, resumes_exactly: bool = True
) -> tuple[str, ...]:
    """Why a run is not promised to be bit-for-bit reproducible in a session with runtime `now`; empty if it is.

    before, earlier: the runtime and the reasons in the checkpoint from which the session resumes; None and () at the
    start of a run. An approximate run stays approximate.
    resumes_exactly: as in `AlgorithmConfig`.
    """
    reasons = [*earlier]
    if before is not None:
        reasons += _changes(before, now)
    if not now.deterministic:
        reasons.append("training.deterministic is false, so the GPU adds in no fixed order")
    if before is not None and not resumes_exactly:
        reasons.append("checkpoints do not hold the whole state of the algorithm, e.g. its replay buffer")
    return unique(reasons)


def unique(reasons: Iterable[str]) -> tuple[str, ...]:
    """Each reason once, in the order of their first occurrence."""
    return tuple(dict.fromkeys(reasons))


def _changes(before: Runtime, now: Runtime) -> Iterator[str]:
    """One reason for each value that differs; packages that only one runtime lists are not compared."""
    for name, version in now.versions.items():
        if before.versions.get(name, version) != version:
            yield f"{name} was {before.versions[name]} and is {version}"
    yield from _differences(before, now, ("ranks", *_OF_EACH_RANK))
    if before.ranks == now.ranks:
        for rank, (earlier, later) in enumerate(zip(before.others, now.others, strict=True), start=1):
            yield from _differences(earlier, later, _OF_EACH_RANK, f" of rank {rank}")


def _differences(before: Runtime, now: Runtime, names: Iterable[str], whose: str = "") -> Iterator[str]:
    for name in names:
        if getattr(before, name) != getattr(now, name):
            label = name.replace("_", " ")
            yield f"{label}{whose} was {getattr(before, name)} and is {getattr(now, name)}"
