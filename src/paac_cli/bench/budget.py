"""Where the time of a step goes, an upper bound on the speed of this machine, and what limits the speed.

All microseconds are per agent step of one environment. `budget_us` divides the wall time of a step into

    emulate, preprocess   CPU time of the environments, measured alone, divided by the number of cores
    wait                  time that the learner waits for the workers beyond that
    act, learn            time in the learner's `act` and `learn`

These add up to the wall time of a step, except for the short time that the measurement itself takes. If the workers
are as fast as the environments alone, `wait` is about 0; measurements scatter, so it may be slightly negative. With
`sampling.overlap` environments step while the learner acts, and `wait` is all the time that the learner waits for them.

The bound on the speed assumes that all cores are always busy with unavoidable work. It is `cores / CPU time of a step`,
with the CPU time of

    sampler   the bare emulator (for Gymnasium: the environment's `step`)
    learner   acting and learning, measured alone (no bound on a GPU, where the cores do not compute)
    train     the sum of both (on a GPU: of the emulator and of what the cores do for the GPU)
"""

import platform
from importlib.metadata import version
from typing import Any

from paac_cli import __version__
from paac_cli.bench.cycle import TimedWindow, median_window
from paac_cli.bench.measurement import Measurement
from paac_cli.import_tensorflow import onednn_setting
from paac_cli.machine import available_cores, processor, vector_extensions
from paac_cli.sampling.partition import fastest_number
from paac_cli.text import counted


def budget_report(measured: Measurement) -> dict[str, Any]:
    """The whole report as plain data, in printing order. Entries that do not apply are None or absent."""
    cores, window = available_cores(), median_window(measured.windows)
    speeds = [window.steps_per_second for window in measured.windows]
    budget = _budget(measured, window, cores)
    has_bound = measured.workload != "learner" or measured.device == "CPU"
    bound = cores * 1e6 / measured.unavoidable_us if has_bound else None
    in_lock_step = measured.num_workers is not None and not measured.config.sampling.overlap
    idle = 1.0 - window.busy / window.env if in_lock_step else None
    limited_by, sentence = _limit(measured, budget, window, cores)
    has_learner = measured.workload != "sampler"
    return {
        "what": measured.workload,
        "env": measured.config.env.id,
        "protocol": measured.config.env.protocol,
        "algorithm": measured.config.algorithm.name if has_learner else None,
        "torso": measured.config.network.torso if has_learner else None,
        "processor": processor(),
        "vector_extensions": vector_extensions(),
        "onednn": onednn_setting() if has_learner else None,
        "precision": measured.config.network.precision if has_learner else None,
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
        "cpu_us": _costs_alone(measured),
        "arithmetic": _arithmetic(measured, window),
        "learner_share": round((window.act + window.learn) / window.seconds, 4) if measured.device else None,
        "worker_idle_share": None if idle is None else round(idle, 4),
        "waiting_share": None if idle is None else round(idle * window.env / window.seconds, 4),
        "limited_by": limited_by,
        "sentence": sentence,
        "versions": _versions(measured),
    }


def _budget(measured: Measurement, window: TimedWindow, cores: int) -> dict[str, float]:
    """Part of a step -> microseconds of wall time."""
    budget, costs, us = {}, measured.costs, 1e6 / window.steps
    if measured.config.sampling.overlap and measured.workload != "learner":
        budget["wait"] = us * window.env  # the rest of the environments' time is hidden behind acting
    elif costs is not None:
        budget["emulate"] = costs.emulate / cores
        if costs.preprocess is not None:
            budget["preprocess"] = costs.preprocess / cores
        budget["wait"] = us * window.env - sum(budget.values())
    if measured.device is not None:
        budget |= {"act": us * window.act, "learn": us * window.learn}
    return budget


def _costs_alone(measured: Measurement) -> dict[str, float]:
    """Part of a step -> CPU microseconds, measured while nothing else runs."""
    costs, alone = measured.costs, {}
    if costs is not None:
        alone["emulate"] = costs.emulate
        if costs.preprocess is not None:
            alone["preprocess"] = costs.preprocess
    if measured.network_us is not None:
        alone["network"] = measured.network_us
    return {part: round(us, 2) for part, us in alone.items()}


def _arithmetic(measured: Measurement, window: TimedWindow) -> dict[str, float] | None:
    """The products and convolutions of a step: how many, how long they take at least, and how much longer it takes."""
    found = measured.arithmetic
    if found is None:
        return None
    return {
        "mflop": round(found.flop / 1e6, 3),
        "gflops": round(found.flop_per_second / 1e9, 1),
        "us": round(found.us, 2),
        "times_as_long": round(1e6 * (window.act + window.learn) / window.steps / found.us, 2) if found.us else 0.0,
    }


def _limit(measured: Measurement, budget: dict[str, float], window: TimedWindow, cores: int) -> tuple[str, str]:
    """The part that takes most of a step, as a word and as a sentence."""
    share = {part: f"{us * window.steps_per_second / 1e6:.0%}" for part, us in budget.items()}
    if measured.workload == "learner":
        word, other = ("learning", "acting") if budget["learn"] > budget["act"] else ("acting", "learning")
        parts = {"learning": share["learn"], "acting": share["act"]}
        return word, f"{word.capitalize()} takes {parts[word]} of the learner's time, and {other} {parts[other]}."
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
        on_gpu = "" if measured.device == "CPU" else f", on {measured.device}, while the cores wait"
        why = f"acting takes {share['act']} and learning {share['learn']} of each step{on_gpu}"
    elif word == "waiting":
        cause = _why_waiting(measured, window, cores)
        why = f"for {share['wait']} of each step the learner waits for the workers, {cause}"
    elif word == "preprocessing":
        why = f"it takes {share['preprocess']} of each step, and the emulator {share['emulate']}"
    else:
        why = f"it takes {share['emulate']} of each step, spread over {counted(cores, 'core')}"
    subject = f"The {word}" if word in ("network", emulator) else word.capitalize()
    return word, f"{subject} limits the speed: {why}."


def _why_waiting(measured: Measurement, window: TimedWindow, cores: int) -> str:
    """Why the workers take longer than the environments alone."""
    assert measured.costs is not None
    assert measured.num_workers is not None
    if measured.config.sampling.overlap:
        return "because stepping the environments takes longer than the acting that overlaps it"
    num_envs, step_seconds = measured.config.sampling.num_envs, 1e-6 * measured.costs.step
    if measured.num_workers < fastest_number(num_envs, step_seconds, cores):
        what, option = ("worker", "--num-workers") if measured.num_workers < num_envs else ("environment", "--num-envs")
        return f"because {counted(measured.num_workers, what)} cannot use {cores} cores; start more of them ({option})"
    if measured.num_workers < cores:
        return (
            "because steps are so fast that messages to more workers would take longer than those workers save; give "
            "each worker more environments (--num-envs)"
        )
    idle = window.env - window.busy
    slowdown = window.busy - 1e-6 * window.steps * measured.costs.step / measured.num_workers
    if idle > slowdown:
        return "because of messages and of the slowest worker; give each worker more environments (--num-envs)"
    return "because the workers are slower than environments alone: other programs use the same cores"


def _versions(measured: Measurement) -> dict[str, str]:
    """Package -> version, for the packages whose speed was measured."""
    emulator = "ale-py" if measured.config.env.is_atari else "gymnasium"
    packages = ["numpy", emulator, *(["tensorflow"] if measured.device else [])]
    return {
        "paac": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
