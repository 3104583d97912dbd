"""The performance targets."""

from dataclasses import dataclass

PAAC = "paac"
EARLIER = "earlier"  #: the group that compares this version with an earlier one
SCALING = "scaling"  #: the group with the target that more environments never make training slower
_SB3_PPO = ("SB3 PPO, SubprocVecEnv", "SB3 PPO, DummyVecEnv")
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


def earlier(workload: str) -> str:
    """The contestant that is `workload` with an earlier version."""
    return f"{workload}, before"


def _faster(workload: str, factor: float) -> Target:
    return Target(EARLIER, workload, against=(earlier(workload),), at_least=factor, unit="x")


TARGETS = [
    Target("sampling", against=("AtariVectorEnv",), at_least=1.1, unit="x"),
    Target("sampling", against=("EnvPool",), at_least=1.3, unit="x"),
    Target("nips", against=("Keras A2C",), at_least=1.5, unit="x"),
    Target("nips", key="share_of_bound", at_least=0.8, label="share of the upper bound"),
    Target("nips", key="waiting_share", at_most=0.05, label="waiting for the slowest worker"),
    Target(
        "nips",
        "paac, Breakout",
        key="waiting_share",
        at_most=0.05,
        label="waiting for the slowest worker, Breakout from random play",
    ),
    Target("nature", against=("SB3 A2C, SubprocVecEnv", "SB3 A2C, DummyVecEnv"), at_least=2.7, unit="x"),
    Target("nature", key="share_of_bound", at_least=0.8, label="share of the upper bound"),
    Target("cartpole", against=_SB3_PPO, at_least=1.5, unit="x"),
    Target("pendulum", against=_SB3_PPO, at_least=1.5, unit="x"),
    Target("sac", against=("SB3 SAC",), at_least=2.0, unit="x"),
    Target("dqn", against=("SB3 DQN, SubprocVecEnv", "SB3 DQN, DummyVecEnv"), at_least=1.5, unit="x"),
    # On processors with AVX-512. Without it oneDNN, which TensorFlow then leaves off, should give more.
    _faster("nips", 1.15),
    _faster("nature", 1.1),
    _faster("ppo/pong", 1.3),
    _faster("nstep_q/pong", 1.3),
    Target("small", "paac --help", "seconds", at_most=0.3, unit=" s"),
    Target("small", "paac presets list", "seconds", at_most=0.3, unit=" s"),
    Target("small", "a config error", "seconds", at_most=0.3, unit=" s"),
    Target("small", "first update, 2 workers", "seconds", at_most=6.0, unit=" s"),
    Target("small", "first update, 16 workers", "seconds", at_most=10.0, unit=" s"),
    Target("small", "memory", "learner_rss", at_most=1500.0, unit=" MB", label="learner, RSS"),
    Target("small", "memory", "worker_pss", at_most=100.0, unit=" MB", label="largest worker, PSS"),
]
