"""results/benchmarks.md, from the numbers of results/benchmarks.json."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from comparison.figures import Round, Spread, failures, fastest, figures, ratios, spread, verdict_of_scaling
from comparison.targets import NEVER_FALLS, OURS, TARGETS, Target

Group = Mapping[str, Any]  #: `made`, how it was made; `rounds`, what was measured

SPEED = "steps_per_second"
MISSED = "**no**"
TITLES = {
    "sampling": "Sampling alone, random actions",
    "nips": "Whole training, nips network",
    "nature": "Whole training, nature network",
    NEVER_FALLS: "Whole training, nips network, by number of environments",
    "small": "Small things",
}
_HEAD = """# Side by side

`make bench` made this. In every round each contestant runs once, alone, in an order that rotates from round to round; a
ratio is taken within a round, and the median of the rounds is what counts, with the lowest and the highest beside it.
A step is one agent step of one environment, four emulator frames; 32 environments of Pong, under the rules of the
protocol `baselines` as far as a contestant knows them, on the CPU, each after a warm-up that does not count. Whole
training is A2C with 5 steps per update, in float32, and by paac also with `network.precision: auto`, which is bfloat16
where the processor multiplies it. benchmarks/peers says what each contestant does, and where it differs. The raw
numbers are in benchmarks.json.
"""


class Row(NamedTuple):
    """One line of a table; `ratio` is ours to this one."""

    label: str
    median: str = ""
    spread: str = ""
    ratio: str = ""
    ratio_spread: str = ""
    target: str = ""
    reached: str = ""


def page(groups: Mapping[str, Group]) -> str:
    """The whole report, of the groups that were measured."""
    return "\n".join([_HEAD, *(_section(name, groups[name]) for name in TITLES if name in groups)])


def missed(groups: Mapping[str, Group]) -> list[str]:
    """What did not reach its target, or could not be measured."""
    rows = ((name, row) for name in TITLES if name in groups for row in rows_of(name, groups[name]["rounds"]))
    return [f"{name}: {row.label}" for name, row in rows if row.reached.startswith((MISSED, "failed"))]


def rows_of(group: str, rounds: Sequence[Round]) -> list[Row]:
    """The table of a group."""
    if group == NEVER_FALLS:
        return list(_rows_of_scaling(rounds))
    targets = [target for target in TARGETS if target.group == group]
    single = [_row_of_figure(target, rounds) for target in targets if not target.against]
    return (list(_rows_of_duels(targets, rounds)) if group != "small" else []) + single


def table(rows: Sequence[Row], compared_with: str = f"{OURS} / it") -> str:
    """In Markdown, without the columns that no row uses."""
    names = Row("", "median", "lowest to highest", compared_with, "lowest to highest", "target", "reached")
    used = [column for column in range(len(names)) if any(row[column] for row in rows)]
    lines = [names, Row(*(["---"] * len(names))), *rows]
    return "\n".join(f"| {' | '.join(line[column] for column in used)} |" for line in lines)


def _rows_of_duels(targets: Sequence[Target], rounds: Sequence[Round]) -> Iterator[Row]:
    """Every contestant, with our ratio to it, and the target where it is the opponent of one."""
    ours = figures(rounds, OURS, SPEED)
    duels = {fastest(rounds, target.against, SPEED): target for target in targets if target.against}
    for contestant in dict.fromkeys([*rounds[0], *duels]):
        speed = figures(rounds, contestant, SPEED)
        found, target = spread(speed.values()), duels.get(contestant)
        ratio = spread(ratios(ours, speed)) if contestant != OURS else None
        row = Row(contestant, *_cells(found, "steps/s"), *(_cells(ratio, "x") if ratio else ("", "")))
        yield row._replace(target=target.told, reached=_reached(target, ratio)) if target else row


def _rows_of_scaling(rounds: Sequence[Round]) -> Iterator[Row]:
    """Every number of environments, with the ratio to the fastest of fewer."""
    best = ""
    for contestant in rounds[0]:
        speed = figures(rounds, contestant, SPEED)
        now, before = spread(speed.values()), figures(rounds, best, SPEED)
        row = Row(contestant, *_cells(now, "steps/s"), target="never falls" if best else "")
        reached, of_best = "" if now else "failed", spread(before.values())
        if now and of_best:
            ratio = spread(ratios(speed, before))
            row = row._replace(**dict(zip(("ratio", "ratio_spread"), _cells(ratio, "x"), strict=True)))
            reached = verdict_of_scaling(now, of_best)
        if now and (of_best is None or now.median > of_best.median):
            best = contestant
        yield row._replace(reached=reached)


def _row_of_figure(target: Target, rounds: Sequence[Round]) -> Row:
    found = spread(figures(rounds, target.contestant, target.key).values())
    label = target.label or target.contestant
    return Row(label, *_cells(found, target.unit), target=target.told, reached=_reached(target, found))


def _reached(target: Target, found: Spread | None) -> str:
    if found is None:
        return "failed"
    return "yes" if target.reached(found.median) else MISSED


def _cells(found: Spread | None, unit: str) -> tuple[str, str]:
    """Median and spread as the report says them."""
    if found is None:
        return "failed", ""
    digits = 0 if unit.strip() in ("steps/s", "MB") else 2
    attached = unit if unit.startswith((" ", "x")) or not unit else f" {unit}"
    return f"{found.median:,.{digits}f}{attached}", f"{found.low:,.{digits}f} to {found.high:,.{digits}f}"


def _section(name: str, group: Group) -> str:
    rounds, made = group["rounds"], group["made"]
    compared_with = "to the fastest above" if name == NEVER_FALLS else f"{OURS} / it"
    notes = [f"- {line}" for line in failures(rounds)]
    parts = [f"## {TITLES[name]}", table(rows_of(name, rounds), compared_with)]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else []), _origin(made, rounds)]) + "\n"


def _origin(made: Mapping[str, Any], rounds: Sequence[Round]) -> str:
    """How, where and of what this was measured."""
    versions: dict[str, set[str]] = {}
    for results in rounds:
        for result in results.values():
            for package, version in result.get("versions", {}).items():
                versions.setdefault(package, set()).add(version)
    versions.pop("python", None)
    told = "".join(f", {package} {' and '.join(sorted(found))}" for package, found in sorted(versions.items()))
    machine = made["machine"]
    return (
        f"`{made['command']}` at commit {made['commit']}, {made['date']}. Rounds: {len(rounds)}, {made['seconds']:g} s "
        f"each. Load before: {made['load']:.1f}. {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory']} of memory, Linux {machine['kernel']}, Python {machine['python']}{told}."
    )
