"""What a run prints, in every style."""

import contextlib
import json
import math
import os
import re
import time
from pathlib import Path

import jsonschema
import pytest
from metric_rows import METRICS, history_of

from paac_cli.events import (
    Alert,
    Approximate,
    CheckpointSaved,
    CloseFailed,
    Info,
    LearningStalled,
    LongGame,
    ReplayDiverged,
    RestartFailed,
    WorkerFailure,
    WorkerRestarted,
)
from paac_cli.reporting import console
from paac_cli.reporting.console import LiveView, TextLines, open_view
from paac_cli.reporting.learning_history import LearningHistory
from paac_cli.reporting.live_view import RunPlan
from paac_cli.reporting.stall import RunFacts, StallWatch

PLAN = RunPlan("CartPole-v1, paac", 1_000, may_end_earlier=True, log_every=100, environments="environment")
ABOUT = RunFacts(1_000, None, 0.99, clips_rewards=False, normalizes=False, can_normalize=True, explore="explore more")
FAILURE = WorkerFailure("worker 1 (environments 2-3)", "killed by SIGKILL", "in step 17")
STALLED = LearningStalled("entropy", "its entropy is 0", "explore more")
CHECKPOINT = CheckpointSaved(900, 12.5, is_best=True)
ROUTINE = [Info("Starting"), CHECKPOINT, CheckpointSaved(900, None, is_best=True), STALLED]
WARNINGS = [
    Alert("low"),
    Approximate(("no seed",)),
    ReplayDiverged((1, 2)),
    WorkerRestarted(FAILURE, 0.5),
    RestartFailed(FAILURE),
    LongGame(3, 10**6),
    CloseFailed({1: "hung"}),
]


@pytest.fixture
def printed(capsys):
    """printed(use, style): what a view prints on standard output while use(view) runs. A row is added to its history
    by `use(view)` with `add`.
    """

    def run(use, style="text"):
        history = LearningHistory()
        view = open_view(
            *(style, PLAN, history, StallWatch(history, ABOUT, lambda event: None)),
            *(lambda event: print("warned", event), lambda: 0),
        )

        def add(steps, **changes):
            row = METRICS | {name.replace("__", "/"): value for name, value in changes.items()}
            history.write(steps, row)
            view.write(steps, row)

        use(view, add)
        view.close()
        return capsys.readouterr().out

    return run


# --- lines of text


def test_no_time_is_left_after_a_last_rollout_that_passes_total_steps(printed):
    out = printed(lambda view, add: add(1_200))
    assert "1,200 of 1,000 steps" in out
    assert "at most 0:00:00 left" in out


def test_a_row_without_finished_games_has_no_mean_return(printed):
    out = printed(lambda view, add: add(500, rollout__ep_rew_mean=math.nan))
    assert "return no game finished yet" in out
    assert "limited by: environment 61 %" in out


def test_lines_of_progress_and_checkpoints_are_rare(printed):
    def use(view, add):
        for steps in range(100, 1_000, 100):
            add(steps)
            view.log(CheckpointSaved(steps, 1.5, is_best=False))

    lines = printed(use).splitlines()
    assert [line[:40] for line in lines] == [lines[0][:40], "Saved a checkpoint at step 100, mean ret"]
    assert lines[0].startswith("100 of 1,000 steps")
    assert lines[1].endswith("mean return 1.50")


def test_where_rows_are_rare_there_are_lines_about_the_progress(monkeypatch, capsys):
    monkeypatch.setattr(console, "_LINE_EVERY", 0.05)
    steps, history = 0, LearningHistory()

    def step():
        nonlocal steps
        time.sleep(0.02)
        steps += 1
        return steps

    view = open_view("text", PLAN, history, StallWatch(history, ABOUT, print), print, step)
    time.sleep(0.5)
    history.write(100, METRICS)
    view.write(100, METRICS)
    time.sleep(0.5)
    view.close()
    lines = capsys.readouterr().out.splitlines()
    (row,) = (index for index, line in enumerate(lines) if "return " in line)
    assert 0 < row < len(lines) - 1
    assert all(
        re.match(r"\d+ of 1,000 steps   \d+ steps/s .* first metrics after step 100$", line) for line in lines[:row]
    )
    assert lines[row + 1].startswith("100 of 1,000 steps   ")  # the row is known to be of this step
    assert "first metrics" not in lines[row + 1]


def test_events_are_printed_as_their_text(printed):
    out = printed(lambda view, add: [view.log(event) for event in [Alert("[red]low[/red]"), STALLED, CHECKPOINT]])
    assert out == (
        "Warning: [red]low[/red]\n"
        "Hint: its entropy is 0; explore more\n"
        "Saved a checkpoint at step 900, mean return 12.50, the best checkpoint so far\n"
    )


