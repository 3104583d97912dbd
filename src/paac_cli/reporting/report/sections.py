"""The sections of a report, as HTML."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from paac_cli.reporting.reference_scores import published_scores
from paac_cli.reporting.report.event_log import MAX_EVENTS, read_events
from paac_cli.reporting.report.film import Film
from paac_cli.reporting.report.markup import Html, element, joined
from paac_cli.reporting.report.results import Result, last_manifest, over_seeds
from paac_cli.reporting.report.settings import PresetComparison, train_command, yaml_text
from paac_cli.runs.run_record import Status
from paac_cli.runs.runtime import Runtime, unique
from paac_cli.runs.saved_run import SavedRun
from paac_cli.text import clock, counted, shell_quoted, shorten

_UNKNOWN = "\N{EN DASH}"
_GAMES = "mean of 100 games in training"
_STATUS = {
    Status.RUNNING: "running",
    Status.STOPPED: "stopped; the same command resumes it",
    Status.FINISHED: "finished",
    Status.FAILED: "failed",
    Status.KILLED: "killed; the same command resumes it",
}


def section(title: str, *children: str, name: str) -> Html:
    """A section of the page with this heading."""
    return element("section", element("h2", title), *children, id=name)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, class_: str = "") -> Html:
    """A table that scrolls by itself where it is too wide. Cells are text, or Html."""
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in columns)))
    body = element("tbody", *(element("tr", *(element("td", cell) for cell in row)) for row in rows))
    return element("div", element("table", head, body, class_=class_), class_="scroll", tabindex="0")


def number(value: float | None, digits: int = 1) -> str:
    """`value` with thousands separated, and a dash where it is not known."""
    return _UNKNOWN if value is None else f"{value:,.{digits}f}"


# --- result


def run_result(run: SavedRun, result: Result) -> Html:
    """What one run has reached."""
    goal, frames = run.config.training.stop_when, run.config.frames_per_step
    tiles = [
        ("best mean return", number(result.best), _at(result)),
        ("latest mean return", number(result.latest), f"goal {goal.mean_return:g}" if goal else ""),
        *_published(run, result),
        (
            "agent steps",
            number(result.steps, 0),
            f"of {run.config.training.total_steps:,}" + (f"; {result.steps * frames:,} frames" if frames > 1 else ""),
        ),
        ("games", number(result.games, 0), ""),
        ("training time", _duration(result), "h:mm:ss, all sessions"),
        ("speed", number(result.speed, 0), "steps per second"),
    ]
    return section("Result", *_failure([(run.name, result)]), _tiles(tiles), name="result")


def group_result(runs: Sequence[SavedRun], names: Sequence[str], results: Sequence[Result]) -> Html:
    """What a group of runs has reached, together and each."""
    mean = over_seeds(results)
    finished = sum(result.status == Status.FINISHED for result in results)
    tiles = [("finished", f"{finished} of {len(runs)}", "runs")]
    if mean is not None:
        interval = f"95 % interval {number(mean.low)} to {number(mean.high)}, over {counted(len(runs), 'seed')}"
        tiles.insert(0, ("interquartile mean of the best mean returns", number(mean.value), interval))
    tiles += _published(runs[0], results[0]._replace(best=mean.value if mean else None))
    columns = ("run", "status", "best mean return", "latest", "agent steps", "games", "time", "steps/s")
    rows = [
        (
            name,
            str(result.status),
            number(result.best),
            number(result.latest),
            number(result.steps, 0),
            number(result.games, 0),
            _duration(result),
            number(result.speed, 0),
        )
        for name, result in zip(names, results, strict=True)
    ]
    note = element("p", f"Best mean return: {_GAMES}, when the best policy was saved.", class_="note")
    failures = _failure(list(zip(names, results, strict=True)))
    return section("Result", *failures, _tiles(tiles), table(columns, rows, class_="numbers"), note, name="result")


def describe_status(results: Sequence[Result]) -> str:
    """How far one run is, or how many of a group have each status."""
    if len(results) == 1:
        return _STATUS[results[0].status]
    found = [result.status for result in results]
    return ", ".join(f"{found.count(status)} {status}" for status in dict.fromkeys(found))


def _duration(result: Result) -> str:
    return _UNKNOWN if result.seconds is None else clock(result.seconds)


def _at(result: Result) -> str:
    return f"at {result.best_steps:,} steps; {_GAMES}" if result.best_steps is not None else ""


def _published(run: SavedRun, result: Result) -> Iterator[tuple[str, str, str]]:
    """How the best mean return compares with published scores, where there are any."""
    scores = published_scores(run.config.env)
    if scores is None:
        return
    if result.best is not None:
        share = f"{scores.human_normalised(result.best):.1%}"
        yield "human-normalised", share, f"0 % = random play {scores.random:g}, 100 % = human {scores.human:g}"
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


# --- film


def film_section(film: Film | None, run: SavedRun, message: str) -> Html:
    """The film. message: why there is none."""
    if film is None:
        command = element("pre", element("code", f"paac record --checkpoint {shell_quoted(str(run.path))} --overlay"))
        hint = [element("p", "To make one:", class_="note"), command] if last_manifest(run) is not None else []
        return section("Film", element("p", message), *hint, name="film")
    if film.is_image:
        picture = element("img", src=film.url, alt="The trained agent plays")
    else:
        picture = element("video", src=film.url, controls=True, loop=True, muted=True, playsinline=True)
    return section("Film", element("figure", picture, element("figcaption", film.name)), name="film")


# --- settings


def settings_section(comparison: PresetComparison, config_text: str) -> Html:
    """What differs from the preset, and all settings. config_text: the run's config.yaml."""
    everything = element(
        "details", element("summary", "All settings (config.yaml)"), element("pre", element("code", config_text))
    )
    return section("Settings", *_differences(comparison), everything, name="settings")


