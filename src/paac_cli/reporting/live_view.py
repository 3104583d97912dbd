"""The live view of a training: what it shows, as lines that fit a terminal of any size."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.text import Text

from paac_cli.reporting.character_graphics import UNICODE, Glyphs, divided_bar, progress_bar, sparkline
from paac_cli.reporting.learning_history import LearningHistory, Row
from paac_cli.reporting.wrapping import wrap
from paac_cli.text import clock, one_line, rounded

_LABEL = 8  # columns of the labels on the left
_SMALLEST = 20  # columns for which lines are made; they are truncated to fewer
_GAP = "   "  # between the items of a line
_MORE = " ..."  # at the end of a text of which the rest is not shown
#: Label -> metric, of the metrics that say most about learning. Each algorithm has some of them.
_LEARNING = {
    "entropy": "train/entropy",
    "epsilon": "train/epsilon",
    "value loss": "train/value_loss",
    "loss": "train/loss",
    "mean Q": "train/q_mean",
}
_PART_STYLES = ("cyan", "yellow", "green", "dim")


@dataclass(frozen=True)
class RunPlan:
    """What the view shows of a run besides its metrics."""

    title: str
    total_steps: int
    may_end_earlier: bool  #: because of `stop_when`
    log_every: int  #: steps between rows of metrics
    environments: str  #: what steps the environments: "emulator" for Atari, else "environment"
    start: int = 0  #: the step from which it resumes


class RunMoment(NamedTuple):
    """What the view shows at one moment."""

    history: LearningHistory
    steps: int | None = None  #: so far, of which those since the latest row have no metrics; None: as in that row
    waited: float = 0.0  #: seconds since the latest row of metrics, or since the start of training
    hint: str = ""  #: empty if no sign says that learning has stalled
    event: str = ""  #: the latest one; empty if there was none
    event_age: float = 0.0  #: seconds since then
    has_ended: bool = False  #: so no time is left, and no row will follow


class _Block(NamedTuple):
    """Lines that are shown or left out together."""

    rank: int  #: 0 is the most important
    lines: Sequence[Text]


def draw(plan: RunPlan, moment: RunMoment, width: int, height: int, glyphs: Glyphs = UNICODE) -> list[Text]:
    """The view: at most `height` lines of at most `width` columns. What matters least is left out where lines lack."""
    blocks = [block for block in _blocks(plan, moment, max(width, _SMALLEST), glyphs) if block.lines]
    while sum(len(block.lines) for block in blocks) > height and len(blocks) > 1:
        least = max(blocks, key=lambda block: block.rank)
        blocks = [block for block in blocks if block is not least]
    lines = [line for block in blocks for line in block.lines][: max(height, 1)]
    for line in lines:
        line.no_wrap = True
        line.truncate(max(width, 1), overflow="ellipsis" if glyphs == UNICODE else "crop")
    return lines


def summary(plan: RunPlan, history: LearningHistory) -> str:
    """The latest row as one line of text."""
    assert history.latest is not None
    row = history.latest
    limit = limited_by(row, plan.environments)
    parts = [
        *_progress(plan, RunMoment(history)),
        f"return {_latest_return(row)}",
        *[f"evaluation {text}" for text in _evaluation(history)],
        *([f"best {history.best.score:.2f} at step {history.best.steps:,}"] if history.best else []),
        _games(row),
        *_learning(row),
        *([f"limited by: {limit}"] if limit else []),
    ]
    return _GAP.join(parts)


def progress_line(plan: RunPlan, moment: RunMoment) -> str:
    """How far the run is, as one line of text, for the time between two rows."""
    first = [] if moment.history.latest else [_first_metrics(plan)]
    return _GAP.join([*_progress(plan, moment), *first])


def limited_by(row: Row, environments: str) -> str:
    """What takes most of the time, e.g. "emulator 61 %"; empty if the row does not say it."""
    shares = _shares(row)
    if not shares:
        return ""
    name, share = max(list(zip(_part_names(environments), shares, strict=True))[:3], key=lambda pair: pair[1])
    return f"{name} {_percent(share)}"


def _blocks(plan: RunPlan, moment: RunMoment, width: int, glyphs: Glyphs) -> Iterator[_Block]:
    history, row = moment.history, moment.history.latest
    yield _Block(6, [Text(one_line(plan.title), style="bold")])
    steps = _steps_so_far(plan, moment)
    if row is not None or (steps > plan.start and not moment.has_ended):
        share = steps / plan.total_steps
        done, left = progress_bar(share, width - 6, glyphs)
        yield _Block(2, [Text.assemble((done, "green"), (left, "dim"), f"{_percent(min(share, 1.0)):>6}")])
        yield _Block(0, _flow(_progress(plan, moment), width))
    if row is None and not moment.has_ended:
        yield _Block(1, _flow([_first_metrics(plan), clock(moment.waited)], width))
    elif row is not None:
        curve = sparkline([(each.steps, each.mean_return) for each in history.rows], width - _LABEL, glyphs.levels)
        yield _Block(3, [_labelled("", Text(curve, style="green"))] if curve.strip() else [])
        yield _Block(1, _labelled_items("return", _returns(history, row), width))
        yield _Block(4, _labelled_items("eval", _evaluation(history), width))
        yield _Block(5, _labelled_items("best", _best(history, row), width))
        yield _Block(9, _labelled_items("metrics", _learning(row), width))
        yield from _where_time_goes(row, plan.environments, width, glyphs)
    if moment.event:
        text = f"{clock(moment.event_age)} ago: {one_line(moment.event.partition(chr(10))[0])}"
        yield _Block(7, _labelled_text("event", text, width, most_lines=3))
    if moment.hint:
        yield _Block(4, _labelled_text("hint", one_line(moment.hint), width, most_lines=8, style="yellow"))


def _steps_so_far(plan: RunPlan, moment: RunMoment) -> int:
    row = moment.history.latest
    known = plan.start if row is None else row.steps
    return known if moment.steps is None else max(moment.steps, known)


def _first_metrics(plan: RunPlan) -> str:
    steps = min((plan.start // plan.log_every + 1) * plan.log_every, plan.total_steps)
    return f"first metrics after step {steps:,}"


def _progress(plan: RunPlan, moment: RunMoment) -> list[str]:
    """How many steps there were, how fast, since when, and how long the rest may take."""
    history, row, waited = moment.history, moment.history.latest, moment.waited
    steps = _steps_so_far(plan, moment)
    speed = history.steps_per_second if row else (steps - plan.start) / max(waited, 0.1)
    seconds = waited + (row.seconds if row else 0.0)
    timing = [clock(seconds)] if math.isfinite(seconds) else []
    if speed > 0:
        bound = "at most" if plan.may_end_earlier else "about"
        seconds_left = max(plan.total_steps - steps, 0) / speed  # the last rollout may go beyond total_steps
        left = [] if moment.has_ended else [f"{bound} {clock(seconds_left)} left"]
        timing = [f"{speed:,.0f} steps/s", *timing, *left]
    return [f"{steps:,} of {plan.total_steps:,} steps", *timing]


def _latest_return(row: Row) -> str:
    if math.isnan(row.mean_return):
        return "no game finished yet"
    games = min(row.get("rollout/episodes"), 100)
    return f"{row.mean_return:.2f} ({'first game' if games == 1 else f'last {games:.0f} games'})"


def _returns(history: LearningHistory, row: Row) -> list[str]:
    is_known = history.lowest <= history.highest
    spread = [f"from {history.lowest:.2f} to {history.highest:.2f} so far"] if is_known else []
    return [_latest_return(row), *spread, _games(row)]


def _games(row: Row) -> str:
    games = row.get("rollout/episodes")
    return f"{games:,.0f} game{'' if games == 1 else 's'}"


def _evaluation(history: LearningHistory) -> list[str]:
    """The latest evaluation; [] if there was none."""
    row = history.evaluated
    return [f"{row.evaluation:.2f} (std {row.get('eval/ep_rew_std'):.2f}) at step {row.steps:,}"] if row else []


def _best(history: LearningHistory, row: Row) -> list[str]:
    best = history.best
    if best is None:
        return ["known after 100 games"]
    return [
        f"{best.score:.2f} at step {best.steps:,}",
        "now" if best.steps == row.steps else f"{clock(row.seconds - best.seconds)} ago",
    ]


def _learning(row: Row) -> list[str]:
    known = [(label, row.get(name)) for label, name in _LEARNING.items()]
    return [f"{label} {rounded(value)}" for label, value in known if not math.isnan(value)]


def _shares(row: Row) -> list[float]:
    """Fractions of the time: acting, environments, learning, and the rest. Empty if the row does not have them."""
    spent = [row.get(f"time/{name}_share") for name in ("act", "env", "learn")]
    if not all(math.isfinite(share) and share >= 0 for share in spent) or not any(spent):
        return []
    whole = max(math.fsum(spent), 1.0)
    return [*(share / whole for share in spent), 1 - math.fsum(spent) / whole]


def _part_names(environments: str) -> tuple[str, str, str, str]:
    return "acting", environments, "learning", "rest"


def _where_time_goes(row: Row, environments: str, width: int, glyphs: Glyphs) -> Iterator[_Block]:
    shares, names = _shares(row), _part_names(environments)
    if not shares:
        return
    sizes = divided_bar(shares, width - _LABEL)
    parts = zip(glyphs.parts, sizes, _PART_STYLES, strict=True)
    yield _Block(8, [_labelled("time", Text.assemble(*((glyph * size, style) for glyph, size, style in parts)))])
    legend = [
        Text.assemble((glyph, style), f" {name} {_percent(share)}")
        for glyph, style, name, share in zip(glyphs.parts, _PART_STYLES, names, shares, strict=True)
    ]
    yield _Block(8, _labelled_items("", legend, width))
    yield _Block(3, [_labelled("", Text(f"limited by: {limited_by(row, environments)}"))])


def _percent(fraction: float) -> str:
    return f"{math.floor(100 * fraction + 0.5)} %"


def _flow(items: Iterable[str | Text], width: int) -> list[Text]:
    """`items` one after the other, in as few lines as they need; no item is divided."""
    lines: list[Text] = []
    for item in items:
        if lines and len(lines[-1]) + len(_GAP) + len(item) <= width:
            lines[-1].append(_GAP).append(item)
        else:
            lines.append(Text.assemble(item))
    return lines


def _labelled(label: str, value: Text) -> Text:
    return Text.assemble((label.ljust(_LABEL), "dim"), value)


def _labelled_lines(label: str, lines: Sequence[Text]) -> list[Text]:
    return [_labelled("" if index else label, line) for index, line in enumerate(lines)]


def _labelled_items(label: str, items: Iterable[str | Text], width: int) -> list[Text]:
    return _labelled_lines(label, _flow(items, width - _LABEL))


def _labelled_text(label: str, text: str, width: int, most_lines: int, style: str = "") -> list[Text]:
    lines = wrap(text, width - _LABEL)
    if len(lines) > most_lines:
        last = Text(lines[most_lines - 1])
        last.truncate(width - _LABEL - len(_MORE))
        lines = [*lines[: most_lines - 1], last.plain + _MORE]
    return _labelled_lines(label, [Text(line, style=style) for line in lines])
