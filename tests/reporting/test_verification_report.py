"""The report of `paac verify`, from typed events."""

from pathlib import Path
from typing import NamedTuple

from checkpoints import RUNTIME
from paac_cli.events import Approximate, Info, ReplayDiverged
from paac_cli.reporting import verification_report as module
from paac_cli.reporting.verification_report import Segment, format_verification, verification_report
from paac_cli.training.verification import Comparison

SAME = Comparison("policy", 12, (), "0123456789abcdef" * 4)
OTHER = Comparison("metrics", 5, ("a", "b", "c", "d"), "f" * 64)
SEGMENTS = [
    Segment(3, 640, 1, (Info("a worker was killed"), ReplayDiverged((1, 2)))),
    Segment(1, 1280, 0, (Approximate(("the GPU adds in no fixed order",)), ReplayDiverged((1, 2)))),
]


class ToyInterval(NamedTuple):
    steps: range = range(0, 1280)


def report_of(monkeypatch, comparisons, segments=SEGMENTS):
    monkeypatch.setattr(module, "reasons_to_differ", lambda interval, runtime: ("numpy was 1 and is 2",))
    return verification_report(Path("runs/x"), ToyInterval(), segments, comparisons, RUNTIME)


def test_reasons_come_from_the_runtime_and_from_events_each_once(monkeypatch):
    report = report_of(monkeypatch, [SAME])
    assert report["approximate"] == [
        "numpy was 1 and is 2",
        "environments [1, 2] diverged on replay",
        "the GPU adds in no fixed order",
    ]
    assert len(report["events"]) == 4
    assert report["events"][0] == "a worker was killed"
    assert report["runtime"] == RUNTIME.model_dump()


def test_the_text_of_an_identical_run(monkeypatch):
    report = report_of(monkeypatch, [SAME])
    text = format_verification(report)
    assert report["same"]
    assert "runs/x, the start to step 1,280" in text
    assert (
        "retrained to step 640 on 3 workers, 1 killed and restarted; "
        "stopped and resumed, to step 1,280 on 1 worker\n" in text
    )
    assert "  policy          12   identical " in text
    assert text.endswith("Identical, bit for bit.")


def test_the_text_of_a_run_that_differs(monkeypatch):
    report = report_of(monkeypatch, [SAME, OTHER])
    text = format_verification(report)
    assert not report["same"]
    assert "4 DIFFER: a, b, c, ..." in text
    assert "Approximate: environments [1, 2] diverged on replay" in text
    assert text.endswith("Not identical. The reasons above may explain it.")


def test_a_difference_without_a_known_reason_may_come_from_an_own_algorithm(monkeypatch):
    monkeypatch.setattr(module, "reasons_to_differ", lambda interval, runtime: ())
    report = verification_report(Path("runs/x"), ToyInterval(), [Segment(1, 1280, 0, ())], [OTHER], RUNTIME)
    assert "an algorithm of your own has state that neither its `policy`" in format_verification(report)
