"""Where the time of one step goes, how near that is to what the machine allows, and what limits it.

All microseconds are per agent step of one environment. `budget_us` is wall time: what the environments
need, measured alone, is divided by the cores, `wait` is what the learner stands at the pool beyond that,
`act` and `learn` are as the learner's clock has them; together they are the time from one step to the
next, but for the little that looking at the clock takes. `wait` is about 0, or below it by what
measurements scatter, where the pool is as fast as its environments. With `sampling.overlap` what the environments
need hides behind acting, and `wait` is all that the learner stands at the pool.

The bound is all cores at work all the time on what cannot be left out: `cores / CPU time`, where CPU time is
    sampler   that of the emulator alone (of a Gymnasium environment, of its step);
    learner   that of acting and learning alone (none on a GPU: the cores do not compute there);
    train     the sum of both (on a GPU, of what the cores do for it).
"""

import platform
import textwrap
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

from paac_cli import __version__
from paac_cli.bench.cycle import Window, median_window
from paac_cli.bench.env_costs import EnvCosts
from paac_cli.config.schema import RunConfig
from paac_cli.machine import available_cores

What = Literal["sampler", "learner", "train"]

_PARTS = {
    "emulate": ("4 frames of the bare emulator", "the environment's own step"),
    "preprocess": ("screens, stack, rules, new games", ""),
    "wait": ("at the pool, beyond these", "at the pool, beyond that"),
    "act": ("choosing actions",) * 2,
    "learn": ("updates",) * 2,
}
_BOUNDS = {
    "sampler": ("the bare emulator on all cores", "the environments alone on all cores"),
    "learner": ("network CPU time / cores",) * 2,
    "train": ("(emulator + network CPU time) / cores", "(environment + network CPU time) / cores"),
}


class Measured(NamedTuple):
    """All that `report` is made of."""

    what: What
    config: RunConfig
    windows: list[Window]
    num_workers: int | None = None  #: None where no pool took part
    costs: EnvCosts | None = None  #: of the environments alone; None likewise
    network_us: float | None = None  #: CPU microseconds of acting and learning, alone; None without a learner
    device: str | None = None  #: the learner's, in words; None likewise

    @property
    def least_us(self) -> float:
        """CPU microseconds of one step that cannot be left out."""
        return (self.costs.emulate if self.costs else 0.0) + (self.network_us or 0.0)


def cpu_us(windows: list[Window]) -> float:
    """CPU microseconds of this process for one step."""
    window = median_window(windows)
    return 1e6 * window.cpu / window.steps


