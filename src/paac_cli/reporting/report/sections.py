"""Sections of a report, as HTML: the result, the video and the events."""

from collections.abc import Iterable, Iterator, Sequence

from paac_cli.reporting.reference_scores import published_scores
from paac_cli.reporting.report.embedded_video import EmbeddedVideo, NoVideo
from paac_cli.reporting.report.event_log import MAX_EVENTS, LoggedEvent, read_events
from paac_cli.reporting.report.markup import Html, element, joined, section, table
from paac_cli.reporting.report.results import Result, mean_of_best
from paac_cli.runs.run_record import Status
from paac_cli.runs.saved_run import SavedRun
from paac_cli.text import clock, counted, format_score, shorten

_UNKNOWN = "\N{EN DASH}"


def _score(value: float | None) -> str:
    """A mean return, and a dash where it is not known."""
    return _UNKNOWN if value is None else format_score(value)


def _count(value: float | None) -> str:
    """`value` with thousands separated, and a dash where it is not known."""
    return _UNKNOWN if value is None else f"{value:,.0f}"


# --- result


def run_result(run: SavedRun, result: Result) -> Html:
    """What one run has reached."""
    goal, frames = run.config.training.stop_when, run.config.env.frames_per_step
    tiles = [
        ("best mean return", _score(result.best), _at(result)),
        ("latest mean return", _score(result.latest), f"goal {goal.mean_return:g}" if goal else ""),
        *_published(run, result),
        (
            "agent steps",
            _count(result.steps),
            f"of {run.config.training.total_steps:,}" + (f"; {result.steps * frames:,} frames" if frames > 1 else ""),
        ),
        ("games", _count(result.games), ""),
        ("training time", _duration(result), "h:mm:ss, all sessions"),
        ("speed", _count(result.speed), "steps per second"),
    ]
    return section("Result", *_failure([(run.name, result)]), _tiles(tiles), name="result")


def group_result(runs: Sequence[SavedRun], names: Sequence[str], results: Sequence[Result]) -> Html:
    """What a group of runs has reached, together and each."""
    mean = mean_of_best(results)
    finished = sum(result.status == Status.FINISHED for result in results)
    steps, seconds = sum(each.steps for each in results), [each.seconds for each in results if each.seconds]
    tiles = [
        ("finished", f"{finished} of {len(runs)}", "runs"),
        ("agent steps", _count(steps), "all runs"),
        ("training time", clock(sum(seconds)) if seconds else _UNKNOWN, "all runs"),
    ]
    if mean is not None:
        interval = f"95 % interval {_score(mean.low)} to {_score(mean.high)}, over {counted(len(runs), 'seed')}"
        tiles.insert(0, ("interquartile mean of the best mean returns", _score(mean.value), interval))
    tiles += _published(runs[0], results[0]._replace(best=mean.value if mean else None))
    columns = ("run", "status", "best mean return", "latest", "agent steps", "games", "time", "steps/s")
    rows = [
        (
            name,
            str(result.status),
            _score(result.best),
            _score(result.latest),
            _count(result.steps),
            _count(result.games),
            _duration(result),
            _count(result.speed),
        )
        for name, result in zip(names, results, strict=True)
    ]
    kinds = " or ".join(dict.fromkeys(map(_games, results)))
    note = element("p", f"Best mean return: {kinds}, when the best policy was saved.", class_="note")
    failures = _failure(list(zip(names, results, strict=True)))
    return section("Result", *failures, _tiles(tiles), table(columns, rows, class_="numbers"), note, name="result")


def describe_status(results: Sequence[Result]) -> str:
    """How far one run is, or how many of a group have each status."""
    found = [result.status for result in results]
    return (
        str(found[0]) if len(found) == 1 else ", ".join(f"{found.count(each)} {each}" for each in dict.fromkeys(found))
    )


def _duration(result: Result) -> str:
    return _UNKNOWN if result.seconds is None else clock(result.seconds)


def _at(result: Result) -> str:
    return f"at {result.best_steps:,} steps; {_games(result)}" if result.best_steps is not None else ""


def _games(result: Result) -> str:
    """What the best mean return is a mean of."""
    return "mean of the games of an evaluation" if result.is_evaluated else "mean of 100 games in training"


def _published(run: SavedRun, result: Result) -> Iterator[tuple[str, str, str]]:
    """How the best mean return compares with published scores, where there are any."""
    scores = published_scores(run.config.env)
    if scores is None:
        return
    if result.best is not None:
        share = f"{scores.human_normalised(result.best):.1%}"
        yield "human-normalised", share, f"0 % = random play {scores.random:,g}, 100 % = human {scores.human:,g}"
    network, paper = scores.paper(run.config.network.torso)
    yield "PAAC paper", f"{paper:,g}", f"network {network}, rule set paac2017"


def _tiles(tiles: Iterable[tuple[str, str, str]]) -> Html:
    return element(
        "dl",
        *(
            element("div", element("dt", name), element("dd", value), element("dd", note, class_="note"))
            for name, value, note in tiles
        ),
        class_="tiles",
    )


def _failure(results: Sequence[tuple[str, Result]]) -> Iterator[Html]:
    for name, result in results:
        if result.reason:
            yield element("p", element("strong", f"{name} failed: "), result.reason, class_="alert")


# --- video


def video_section(video: EmbeddedVideo | NoVideo) -> Html:
    """The video, or why it is missing."""
    if isinstance(video, NoVideo):
        hint = (
            [element("p", "To make one:", class_="note"), element("pre", element("code", video.command))]
            if video.command
            else []
        )
        return section("Video", element("p", video.reason), *hint, name="video")
    if video.is_image:
        picture = element("img", src=video.url, alt="The trained agent plays")
    else:
        picture = element("video", src=video.url, controls=True, loop=True, muted=True, playsinline=True)
    return section("Video", element("figure", picture, element("figcaption", video.name)), name="video")


# --- events


def events_section(runs: Sequence[SavedRun], names: Sequence[str]) -> Html:
    """The latest events of each run."""
    logs = [(name, read_events(run)) for run, name in zip(runs, names, strict=True)]
    parts = [_events(name, events, is_alone=len(runs) == 1) for name, events in logs if events]
    note = "Times are in UTC." if parts else "No events."
    return section("Events", element("p", note, class_="note"), *parts, name="events")


def _events(name: str, events: Sequence[LoggedEvent], *, is_alone: bool) -> Html:
    items = [
        element("li", element("time", each.time), " ", element("span", shorten(each.text, 5_000))) for each in events
    ]
    listed = element("ol", *items, class_="events", tabindex="0")
    if len(events) == MAX_EVENTS:
        listed = joined(element("p", f"The latest {MAX_EVENTS} events.", class_="note"), listed)
    title = element("summary", f"{name}: {counted(len(events), 'event')}")
    return listed if is_alone else element("details", title, listed)
