"""The page of a report: one HTML file that contains all it needs and requests nothing."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from paac_cli import __version__
from paac_cli.config import yaml_io
from paac_cli.reporting.report import provenance, sections
from paac_cli.reporting.report.chart_data import curve_data
from paac_cli.reporting.report.drawing import curve_svg
from paac_cli.reporting.report.embedded_video import EmbeddedVideo, NoVideo
from paac_cli.reporting.report.markup import Html, element, script_data, section
from paac_cli.reporting.report.results import Result
from paac_cli.reporting.report.settings import compare_with_preset
from paac_cli.runs.run_directory import CONFIG
from paac_cli.runs.saved_run import SavedRun
from paac_cli.text import counted


class Subject(NamedTuple):
    """What a report is about: one run, or runs that differ in their seeds."""

    path: Path  #: of the run or of the group
    runs: Sequence[SavedRun]
    names: Sequence[str]  #: of the runs
    results: Sequence[Result]  #: of the runs

    @property
    def is_group(self) -> bool:
        return len(self.runs) > 1

    @property
    def best(self) -> SavedRun:
        """The run with the highest mean return."""
        scores = [float("-inf") if result.best is None else result.best for result in self.results]
        return self.runs[scores.index(max(scores))]


def make_page(subject: Subject, video: EmbeddedVideo | NoVideo, now: datetime) -> str:
    """The page as HTML. Raises RunDirectoryError and ConfigError."""
    runs, names, results = subject.runs, subject.names, subject.results
    comparison = compare_with_preset(runs[0])
    data = curve_data(runs, names)
    config_text = yaml_io.read_text(runs[0].path / CONFIG)
    body = element(
        "main",
        _header(subject, now),
        sections.group_result(runs, names, results) if subject.is_group else sections.run_result(runs[0], results[0]),
        _curve(data, is_group=subject.is_group),
        sections.video_section(video),
        provenance.settings_section(comparison, config_text),
        provenance.reproduction_section(runs, subject.best, comparison),
        provenance.machine_section(runs, names),
        sections.events_section(runs, names),
        _footer(now),
    )
    return _document(_title(subject), body, script_data(data, "data"))


def _title(subject: Subject) -> str:
    run = subject.runs[0]
    seeds = f"{len(subject.runs)} seeds" if subject.is_group else f"seed {run.config.seed}"
    return f"{run.algorithm} on {run.config.env.id.removeprefix('ALE/')}, {seeds}"


def _header(subject: Subject, now: datetime) -> Html:
    run = subject.runs[0]
    config = run.config
    facts = [
        config.env.id,
        config.env.rules,
        f"torso {config.network.torso}",
        counted(config.sampling.num_envs, "environment"),
        f"preset {run.preset}" if run.preset else "",
    ]
    changed = datetime.fromtimestamp(max(each.changed_at for each in subject.runs), UTC)
    return element(
        "header",
        element("h1", _title(subject)),
        element("p", " · ".join(filter(None, facts)), class_="facts"),
        element(
            "p",
            element("strong", f"{subject.path.resolve().name}: ", sections.describe_status(subject.results)),
            f" · last change {_minute(changed)} · report made {_minute(now)}",
            class_="facts",
        ),
    )


def _curve(data: dict[str, Any], *, is_group: bool) -> Html:
    """The learning curve: a still picture, which the page's script replaces."""
    if not data["metrics"]:
        return section("Learning curve", element("p", "No metrics have been logged."), name="curve")
    shown = data["metrics"][0]
    parts = [
        element("div", id="choices", hidden=True),
        element("p", ": ".join(filter(None, (shown["name"], shown["meaning"]))), id="metric", class_="note"),
        element("div", curve_svg(data), id="chart"),
        element("div", id="readout"),
    ]
    if is_group:
        text = (
            "Thin lines: the seeds. Thick line, for metrics of games: their interquartile mean; band: its 95 % "
            "interval (bootstrap), as far as every seed goes."
        )
        parts.append(element("p", text, class_="note"))
    return section("Learning curve", *parts, name="curve")


def _footer(now: datetime) -> Html:
    text = f"Made by paac {__version__} at {_minute(now)}. This page is one file and loads nothing."
    return element("footer", element("p", text))


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _document(title: str, body: Html, data: Html) -> str:
    """The document. Its policy allows only the style, the script, and the pictures and videos that are in it."""
    style, script = _resource("page.css"), _resource("chart.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "media-src data:; base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", style),
    )
    page = element("html", head, element("body", body, data, element("script", script)), lang="en")
    return f"<!doctype html>\n{page}\n"


def _resource(name: str) -> Html:
    """A file of this package."""
    return Html((files("paac_cli.reporting.report") / name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