def counted(number: int, noun: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def report(measured: Measured) -> dict[str, Any]:
    """Everything as plain data, in the order in which it is told. What does not apply is None, or not there."""
    cores, window = available_cores(), median_window(measured.windows)
    speeds = [window.steps_per_second for window in measured.windows]
    budget = _budget(measured, window, cores)
    has_bound = measured.what != "learner" or measured.device == "CPU"
    bound = cores * 1e6 / measured.least_us if has_bound else None
    in_lock_step = measured.num_workers is not None and not measured.config.sampling.overlap
    idle = 1.0 - window.busy / window.env if in_lock_step else None
    limited_by, sentence = _limit(measured, budget, window, cores)
    return {
        "what": measured.what,
        "env": measured.config.env.id,
        "protocol": measured.config.env.protocol,
        "algorithm": None if measured.what == "sampler" else measured.config.algorithm.name,
        "torso": None if measured.what == "sampler" else measured.config.network.torso,
        "num_envs": measured.config.sampling.num_envs,
        "num_workers": measured.num_workers,
        "cores": cores,
        "device": measured.device,
        "seconds": round(sum(window.seconds for window in measured.windows), 3),
        "windows": len(measured.windows),
        "steps_per_second": round(window.steps_per_second, 1),
        "spread": [round(min(speeds), 1), round(max(speeds), 1)],
        "bound_steps_per_second": None if bound is None else round(bound, 1),
        "share_of_bound": None if bound is None else round(window.steps_per_second / bound, 4),
        "budget_us": {part: round(us, 2) for part, us in budget.items()},
        "cpu_us": _alone(measured),
        "learner_share": round((window.act + window.learn) / window.seconds, 4) if measured.device else None,
        "worker_idle_share": None if idle is None else round(idle, 4),
        "waiting_share": None if idle is None else round(idle * window.env / window.seconds, 4),
        "limited_by": limited_by,
        "sentence": sentence,
        "versions": _versions(measured),
    }


def in_words(told: dict[str, Any]) -> str:
    """A report for people, in 80 columns."""
    bare = told["protocol"] is None  # of a Gymnasium environment nothing can be told apart
    rules = f" ({told['protocol']})" if told["protocol"] else ""
    learner = f", {told['algorithm']}, {told['torso']}" if told["algorithm"] else ""
    workers = f" on {counted(told['num_workers'], 'worker')}" if told["num_workers"] else ""
    device = f", learner on {told['device']}" if told["device"] else ""
    budget, period = told["budget_us"], 1e6 / told["steps_per_second"]
    lines = [
        f"{told['what']}: {told['env']}{rules}{learner}",
        f"{counted(told['num_envs'], 'environment')}{workers}, {counted(told['cores'], 'core')}{device}",
        "",
        f"{'one step':12}{'us':>9}{'share':>8}",
        *(f"  {part:10}{us:9.1f}{us / period:8.0%}   {_PARTS[part][bare]}" for part, us in budget.items()),
        f"  {'in all':10}{period:9.1f}{1:8.0%}",
        "",
        f"{'steps/s':14}{told['steps_per_second']:,.0f} (median of {told['windows']} windows, "
        f"{told['spread'][0]:,.0f} to {told['spread'][1]:,.0f})",
    ]
    if told["bound_steps_per_second"] is not None:
        of_what = _BOUNDS[told["what"]][bare]
        lines.append(f"{'bound':14}{told['bound_steps_per_second']:,.0f}: {of_what}")
        lines.append(f"{'reached':14}{told['share_of_bound']:.0%} of the bound")
    alone = ", ".join(f"{part} {us:,.0f}" for part, us in told["cpu_us"].items())
    lines.append(f"{'alone':14}CPU us on one core: {alone}")
    if told["device"]:
        lines.append(f"{'learner':14}at work {told['learner_share']:.0%} of the time, on {told['device']}")
    if told["worker_idle_share"] is not None:
        lines.append(f"{'workers':14}idle {told['worker_idle_share']:.0%} of the time that the learner is at the pool")
    return "\n".join([*lines, "", textwrap.fill(told["sentence"], 79)])


def _budget(measured: Measured, window: Window, cores: int) -> dict[str, float]:
    """Part -> microseconds of wall time, of those parts that there are."""
    budget, costs, us = {}, measured.costs, 1e6 / window.steps
    if measured.config.sampling.overlap and measured.what != "learner":
        budget["wait"] = us * window.env  # what hides behind acting cannot be told apart
    elif costs is not None:
        budget["emulate"] = costs.emulate / cores
        if costs.preprocess is not None:
            budget["preprocess"] = costs.preprocess / cores
        budget["wait"] = us * window.env - sum(budget.values())
    if measured.device is not None:
        budget |= {"act": us * window.act, "learn": us * window.learn}
    return budget


def _alone(measured: Measured) -> dict[str, float]:
    """Part -> CPU microseconds of a step, measured with nothing else to do."""
    costs, alone = measured.costs, {}
    if costs is not None:
        alone["emulate"] = costs.emulate
        if costs.preprocess is not None:
            alone["preprocess"] = costs.preprocess
    if measured.network_us is not None:
        alone["network"] = measured.network_us
    return {part: round(us, 2) for part, us in alone.items()}


def _limit(measured: Measured, budget: dict[str, float], window: Window, cores: int) -> tuple[str, str]:
    """What takes most of a step, in a word and in a sentence."""
    share = {part: f"{us * window.steps_per_second / 1e6:.0%}" for part, us in budget.items()}
    if measured.what == "learner":
        word, rest = ("learning", "acting") if budget["learn"] > budget["act"] else ("acting", "learning")
        parts = {"learning": share["learn"], "acting": share["act"]}
        return word, f"{word.capitalize()} takes {parts[word]} of the learner's time, and {rest} {parts[rest]}."
    emulator = "emulator" if measured.config.env.is_atari else "environment"
    groups = {
        emulator: budget.get("emulate", 0.0),
        "preprocessing": budget.get("preprocess", 0.0),
        "waiting": budget["wait"],
    }
    if measured.device is not None:
        groups["network"] = budget["act"] + budget["learn"]
    word = max(groups, key=lambda name: groups[name])
    if word == "network":
        elsewhere = "" if measured.device == "CPU" else f", on {measured.device}, while the cores wait"
        says = f"acting takes {share['act']} and learning {share['learn']} of each step{elsewhere}"
    elif word == "waiting":
        says = f"for {share['wait']} of each step the learner is at the pool in vain, {_why(measured, window, cores)}"
    elif word == "preprocessing":
        says = f"it takes {share['preprocess']} of each step, the emulator itself {share['emulate']}"
    else:
        says = f"it takes {share['emulate']} of each step, shared by {counted(cores, 'core')}"
    the = "The " if word in ("network", emulator) else ""
    return word, f"{the}{word if the else word.capitalize()} limits this machine: {says}."


def _why(measured: Measured, window: Window, cores: int) -> str:
    """Why the pool takes longer than its environments need."""
    assert measured.costs is not None
    assert measured.num_workers is not None
    if measured.config.sampling.overlap:
        return "because the environments take longer than what hides them"
    if measured.num_workers < cores:
        return f"because only {measured.num_workers} of {cores} cores have a worker"
    idle = window.env - window.busy
    slower = window.busy - 1e-6 * window.steps * measured.costs.step / measured.num_workers
    if idle > slower:
        return "for messages and for the slowest worker; more environments for each worker (--num-envs) make that rarer"
    return "because the workers are slower than alone: they share the cores with something else"


def _versions(measured: Measured) -> dict[str, str]:
    emulator = "ale-py" if measured.config.env.is_atari else "gymnasium"
    packages = ["numpy", emulator, *(["tensorflow"] if measured.device else [])]
    return {
        "paac": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
