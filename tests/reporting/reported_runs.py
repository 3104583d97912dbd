"""Writes run directories with all that a report reads, without training them, and reads reports."""

import csv
import json
import re

from chaos.save_scenes import some_checkpoint
from paac_cli.config.load import load_run, to_yaml
from paac_cli.config.presets import find_preset
from paac_cli.reporting.report.write import write_report
from paac_cli.runs.checkpoint import save_checkpoint, save_if_best
from paac_cli.runs.manifest import Counters

#: What must never run when it is quoted in a page.
EVIL = """</script></style><img src=x onerror="hacked=1"><script>hacked=1</script>'"&<!--"""


def write_metrics(run, columns, rows):
    with (run / "metrics.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def write_run(directory, *, preset="cartpole", overrides=None, returns=(10.0, 20.0, 30.0), events=(), **record):
    """A run of `preset` with a row of metrics per 1,000 steps, 2 seconds and 100 games. record: fields of run.json."""
    config = load_run(find_preset(preset), overrides)
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text(to_yaml(config))
    (directory / "run.json").write_text(json.dumps({"preset": preset, "status": "stopped"} | record))
    rows = [(1000 * n, value, 100 * n, 2.0 * n, 0.5 / n) for n, value in enumerate(returns, start=1)]
    columns = ["steps", "rollout/ep_rew_mean", "rollout/episodes", "time/time_elapsed", "train/policy_loss"]
    write_metrics(directory, columns, rows)
    (directory / "events.log").write_text("".join(f"2026-01-31T12:00:0{n}Z {text}\n" for n, text in enumerate(events)))
    return directory


def write_checkpoint(run, steps, score, *, seconds=20.0, **changes):
    """A checkpoint of `run`, whose policy is also the best if no `score` was higher."""
    checkpoint = some_checkpoint(steps)
    counters = Counters(steps=steps, updates=steps // 10, episodes=99, seconds=seconds)
    new = checkpoint._replace(counters=counters, score=score, **changes)
    save_if_best(run / "checkpoints", new)
    save_checkpoint(run / "checkpoints", new, keep=2)


def page_of(path, tmp_path, video=None):
    """The text of the report of `path`."""
    write_report(path, tmp_path / "out" / "report.html", video)
    return (tmp_path / "out" / "report.html").read_text()


def data_in(page):
    """What the script of a page draws."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(text)


def text_of(page):
    """The text of a page between its tags, with single spaces."""
    body = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())
