"""The performance targets."""

from dataclasses import dataclass

PAAC = "paac"
SCALING = "scaling"  #: the group with the target that more environments never make training slower
TIE = 0.03  #: a slowdown that is below this share and within the spread counts as a tie


@dataclass(frozen=True)
class Target:
    """A bound for the median of a figure, or of its ratio to that of other contestants."""

    group: str
    contestant: str = PAAC
    key: str = "steps_per_second"  #: name of the figure
    against: tuple[str, ...] = ()  #: if given, the bound is for the ratio to the fastest of these, taken per round
    at_least: float | None = None  #: either this or `at_most` is given
    at_most: float | None = None
    unit: str = ""
    label: str = ""  #: name of the figure in the report; empty: the name of the contestant

    @property
    def bound(self) -> str:
        """The bound as text for the report, e.g. ">= 1.2x"."""
        sign, number = ("<", self.at_most) if self.at_least is None else (">=", self.at_least)
        return f"{sign} {number:,g}{self.unit}"

    def is_met(self, median: float) -> bool:
        return median < self.at_most if self.at_most is not None else median >= (self.at_least or 0.0)


TARGETS = [
    Target("sampling", against=("AtariVectorEnv",), at_least=1.2, unit="x"),
    Target("sampling", against=("EnvPool",), at_least=1.6, unit="x"),
    Target("sampling", against=("AsyncVectorEnv",), at_least=2.8, unit="x"),
    Target("sampling", against=("bare emulator",), at_least=0.85, unit="x"),
    Target("nips", against=("Keras A2C",), at_least=1.6, unit="x"),
    Target("nips", key="share_of_bound", at_least=0.9, label="share of the upper bound"),
    Target("nips", key="waiting_share", at_most=0.05, label="waiting for the slowest worker"),
    Target(
        "nips",
        "paac, Breakout",
        key="waiting_share",
        at_most=0.05,
        label="waiting for the slowest worker, Breakout from random play",
    ),
    Target("nature", against=("SB3 A2C, SubprocVecEnv", "SB3 A2C, DummyVecEnv"), at_least=3.0, unit="x"),
    Target("nature", key="share_of_bound", at_least=0.9, label="share of the upper bound"),
    Target("small", "paac --help", "seconds", at_most=0.3, unit=" s"),
    Target("small", "paac presets list", "seconds", at_most=0.3, unit=" s"),
    Target("small", "a config error", "seconds", at_most=0.3, unit=" s"),
    Target("small", "first update, 2 workers", "seconds", at_most=6.0, unit=" s"),
    Target("small", "first update, 16 workers", "seconds", at_most=10.0, unit=" s"),
    Target("small", "memory", "learner_rss", at_most=1500.0, unit=" MB", label="learner, RSS"),
    Target("small", "memory", "worker_pss", at_most=100.0, unit=" MB", label="largest worker, PSS"),
]
