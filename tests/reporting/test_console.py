"""What a run prints."""

import pytest

from paac_cli.events import Alert
from paac_cli.reporting.console import ConsoleSink

ROW = {
    "rollout/ep_rew_mean": 10.0,
    "rollout/episodes": 10.0,
    "time/fps": 10.0,
    "time/time_elapsed": 10.0,
    "time/frames": 10.0,
    "time/act_share": 0.5,
    "time/env_share": 0.25,
    "time/learn_share": 0.25,
}


@pytest.fixture
def printed(capsys):
    """printed(use): what a console of 1,000 steps prints while use(console) runs."""

    def run(use):
        console = ConsoleSink(total_steps=1_000)
        use(console)
        console.close()
        return capsys.readouterr().out

    return run


def test_no_time_is_left_after_a_last_rollout_that_passes_total_steps(printed):
    out = printed(lambda console: console.write(1_200, ROW))
    assert "steps 1,200 of 1,000" in out
    assert "at most 0:00:00 left" in out


def test_a_row_without_finished_games_has_no_mean_return(printed):
    out = printed(lambda console: console.write(500, ROW | {"rollout/ep_rew_mean": float("nan")}))
    assert "return no game finished yet" in out
    assert "time spent act 50%, env 25%, learn 25%" in out


def test_events_are_printed_as_their_text(printed):
    assert printed(lambda console: console.log(Alert("[red]low[/red]"))) == "Warning: [red]low[/red]\n"


def test_events_cannot_control_the_terminal(printed):
    assert (
        printed(lambda console: console.log(Alert("\x1b]0;owned\a :smile:"))) == "Warning: \\x1b]0;owned\\x07 :smile:\n"
    )


def test_a_time_that_no_calendar_holds_is_a_question_mark(printed):
    """A slow environment and a large `total_steps`."""
    assert "at most ? left" in printed(lambda console: console.write(-(10**15), ROW | {"time/fps": 1e-3}))
