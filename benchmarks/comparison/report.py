"""results/benchmarks.md, made from the numbers in results/benchmarks.json."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from comparison.figures import Round, Spread, failures, fastest, figures, ratios, scaling_verdict, spread
from comparison.targets import EARLIER, PAAC, SCALING, TARGETS, Target, earlier
from paac_cli.reporting.tables import format_markdown

Group = Mapping[str, Any]  #: `origin`: how the numbers were made; `rounds`: what was measured

SPEED = "steps_per_second"
MISSED = "**no**"
TITLES = {
    "sampling": "Sampling only, random actions",
    "nips": "Complete training, nips network",
    "nature": "Complete training, nature network",
    "cartpole": "Complete training, PPO on CartPole",
    "pendulum": "Complete training, PPO on Pendulum",
    "sac": "Complete training, SAC on Pendulum",
    "dqn": "Complete training, DQN on Pong",
    SCALING: "Complete training, nips network, by number of environments",
    EARLIER: "This version and an earlier one",
    "small": "Response time, start-up and memory",
}
_HEAD = """# Benchmarks

`make bench` made this page. In every round each contestant runs once, alone, in an order that rotates from round to
round. Ratios are taken within a round. The tables show the median of the rounds, with minimum and maximum beside it;
targets apply to the median. A step is one agent step of one environment; in Pong it is four emulator frames. All
contestants run on the CPU, each after a warm-up that does not count. Unless a title says otherwise they play 32
environments of Pong, with the rule set `baselines` as far as they support it, and complete training is A2C with 5 steps
per update in float32; paac also runs with `network.precision: auto`, which is bfloat16 on processors that support it.
PPO on CartPole and Pendulum runs 16 environments, 128 steps per update, and 4 epochs of 4 minibatches.
SAC runs one environment, and makes one update on a batch of 256 per step. DQN runs 8 environments with the `nature`
network, and makes one update on a batch of 32 for every 4 steps.
`benchmarks/peers` documents what each contestant does and where it differs. The raw numbers are in `benchmarks.json`.
"""


class Row(NamedTuple):
    """One line of a table, as text."""

    label: str
    median: str = ""
    spread: str = ""
    ratio: str = ""  #: of paac to this contestant; in the group `scaling`, of this to the fastest before
    ratio_spread: str = ""
    target: str = ""
    met: str = ""


def benchmarks_page(groups: Mapping[str, Group]) -> str:
    """The page in Markdown, with a section for each of `groups`, name -> group."""
    return "\n".join([_HEAD, *(_section(name, groups[name]) for name in TITLES if name in groups)])


def missed_targets(groups: Mapping[str, Group]) -> list[str]:
    """Names of the targets that were missed or not measured."""
    rows = ((name, row) for name in TITLES if name in groups for row in table_rows(name, groups[name]["rounds"]))
    return [f"{name}: {row.label}" for name, row in rows if row.met.startswith((MISSED, "failed"))]


def table_rows(group: str, rounds: Sequence[Round]) -> list[Row]:
    """The rows of the table of a group."""
    if group == SCALING:
        return list(_scaling_rows(rounds))
    targets = [target for target in TARGETS if target.group == group]
    if group == EARLIER:
        return list(_earlier_rows(targets, rounds))
    single = [_figure_row(target, rounds) for target in targets if not target.against]
    return (list(_contestant_rows(targets, rounds)) if group != "small" else []) + single


def table(rows: Sequence[Row], ratio: str = f"{PAAC} / this") -> str:
    """A Markdown table without the columns that no row uses. ratio: heading of the column of ratios."""
    names = Row("", "median", "min to max", ratio, "min to max", "target", "met")
    used = [column for column in range(len(names)) if any(row[column] for row in rows)]
    header, *others = [[line[column] for column in used] for line in (names, *rows)]
    return format_markdown(header, others)


def _contestant_rows(targets: Sequence[Target], rounds: Sequence[Round]) -> Iterator[Row]:
    """Every contestant with the ratio of paac to it. A target is in the row of the contestant in `Target.against`."""
    ours = figures(rounds, PAAC, SPEED)
    opponents = {fastest(rounds, target.against, SPEED): target for target in targets if target.against}
    for contestant in dict.fromkeys([*rounds[0], *opponents]):
        speed = figures(rounds, contestant, SPEED)
        found, target = spread(speed.values()), opponents.get(contestant)
        ratio = spread(ratios(ours, speed)) if contestant != PAAC else None
        row = Row(contestant, *_cells(found, "steps/s"), *(_cells(ratio, "x") if ratio else ("", "")))
        yield row._replace(target=target.bound, met=_met(target, ratio)) if target else row


def _scaling_rows(rounds: Sequence[Round]) -> Iterator[Row]:
    """Every number of environments, with the ratio to the fastest of the smaller numbers."""
    best = ""
    for contestant in rounds[0]:
        speed = figures(rounds, contestant, SPEED)
        now, before = spread(speed.values()), figures(rounds, best, SPEED)
        row = Row(contestant, *_cells(now, "steps/s"), target="never slower" if best else "")
        met, of_best = "" if now else "failed", spread(before.values())
        if now and of_best:
            ratio = spread(ratios(speed, before))
            row = row._replace(**dict(zip(("ratio", "ratio_spread"), _cells(ratio, "x"), strict=True)))
            met = scaling_verdict(now, of_best)
        if now and (of_best is None or now.median > of_best.median):
            best = contestant
        yield row._replace(met=met)


def _earlier_rows(targets: Sequence[Target], rounds: Sequence[Round]) -> Iterator[Row]:
    """Every workload with this version, with the ratio to the earlier one."""
    by_workload = {target.contestant: target for target in targets}
    for workload in [name for name in rounds[0] if earlier(name) in rounds[0]]:
        now, before = (figures(rounds, name, SPEED) for name in (workload, earlier(workload)))
        ratio, target = spread(ratios(now, before)), by_workload.get(workload)
        row = Row(workload, *_cells(spread(now.values()), "steps/s"), *_cells(ratio, "x"))
        yield row._replace(target=target.bound, met=_met(target, ratio)) if target else row


def _figure_row(target: Target, rounds: Sequence[Round]) -> Row:
    found = spread(figures(rounds, target.contestant, target.key).values())
    label = target.label or target.contestant
    return Row(label, *_cells(found, target.unit), target=target.bound, met=_met(target, found))


def _met(target: Target, found: Spread | None) -> str:
    if found is None:
        return "failed"
    return "yes" if target.is_met(found.median) else MISSED


def _cells(found: Spread | None, unit: str) -> tuple[str, str]:
    """The cells for the median and for minimum and maximum."""
    if found is None:
        return "failed", ""
    digits = 0 if unit.strip() in ("steps/s", "MB") else 2
    attached = unit if unit.startswith((" ", "x")) or not unit else f" {unit}"
    return f"{found.median:,.{digits}f}{attached}", f"{found.low:,.{digits}f} to {found.high:,.{digits}f}"


def _section(name: str, group: Group) -> str:
    rounds = group["rounds"]
    ratio = {SCALING: "this / fastest above", EARLIER: f"this / {group.get('revision')}"}.get(name, f"{PAAC} / this")
    notes = [f"- {line}" for line in failures(rounds)]
    parts = [f"## {TITLES[name]}", table(table_rows(name, rounds), ratio)]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else []), _origin(group["origin"], rounds)]) + "\n"


def _origin(origin: Mapping[str, Any], rounds: Sequence[Round]) -> str:
    """The command, commit, machine and versions that made these numbers."""
    versions: dict[str, set[str]] = {}
    for results in rounds:
        for result in results.values():
            for package, version in result.get("versions", {}).items():
                versions.setdefault(package, set()).add(version)
    versions.pop("python", None)
    packages = "".join(f", {package} {' and '.join(sorted(found))}" for package, found in sorted(versions.items()))
    machine = origin["machine"]
    extensions = ", ".join(machine.get("vector_extensions", ()))
    processor = f"{machine['processor']} ({extensions})" if extensions else machine["processor"]
    return (
        f"`{origin['command']}` at commit {origin['commit']}, {origin['date']}. {len(rounds)} rounds of "
        f"{origin['seconds']:g} s each. Load before: {origin['load']:.1f}. {machine['cores']} cores of "
        f"{processor}, {machine['memory']} of memory, Linux {machine['kernel']}, Python {machine['python']}"
        f"{packages}."
    )
