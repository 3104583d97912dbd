"""Sections of a report, as HTML: settings, how to reproduce the run, machine and versions."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from paac_cli.reporting.report.markup import Html, element, joined, section, table
from paac_cli.reporting.report.settings import PresetComparison, train_command, yaml_text
from paac_cli.runs.runtime import Runtime, unique
from paac_cli.runs.saved_run import SavedRun
from paac_cli.text import shorten

#: What is printed for `pip install`: the versions come from the run directory, perhaps of somebody else.
_PIN = re.compile(r"(ale-py|gymnasium|numpy|tensorflow|opencv-python-headless|keras)==[0-9A-Za-z.+!]+")


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
        if any(each.is_decided_at_start for each in differences):
            yield element(
                "p",
                "A setting that is auto in the preset was decided when the run started, unless it was given.",
                class_="note",
            )
        if any(each.is_free for each in differences):
            note = "† decides how long, how fast and where a run trains, and what it saves, but not what a step learns."
            yield element("p", note, class_="note")


def _value(value: Any) -> Html:
    return element("code", shorten(yaml_text(value), 300))


# --- reproduction


def reproduction_section(runs: Sequence[SavedRun], best: SavedRun, comparison: PresetComparison) -> Html:
    """The commands that train `runs` again, and that play and verify the `best`; and what they depend on."""
    manifests = [manifest for run in runs if (manifest := run.last_saved) is not None]
    ranks = manifests[0].runtime.ranks if manifests else 1
    train = train_command(comparison, [run.config.seed for run in runs], ranks)
    commands = [("Train again", train)]
    if best.last_saved is not None:
        commands.append(("Play 100 games with the best policy", f"paac eval {best.playing_arguments} --episodes 100"))
    if best.newest is not None:
        commands.append(
            ("Verify that the run is a function of its config and seed", f"paac verify {best.playing_arguments}")
        )
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
    pins = " ".join(f"{name}=={version}" for name, version in versions.items() if _PIN.fullmatch(f"{name}=={version}"))
    title = element("h3", f"Install the same versions{own and f', with paac {own}'}")
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
        if (manifest := run.last_saved) is not None:
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