def _differences(comparison: PresetComparison) -> Iterator[Html]:
    name, differences = element("code", comparison.preset), comparison.differences
    if not comparison.preset:
        yield element("p", "The run does not record its preset: an earlier version of paac has made it.")
    elif differences is None:
        text = ". It does not ship with paac, or the algorithm does not, so they are not compared."
        yield element("p", "Started with the preset ", name, text)
    elif not differences:
        yield element("p", "Exactly those of the preset ", name, ", but for the seed.")
    else:
        yield element("p", "Preset ", name, ", but for the seed and:")
        rows = [
            (joined(element("code", each.key), " †" if each.is_free else ""), *map(_value, (each.preset, each.run)))
            for each in differences
        ]
        yield table(("setting", "preset", "this run"), rows)
        if any(each.preset == "auto" for each in differences):
            yield element("p", "A setting that is auto in the preset was decided when the run started.", class_="note")
        if any(each.is_free for each in differences):
            note = "† decides how long, how fast and where a run trains, and what it saves, but not what a step learns."
            yield element("p", note, class_="note")


def _value(value: Any) -> Html:
    return element("code", shorten(yaml_text(value), 300))


# --- reproduction


def reproduction_section(runs: Sequence[SavedRun], best: SavedRun, comparison: PresetComparison) -> Html:
    """The commands that train `runs` again, and that play and verify the `best`; and what they depend on."""
    manifests = [manifest for run in runs if (manifest := last_manifest(run)) is not None]
    ranks = manifests[0].runtime.ranks if manifests else 1
    train = train_command(comparison, [run.config.seed for run in runs], ranks)
    path = shell_quoted(str(best.path))
    commands = [("Train again", train)]
    if last_manifest(best) is not None:
        commands.append(("Play 100 games with the best policy", f"paac eval {path} --episodes 100"))
    if best.newest is not None:
        commands.append(("Verify that the run is a function of its config and seed", f"paac verify {path}"))
    parts: list[Html] = []
    for title, command in commands:
        parts += [element("h3", title), element("pre", element("code", command))]
        if command is train and comparison.overrides is None:
            parts.append(element("p", "config.yaml is in the run directory, and above under Settings.", class_="note"))
    if manifests:
        parts.append(_packages([manifest.runtime for manifest in manifests]))
    parts += [element("h3", "What is promised"), *_exactness([manifest.approximate for manifest in manifests])]
    return section("How to reproduce it", *parts, name="reproduce")


