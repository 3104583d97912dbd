"""What is remembered of a run's metrics."""

import math

import pytest
from metric_rows import history_of, rows

from paac_cli.reporting.learning_history import LearningHistory, rows_before


def test_rows_are_thinned_evenly_and_never_more_than_512():
    history = LearningHistory()
    for index, row in enumerate(rows(5_000)):
        history.write(row.steps, row.metrics)
        assert len(history.rows) <= 512
        assert history.latest.steps == row.steps
        if index < 512:
            assert history.latest_is_kept
    steps = [row.steps for row in history.rows]
    assert steps[:3] == [1_000, 17_000, 33_000]
    assert steps == list(range(1_000, 5_000_001, 16_000))


def test_the_best_is_exact_however_many_rows_are_left_out_and_is_the_first_of_equals():
    returns = {3_001: 7.0, 3_002: 7.0}
    history = history_of(rows(5_000, ep_rew_mean=lambda index: returns.get(index, 1.0)))
    assert (history.best.steps, history.best.mean_return) == (3_002_000, 7.0)


def test_means_of_fewer_than_100_games_are_not_the_best():
    falling = rows(20, ep_rew_mean=lambda index: 20.0 - index)
    assert history_of(falling[:9]).best is None
    assert history_of(falling).best.mean_return == 11.0  # after ten rows of 10 games


def test_rows_without_a_finished_game_have_no_best():
    assert history_of(rows(20, ep_rew_mean=lambda index: math.nan)).best is None


def test_the_speed_is_that_of_the_latest_20_rows_of_this_session():
    slow, fast = rows(10), rows(30, time_elapsed=lambda index: 10 + index / 4)
    history = history_of(fast, earlier=slow)
    assert history.steps_per_second == 4_000
    assert len(history.rows) == 40
    assert math.isnan(LearningHistory(slow).steps_per_second)
    assert history_of(fast[:1], earlier=slow).steps_per_second == 500  # time/fps of the only row


def test_a_resumed_run_remembers_the_rows_up_to_its_checkpoint(tmp_path):
    table = tmp_path / "metrics.csv"
    table.write_text("steps,rollout/ep_rew_mean,train/loss\n10,nan,\n20,2.5,0.1\n30,garbage,0.2\n40,4,0.3\n50,")
    read = list(rows_before(table, 30))
    assert [row.steps for row in read] == [10, 20, 30]
    assert read[1].metrics == {"steps": 20, "rollout/ep_rew_mean": 2.5, "train/loss": 0.1}
    assert math.isnan(read[0].get("train/loss"))
    assert math.isnan(read[2].mean_return)


@pytest.mark.parametrize("content", [None, b"", b"not,a table\n", b"\0" * 99, b"steps\n" + b"1" * 99_999])
def test_a_table_that_cannot_be_read_means_no_rows(content, tmp_path):
    if content is not None:
        (tmp_path / "metrics.csv").write_bytes(content)
    assert list(rows_before(tmp_path / "metrics.csv", 100)) == []