def test_events_cannot_control_the_terminal(printed):
    assert (
        printed(lambda view, add: view.log(Alert("\x1b]0;owned\a :smile:"))) == "Warning: \\x1b]0;owned\\x07 :smile:\n"
    )


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE"])
def test_a_pipe_gets_plain_lines_even_if_colours_are_forced(name, printed, monkeypatch):
    monkeypatch.setenv(name, "1")
    assert "\x1b" not in printed(lambda view, add: add(100))


def test_a_time_that_no_calendar_holds_is_a_question_mark(printed):
    """A slow environment and a large `total_steps`."""
    assert "at most ? left" in printed(lambda view, add: add(-(10**15), time__fps=1e-3))


# --- quiet


def test_quiet_prints_warnings_only(printed):
    def use(view, add):
        add(100)
        for event in [*ROUTINE, *WARNINGS]:
            view.log(event)

    assert printed(use, "quiet") == "".join(f"warned {event}\n" for event in WARNINGS)


# --- JSON

NUMBERS = {"type": "object", "additionalProperties": {"type": ["number", "null"]}}
SCHEMA = {
    "type": "object",
    "required": ["type", "time"],
    "properties": {"time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}},
    "oneOf": [
        {
            "required": ["steps", "metrics"],
            "properties": {"type": {"const": "metrics"}, "steps": {"type": "integer"}, "metrics": NUMBERS},
        },
        {
            "required": ["event", "text", "data"],
            "properties": {
                "type": {"const": "event"},
                "event": {"type": "string", "pattern": "^[a-z_]+$"},
                "text": {"type": "string"},
                "data": {"type": "object"},
            },
        },
    ],
}


def strict_json(line):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(line, parse_constant=refuse)


def test_json_has_one_strict_object_a_line(printed):
    def use(view, add):
        add(100)
        add(200, rollout__ep_rew_mean=math.nan, train__value_loss=math.inf)
        for event in [*ROUTINE, *WARNINGS]:
            view.log(event)

    found = [strict_json(line) for line in printed(use, "json").splitlines()]
    for each in found:
        jsonschema.validate(each, SCHEMA)
    assert found[0]["metrics"] == METRICS
    assert found[1]["metrics"]["rollout/ep_rew_mean"] is found[1]["metrics"]["train/value_loss"] is None
    assert [each["text"] for each in found[2:]] == [str(event) for event in [*ROUTINE, *WARNINGS]]
    assert [each["event"] for each in found[2:]] == [
        *("info", "checkpoint_saved", "checkpoint_saved", "learning_stalled", "alert", "approximate"),
        *("replay_diverged", "worker_restarted", "restart_failed", "long_game", "close_failed"),
    ]


def test_json_has_the_fields_of_an_event(printed):
    def use(view, add):
        for event in (CHECKPOINT, WorkerRestarted(FAILURE, 0.5), CloseFailed({1: "hung\x1b[2J"})):
            view.log(event)

    checkpoint, restart, close = (strict_json(line)["data"] for line in printed(use, "json").splitlines())
    assert checkpoint == {"steps": 900, "score": 12.5, "is_best": True}
    assert (restart["seconds"], restart["failure"]["cause"]) == (0.5, "killed by SIGKILL")
    assert close == {"problems": {"1": "hung\x1b[2J"}}


# --- terminals


@pytest.mark.parametrize(
    ("term", "encoding", "expected"),
    [("xterm", "utf-8", "━"), ("xterm", "ascii", "#"), ("dumb", "utf-8", "900 of 1,000 steps")],
)
def test_the_view_fits_the_abilities_of_the_terminal(term, encoding, expected, monkeypatch):
    monkeypatch.setenv("TERM", term)
    ours, theirs = os.openpty()
    history = history_of([])
    with os.fdopen(theirs, "w", encoding=encoding) as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        view = open_view("text", PLAN, history, StallWatch(history, ABOUT, print), print, lambda: 0)
        history.write(900, METRICS)
        view.write(900, METRICS)
        view.close()
        assert isinstance(view, TextLines if term == "dumb" else LiveView)
    printed = b""
    with contextlib.suppress(OSError):  # at the end, because nothing has the terminal open any more
        while chunk := os.read(ours, 1 << 16):
            printed += chunk
    os.close(ours)
    printed = printed.decode()
    assert expected in printed
    after_the_last_steps = printed.rpartition("900 of 1,000 steps")[2]
    assert ("left" in after_the_last_steps) == (term == "dumb")  # the view has ended; lines stay as they were printed
    assert ("\x1b" in printed) == (term != "dumb")
    assert printed.isascii() == (expected != "━")


# --- errors


def test_output_errors_never_end_a_training(monkeypatch):
    full = Path("/dev/full").open("w")  # noqa: SIM115
    monkeypatch.setattr("sys.stdout", full)
    history = history_of([])
    for style in ("text", "json"):
        view = open_view(style, PLAN, history, StallWatch(history, ABOUT, lambda event: None), print, lambda: 0)
        history.write(100, METRICS)
        view.write(100, METRICS)
        view.log(Alert("low"))
        view.close()
    with contextlib.suppress(OSError):
        full.close()  # what it holds cannot be written
