"""Signs in the metrics that learning has stalled, each with what to try. They inform, and never change a run.

A sign must hold for a while (see `latest_rows`). It does not appear in the curves under results/, all of runs that
learned: `tests/reporting/test_stall.py` checks that.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from paac_cli.config.schema import RunConfig
from paac_cli.envs.rules import RULE_SETS
from paac_cli.events import LearningStalled, Log
from paac_cli.reporting.learning_history import LearningHistory, Row
from paac_cli.spec import ActionSpec

#: Column -> whether it is a mean of squares. Each algorithm has one of them.
_VALUE_LOSSES = {"train/value_loss": True, "train/critic_loss": True, "train/loss": False}


@dataclass(frozen=True)
class RunFacts:
    """What the signs depend on besides the metrics."""

    total_steps: int
    max_entropy: float | None  #: of a policy that chooses at random, in nats; None for continuous or masked actions
    gamma: float | None  #: discount factor; None if the algorithm has none of this name
    clips_rewards: bool  #: whether the agent learns from the signs of rewards
    normalizes: bool  #: whether it learns from rewards or returns in units of their standard deviation
    can_normalize: bool  #: whether the algorithm has a setting `normalize_reward`
    explore: str  #: how to explore more


def facts(config: RunConfig, action: ActionSpec) -> RunFacts:
    """Those of a run with `config` in an environment with `action`."""
    algorithm = config.algorithm
    weight, epsilon = getattr(algorithm, "ent_coef", None), getattr(algorithm, "epsilon_end", None)
    explore = "explore more"
    if isinstance(weight, float):
        explore = f"explore more, e.g. with algorithm.ent_coef={max(2 * weight, 0.01):g} instead of {weight:g}"
    elif weight is not None:
        explore = "explore more, with a higher algorithm.target_entropy"
    elif epsilon is not None:
        explore = "explore for longer, with a larger algorithm.epsilon_anneal_steps or epsilon_end"
    return RunFacts(
        total_steps=config.training.total_steps,
        max_entropy=None if config.env.action_mask else sum(map(math.log, action.choices)) or None,
        gamma=getattr(algorithm, "gamma", None),
        clips_rewards=config.env.protocol is not None and RULE_SETS[config.env.protocol].clip_rewards,
        normalizes=any(getattr(algorithm, f"normalize_{what}", False) for what in ("reward", "value")),
        can_normalize=hasattr(algorithm, "normalize_reward"),
        explore=explore,
    )


class StallWatch:
    """A `MetricSink` that looks for signs and logs each kind of sign once. It comes after `history` among the sinks."""

    def __init__(self, history: LearningHistory, about: RunFacts, log: Log) -> None:
        self.sign: LearningStalled | None = None  #: at present
        self._history, self._about, self._log = history, about, log
        self._logged: set[str] = set()

    def write(self, steps: int, row: Mapping[str, float]) -> None:
        if not self._history.latest_is_kept:
            return
        self.sign = find_sign(self._history.rows, self._about)
        if self.sign is not None and self.sign.sign not in self._logged:
            self._logged.add(self.sign.sign)
            self._log(self.sign)


def find_sign(rows: Sequence[Row], about: RunFacts) -> LearningStalled | None:
    """A sign that learning has stalled, in `rows` from the start of a run; None if there is none.

    Of several, the first one in this order explains the others: values that diverge, rewards that are all the same, a
    policy that no longer explores, returns that do not change.
    """
    latest = latest_rows(rows, about.total_steps)
    if not latest:
        return None
    signs: tuple[Callable[[Sequence[Row], Sequence[Row], RunFacts], LearningStalled | None], ...] = (
        exploding_value_loss,
        equal_rewards,
        low_entropy,
        equal_returns,
    )
    return next((found for sign in signs if (found := sign(latest, rows, about)) is not None), None)


def latest_rows(rows: Sequence[Row], total_steps: int) -> Sequence[Row]:
    """The rows in which a sign must hold; none if the run is too young.

    They cover a twentieth of `total_steps`, or half of the run so far if that is less (`total_steps` may be a number
    that nobody expects to reach), and are at least ten: the columns under `train` are from single updates.
    """
    if not rows:
        return ()
    begin = rows[-1].steps - min(0.05 * total_steps, 0.5 * rows[-1].steps)
    index = min(sum(row.steps < begin for row in rows), len(rows) - 10)
    return rows[index:] if index >= 0 else ()


def exploding_value_loss(latest: Sequence[Row], rows: Sequence[Row], about: RunFacts) -> LearningStalled | None:
    """The typical error of the values is more than ten times as large as the largest return can be.

    Even values that are all 0 have no larger error than that return. No discounted return is larger than the largest
    reward times the number of steps that count: 1 / (1 - gamma), or the length of a game. Under results/ no error is
    larger than that return. The median is taken, because the loss of a single update may be anything.
    """
    name = next((name for name in _VALUE_LOSSES if name in latest[-1].metrics), None)
    losses = _finite(row.get(name) for row in latest) if name else []
    largest = _largest_return(rows, about)
    if not losses or not largest:
        return None
    loss = max(statistics.median(losses), 0.0)
    error = math.sqrt(loss) if _VALUE_LOSSES[str(name)] else loss
    if error <= 10 * largest:
        return None
    return LearningStalled(
        "value_loss",
        f"the values are wrong by {error:.3g} ({name} is {loss:.3g}), while discounted returns are at most about "
        f"{largest:.3g}",
        "lower algorithm.learning_rate or algorithm.max_grad_norm"
        + (", or set algorithm.normalize_reward=true" if about.can_normalize and not about.normalizes else ""),
    )


def equal_rewards(latest: Sequence[Row], rows: Sequence[Row], about: RunFacts) -> LearningStalled | None:
    """All rewards are clipped to the same number, which is not 0, and yet scores differ.

    Rewards are often 0 in a whole rollout, so a 0 would say nothing; but where every step is rewarded, clipping leaves
    only the number of steps to learn from.
    """
    reward = latest[-1].get("rollout/reward_min")
    held = _while(rows, lambda row: reward == row.get("rollout/reward_min") == row.get("rollout/reward_max"))
    returns = _finite(row.mean_return for row in held)
    if not about.clips_rewards or not reward or len(held) < len(latest) or not returns or min(returns) == max(returns):
        return None
    return LearningStalled(
        "clipped_rewards",
        f"since step {held[0].steps:,} every reward that the agent learns from is {reward:g}, because the rule set "
        f"clips rewards to their signs, while mean scores range from {min(returns):,.6g} to {max(returns):,.6g}",
        "all rule sets of Atari clip; to learn from other rewards, make the game an environment of your own (env.id)",
    )


def low_entropy(latest: Sequence[Row], rows: Sequence[Row], about: RunFacts) -> LearningStalled | None:
    """The policy has an entropy below 1 % of that of random actions, and does not play well either.

    The lowest share under results/ is 15 %. A policy that has solved its task may be deterministic, too: so there is no
    sign while the return is in the upper half of its range.
    """
    if about.max_entropy is None:
        return None
    limit = 0.01 * about.max_entropy
    held = _while(rows, lambda row: row.get("train/entropy") < limit)
    returns, recent = _finite(row.mean_return for row in rows), _finite(row.mean_return for row in latest)
    plays_well = recent and min(returns) < max(returns) and statistics.mean(recent) > (min(returns) + max(returns)) / 2
    if len(held) < len(latest) or plays_well:
        return None
    return LearningStalled(
        "entropy",
        f"since step {held[0].steps:,} the policy hardly explores: its entropy is {held[-1].get('train/entropy'):.2g}, "
        f"and that of random actions {about.max_entropy:.3g}",
        f"{about.explore}, or lower algorithm.learning_rate",
    )


def equal_returns(latest: Sequence[Row], rows: Sequence[Row], about: RunFacts) -> LearningStalled | None:
    """The mean return does not change at all over 300 games, and no earlier one was lower.

    Where all games end alike, no action looks better than another. Three times as many games as one mean return is of
    cannot have the same mean by chance. A return that has risen before it became constant is the best possible one, as
    500 in CartPole. Acrobot under results/ has the same return in the first 48 games, and then learns.
    """
    last = latest[-1].mean_return
    tolerance = 1e-5 * abs(last)  # metrics.csv has six digits
    held = _while(rows, lambda row: abs(row.mean_return - last) <= tolerance)
    if len(held) < len(latest) or min(_finite(row.mean_return for row in rows)) < last - tolerance:
        return None
    games = held[-1].get("rollout/episodes") - held[0].get("rollout/episodes")
    if not games >= 300:  # also if it is not known
        return None
    return LearningStalled(
        "returns",
        f"since step {held[0].steps:,} the mean return is {last:g} without any change, over {games:,.0f} games",
        f"where all games end alike there is nothing to learn from: {about.explore}, or let the environment reward "
        "progress (env.wrappers)",
    )


def _while(rows: Sequence[Row], holds: Callable[[Row], bool]) -> Sequence[Row]:
    """The rows at the end for which a condition holds without interruption."""
    return rows[next((index + 1 for index in range(len(rows) - 1, -1, -1) if not holds(rows[index])), 0) :]


def _largest_return(rows: Sequence[Row], about: RunFacts) -> float | None:
    """A bound of the discounted returns that the agent learns from; None if it is not known."""
    if about.normalizes:
        return 10.0  # in standard deviations; rewards are clipped to as many
    if about.gamma is None:
        return None
    lengths = _finite(row.get("rollout/ep_len_mean") for row in rows)
    horizon = min(1 / (1 - about.gamma) if about.gamma < 1 else math.inf, max(lengths, default=math.inf))
    if math.isinf(horizon):
        return None
    rewards = _finite(row.get(f"rollout/reward_{end}") for row in rows for end in ("min", "max"))
    reward = 1.0 if about.clips_rewards else max(map(abs, rewards), default=0.0)
    # Soft actor-critic adds the entropy to each reward.
    bonus = max(_finite(abs(row.get("train/ent_coef") * row.get("train/entropy")) for row in rows), default=0.0)
    scores = [] if about.clips_rewards else _finite(abs(row.mean_return) for row in rows)
    return max((reward + bonus) * horizon, max(scores, default=0.0))


def _finite(numbers: Iterable[float]) -> list[float]:
    return [number for number in numbers if math.isfinite(number)]
