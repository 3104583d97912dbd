"""What the live view shows, and that it fits terminals of any size, with and without colours."""

import io
import math
from dataclasses import replace

import pytest
from metric_rows import METRICS, history_of, rows
from rich.cells import cell_len
from rich.console import Console, Group

from paac_cli.reporting.character_graphics import ASCII, UNICODE
from paac_cli.reporting.learning_history import LearningHistory, Row
from paac_cli.reporting.live_view import RunMoment, RunPlan, draw, limited_by, summary

PLAN = RunPlan(
    "ALE/Pong-v5, paac, in runs/pong-seed1", 100_000, may_end_earlier=True, log_every=1_000, environments="emulator"
)
HINT = "since step 1,000 the policy hardly explores; explore more, e.g. with algorithm.ent_coef=0.02 instead of 0.01"
CURVE = "▁▁▁▂▂▂▂▂▂▃▃▃▃▃▄▄▄▄▄▄▅▅▅▅▅▅▆▆▆▆▆▇▇▇▇▇▇███"  # of moment()
EVENT = "Saved a checkpoint at step 40,000, mean return 40.00, the best checkpoint so far"


def moment(count=40, **columns):
    columns = {"ep_rew_mean": float} | columns
    return RunMoment(history_of(rows(count, **columns)), waited=2.0, hint=HINT, event=EVENT, event_age=61.0)


def drawn(width, height, shown=None, plan=PLAN, glyphs=UNICODE):
    return [line.plain.rstrip() for line in draw(plan, shown or moment(), width, height, glyphs)]


def test_80_columns():
    assert drawn(80, 24)[:3] == [
        "ALE/Pong-v5, paac, in runs/pong-seed1",
        f"{'━' * 29}{'╌' * 45}  40 %",
        "40,000 of 100,000 steps   1,000 steps/s   0:00:42   at most 0:01:00 left",
    ]
    assert drawn(80, 24)[3:] == [
        f"        {CURVE}",
        "return  39.00 (last 100 games)   from 0.00 to 39.00 so far   400 games",
        "best    39.00 at step 40,000   now",
        "metrics entropy 0.5   value loss 0.25",
        f"time    {'█' * 14}{'▓' * 44}{'▒' * 13}░",
        "        █ acting 20 %   ▓ emulator 61 %   ▒ learning 17 %   ░ rest 2 %",
        "        limited by: emulator 61 %",
        "event   0:01:01 ago: Saved a checkpoint at step 40,000, mean return 40.00, the",
        "        best checkpoint so far",
        "hint    since step 1,000 the policy hardly explores; explore more, e.g. with",
        "        algorithm.ent_coef=0.02 instead of 0.01",
    ]


def test_the_curve_has_one_character_per_row_until_it_fills_the_line():
    assert drawn(80, 24)[3].strip() == CURVE
    assert len(drawn(80, 24, moment(400))[3].strip()) == 72


def test_40_columns_less_the_margin():
    lines = drawn(37, 24)
    assert lines[1] == f"{'━' * 12}{'╌' * 19}  40 %"
    assert lines[2:5] == ["40,000 of 100,000 steps", "1,000 steps/s   0:00:42", "at most 0:01:00 left"]
    assert "        limited by: emulator 61 %" in lines
    assert "return  39.00 (last 100 games)" in lines
    assert any(line.startswith("hint    since step 1,000") for line in lines)
    assert max(map(len, lines)) <= 37


@pytest.mark.parametrize("width", [1, 5, 12, 20, 39, 60, 80, 133, 250])
@pytest.mark.parametrize("height", [1, 2, 3, 5, 8, 12, 24, 60])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_it_fits_terminals_of_any_size(width, height, glyphs):
    wide = RunPlan("環境-v0 " * 30, 10**15, may_end_earlier=False, log_every=1_000, environments="environment")
    for shown in (moment(), moment(1), RunMoment(LearningHistory(), hint=HINT, event=EVENT)):
        for plan in (PLAN, wide):
            lines = draw(plan, shown, width, height, glyphs)
            assert 1 <= len(lines) <= height
            assert max(line.cell_len for line in lines) <= width


def test_what_matters_most_is_kept_where_lines_lack():
    progress = "40,000 of 100,000 steps   1,000 steps/s   0:00:42   at most 0:01:00 left"
    returns = "return  39.00 (last 100 games)   from 0.00 to 39.00 so far   400 games"
    assert drawn(80, 1) == [progress]
    assert drawn(80, 2) == [progress, returns]
    assert [line.split()[0] for line in drawn(80, 7)[1:]] == [
        "40,000",
        CURVE,
        "return",
        "limited",
        "hint",
        "algorithm.ent_coef=0.02",
    ]


