"""The budget report as human-readable text."""

import textwrap
from collections.abc import Iterator
from typing import Any

from paac_cli.text import counted

#: Part of a step -> its description, for Atari and for other environments.
_PARTS = {
    "emulate": ("4 frames of the bare emulator", "the environment's step"),
    "preprocess": ("frames, stacking, rules, resets", ""),
    "wait": ("rest of the wait for the workers",) * 2,
    "act": ("choosing actions",) * 2,
    "learn": ("updates",) * 2,
}
#: Workload -> what the bound assumes, for Atari and for other environments.
_BOUNDS = {
    "sampler": ("the bare emulator on all cores", "the environments alone on all cores"),
    "learner": ("network CPU time on all cores",) * 2,
    "train": ("emulator and network CPU time on all cores", "environment and network CPU time on all cores"),
}


def format_budget(report: dict[str, Any]) -> str:
    """A `budget_report` as text, at most 80 columns wide."""
    sentence = textwrap.fill(report["sentence"], 79, break_on_hyphens=False)
    return "\n".join([*_header(report), "", *_table(report), "", *_speed(report), "", sentence])


def _header(report: dict[str, Any]) -> Iterator[str]:
    rules = f" ({report['protocol']})" if report["protocol"] else ""
    learner = f", {report['algorithm']}, {report['torso']}" if report["algorithm"] else ""
    workers = f" on {counted(report['num_workers'], 'worker')}" if report["num_workers"] else ""
    device = f", learner on {report['device']}" if report["device"] else ""
    yield f"{report['what']}: {report['env']}{rules}{learner}"
    yield f"{counted(report['num_envs'], 'environment')}{workers}, {counted(report['cores'], 'core')}{device}"
    extensions = f" ({', '.join(report['vector_extensions'])})" if report["vector_extensions"] else ""
    yield from textwrap.wrap(f"{report['processor']}{extensions}", 79)
    if report["device"]:
        onednn = {"1": "on", "0": "off"}.get(report["onednn"], report["onednn"])
        yield f"torsos in {report['precision']}, TensorFlow with oneDNN {onednn}"


def _table(report: dict[str, Any]) -> Iterator[str]:
    us_per_step = 1e6 / report["steps_per_second"]
    yield f"{'one step':12}{'us':>9}{'share':>8}"
    for part, us in report["budget_us"].items():
        yield f"  {part:10}{us:9.1f}{us / us_per_step:8.0%}   {_PARTS[part][_column(report)]}"
    yield f"  {'total':10}{us_per_step:9.1f}{1:8.0%}"


def _speed(report: dict[str, Any]) -> Iterator[str]:
    slowest, fastest = report["spread"]
    yield (
        f"{'steps/s':14}{report['steps_per_second']:,.0f} (median of {report['windows']} windows, "
        f"{slowest:,.0f} to {fastest:,.0f})"
    )
    if report["bound_steps_per_second"] is not None:
        bound = _BOUNDS[report["what"]][_column(report)]
        yield f"{'bound':14}{report['bound_steps_per_second']:,.0f}: {bound}"
        yield f"{'reached':14}{report['share_of_bound']:.0%} of the bound"
    alone = ", ".join(f"{part} {us:,.0f}" for part, us in report["cpu_us"].items())
    yield f"{'alone':14}CPU us per step: {alone}"
    if report["arithmetic"] is not None:
        found = report["arithmetic"]
        least = f"{found['us']:,.1f} us at {found['gflops']:,.0f} GFLOPS,"
        yield f"{'arithmetic':14}{found['mflop']:,.1f} MFLOP per step: {least}"
        yield f"{'':14}as of one matrix product; it takes {found['times_as_long']:.1f} times as long"
    if report["device"]:
        yield f"{'learner':14}busy {report['learner_share']:.0%} of the time, on {report['device']}"
    if report["worker_idle_share"] is not None:
        yield f"{'workers':14}idle {report['worker_idle_share']:.0%} of the time that the learner waits for them"


def _column(report: dict[str, Any]) -> int:
    """Index into the values of `_PARTS` and `_BOUNDS`: 0 for Atari, 1 for other environments."""
    return 0 if report["protocol"] else 1