def _packages(runtimes: Sequence[Runtime]) -> Html:
    versions = {**runtimes[0].versions}
    own = versions.pop("paac", "")
    pins = " ".join(shell_quoted(f"{name}=={version}") for name, version in versions.items())
    title = element("h3", f"Install the same versions, beside paac {own}")
    return joined(title, element("pre", element("code", f"pip install {pins}")))


def _exactness(reasons: Sequence[tuple[str, ...]]) -> Iterator[Html]:
    if not reasons:
        yield element("p", "Not known: there is no checkpoint that can be read.")
    elif not any(reasons):
        yield element(
            "p",
            element("strong", "Exact. "),
            "The same command gives the same run, bit for bit, on the same type of processor or GPU, with the same "
            "number of cores and the same versions. The number of workers, killed workers, stops and resumes do not "
            "change it.",
        )
    else:
        yield element("p", element("strong", "Approximate: "), "not promised to be reproducible bit for bit, because")
        yield element("ul", *(element("li", reason) for reason in unique(each for group in reasons for each in group)))


# --- machine


def machine_section(runs: Sequence[SavedRun], names: Sequence[str]) -> Html:
    """The machine and the versions of packages, of each run where they differ."""
    by_runtime: dict[str, tuple[Runtime, list[str]]] = {}
    for run, name in zip(runs, names, strict=True):
        if (manifest := last_manifest(run)) is not None:
            key = manifest.runtime.model_dump_json()
            by_runtime.setdefault(key, (manifest.runtime, []))[1].append(name)
    if not by_runtime:
        return section("Machine and versions", element("p", "Not known: there is no checkpoint."), name="machine")
    parts: list[Html] = []
    for runtime, users in by_runtime.values():
        if len(by_runtime) > 1:
            parts.append(element("h3", ", ".join(users)))
        rows = [element("div", element("dt", key), element("dd", value)) for key, value in _machine_rows(runtime)]
        parts.append(element("dl", *rows, class_="pairs"))
    return section("Machine and versions", *parts, name="machine")


def _machine_rows(runtime: Runtime) -> Iterator[tuple[str, str]]:
    yield "processor", runtime.processor
    yield "cores", str(runtime.cores)
    yield "device", runtime.device
    if runtime.ranks > 1:
        yield "ranks", str(runtime.ranks)
    yield "Python", runtime.python
    yield from runtime.versions.items()
    yield "deterministic operations", "yes" if runtime.deterministic else "no"
    yield "TensorFlow's threads", runtime.tensorflow_threads
    yield "XLA flags", runtime.xla_flags
    yield "oneDNN", runtime.onednn


# --- events


def events_section(runs: Sequence[SavedRun], names: Sequence[str]) -> Html:
    """The latest events of each run."""
    parts: list[Html] = []
    for run, name in zip(runs, names, strict=True):
        events = read_events(run)
        items = [
            element("li", element("time", each.time), " ", element("span", shorten(each.text, 5_000)))
            for each in events
        ]
        listed = element("ol", *items, class_="events", tabindex="0") if items else element("p", "No events.")
        if len(events) == MAX_EVENTS:
            listed = joined(element("p", f"The latest {MAX_EVENTS} events.", class_="note"), listed)
        title = element("summary", f"{name}: {counted(len(events), 'event')}")
        parts.append(listed if len(runs) == 1 else element("details", title, listed))
    return section("Events", element("p", "Times are in UTC.", class_="note"), *parts, name="events")