def test_without_colours_it_says_the_same(monkeypatch):
    def printed(**options):
        file = io.StringIO()
        Console(file=file, width=80, **options).print(Group(*draw(PLAN, moment(), 80, 24)))
        return file.getvalue()

    plain = printed(force_terminal=False)
    assert "\x1b" not in plain
    monkeypatch.setenv("NO_COLOR", "1")
    styles = printed(force_terminal=True)
    assert all(code in ("\x1b[1m", "\x1b[2m", "\x1b[0m") for code in _codes(styles))  # bold and dim, no colours
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[32m" in _codes(printed(force_terminal=True, color_system="standard"))


def _codes(text):
    return {f"\x1b[{part.partition('m')[0]}m" for part in text.split("\x1b[")[1:]}


def test_the_ascii_view_has_only_ascii_characters():
    for line in drawn(80, 24, glyphs=ASCII):
        assert line.isascii()


def test_before_the_first_row():
    assert drawn(80, 24, RunMoment(LearningHistory(), waited=7.0)) == [
        PLAN.title,
        "first metrics after step 1,000   0:00:07",
    ]
    resumed = replace(PLAN, start=40_320)
    assert drawn(80, 24, RunMoment(LearningHistory()), resumed)[1:] == ["first metrics after step 41,000   0:00:00"]


def test_before_the_first_row_steps_are_counted():
    """A slow environment may need minutes for the first row."""
    assert drawn(80, 24, RunMoment(LearningHistory(), steps=400, waited=10.0)) == [
        PLAN.title,
        f"{'╌' * 74}   0 %",
        "400 of 100,000 steps   40 steps/s   0:00:10   at most 0:41:30 left",
        "first metrics after step 1,000   0:00:10",
    ]


def test_steps_since_the_latest_row_are_counted():
    assert drawn(80, 1, moment()._replace(steps=42_000)) == [
        "42,000 of 100,000 steps   1,000 steps/s   0:00:42   at most 0:00:58 left"
    ]


def test_text_is_wrapped_by_columns_and_not_by_characters():
    event = "環境が応答しません" * 20
    lines = drawn(60, 24, moment()._replace(event=event))
    (first,) = (index for index, line in enumerate(lines) if line.startswith("event"))
    shown = lines[first : first + 3]
    assert all(cell_len(line) <= 60 for line in shown)
    assert "応答" in shown[1]
    assert shown[-1].endswith(" ...")


def test_at_the_end_no_time_is_left_and_no_row_is_awaited():
    ended = moment()._replace(waited=0.0, has_ended=True)
    assert drawn(80, 1, ended) == ["40,000 of 100,000 steps   1,000 steps/s   0:00:40"]
    assert drawn(80, 24, RunMoment(LearningHistory(), has_ended=True)) == [PLAN.title]


def test_before_the_first_games():
    none = drawn(80, 24, moment(3, ep_rew_mean=lambda index: math.nan, episodes=lambda index: 0))
    assert "return  no game finished yet   0 games" in none
    one = drawn(80, 24, moment(1, episodes=lambda index: 1))
    assert "return  0.00 (first game)   from 0.00 to 0.00 so far   1 game" in one
    assert "best    known after 100 games" in one


def test_the_time_left_is_that_at_the_present_speed_and_never_negative():
    slow = RunMoment(history_of(rows(40, every=1)), waited=10.0)
    assert "at most 27:46:00 left" in drawn(80, 24, slow)[2].replace("1 day, 3:", "27:")
    late = RunMoment(history_of([Row(100_200, METRICS)]), waited=99.0)
    assert "100,200 of 100,000 steps" in drawn(80, 24, late)[2]
    assert drawn(80, 24, late)[2].endswith("at most 0:00:00 left")
    assert drawn(80, 24, late)[1].endswith("━ 100 %")
    endless = RunPlan("", 10**18, may_end_earlier=False, log_every=1_000, environments="environment")
    assert drawn(80, 24, slow, plan=endless)[2].endswith("about ? left")


def test_the_range_of_returns_is_exact_however_many_rows_are_left_out():
    peaks = {1_001: 77.0, 1_003: -7.0}
    shown = drawn(80, 24, moment(3_000, ep_rew_mean=lambda index: peaks.get(index, 1.0)))
    assert "return  1.00 (last 100 games)   from -7.00 to 77.00 so far   30,000 games" in shown
    assert "best    77.00 at step 1,002,000   0:33:18 ago" in shown


def test_a_row_without_a_speed_or_a_time():
    assert drawn(80, 1, RunMoment(history_of([Row(100, {"train/loss": 1.0})]))) == ["100 of 100,000 steps"]
    timed = RunMoment(history_of([Row(100, {"time/time_elapsed": 3.0})]))
    assert drawn(80, 1, timed) == ["100 of 100,000 steps   0:00:03"]


def test_small_metrics_have_significant_digits():
    row = Row(1, METRICS | {"train/value_loss": 0.0000123, "train/loss": -1234.5678})
    assert "metrics entropy 0.5   value loss 1.23e-05   loss -1234.57" in drawn(80, 24, RunMoment(history_of([row])))


def test_what_takes_most_of_the_time():
    assert limited_by(Row(1, METRICS), "emulator") == "emulator 61 %"
    assert limited_by(Row(1, METRICS | {"time/learn_share": 0.7}), "emulator").startswith("learning")
    assert limited_by(Row(1, METRICS | {"time/env_share": 0.1}), "emulator") == "acting 20 %"
    assert limited_by(Row(1, {}), "emulator") == ""
    assert "limited by" not in "".join(drawn(80, 24, RunMoment(history_of([Row(1, {"time/fps": 1.0})]))))


def test_events_cannot_control_the_terminal_and_show_their_first_line():
    shown = RunMoment(history_of(rows(1)), event="Restarted \x1b]0;worker\a 1\n  File 'x.py'")
    assert "event   0:00:00 ago: Restarted \\x1b]0;worker\\x07 1" in drawn(80, 24, shown)


def test_one_line_of_text():
    assert summary(PLAN, history_of(rows(40, ep_rew_mean=float))) == (
        "40,000 of 100,000 steps   1,000 steps/s   0:00:40   at most 0:01:00 left   return 39.00 (last 100 games)   "
        "best 39.00 at step 40,000   400 games   entropy 0.5   value loss 0.25   limited by: emulator 61 %"
    )


def test_drawing_takes_a_few_milliseconds_at_most():
    import time

    shown = moment(2_000)
    begin = time.process_time()
    for _ in range(50):
        assert sum(cell_len(line.plain) for line in draw(PLAN, shown, 80, 24)) > 80
    assert (time.process_time() - begin) / 50 < 0.005
