"""What `paac report` says of a run or a group of runs."""

import pytest
from reported_runs import data_in, page_of, text_of, write_checkpoint, write_metrics, write_run

from paac_cli.errors import RunDirectoryError
from paac_cli.reporting.report.results import mean_of_best, result_of
from paac_cli.reporting.report.write import write_report
from paac_cli.runs.directory_lock import DirectoryLock
from paac_cli.runs.run_record import Status
from paac_cli.runs.saved_run import SavedRun

# --- results


def test_a_result_without_checkpoints_comes_from_the_metrics(tmp_path):
    result = result_of(SavedRun(write_run(tmp_path / "run", returns=(10.0, 40.0, 30.0))))
    assert (result.best, result.best_steps, result.latest) == (40.0, 2000, 30.0)
    assert (result.steps, result.games, result.seconds, result.speed) == (3000, 300, 6.0, 500.0)


def test_the_best_mean_return_is_never_one_of_few_games(tmp_path):
    run = write_run(tmp_path / "run")
    columns = ["steps", "rollout/ep_rew_mean", "rollout/episodes"]
    write_metrics(run, columns, [(1000, 90.0, 1), (2000, 10.0, 99)])
    assert (result_of(SavedRun(run)).best, result_of(SavedRun(run)).latest) == (None, 10.0)
    write_metrics(run, columns, [(1000, 90.0, 1), (2000, 10.0, 99), (3000, 20.0, 180)])
    assert (result_of(SavedRun(run)).best, result_of(SavedRun(run)).best_steps) == (20.0, 3000)


def test_a_newer_checkpoint_has_the_latest_result(tmp_path):
    run = write_run(tmp_path / "run")
    write_checkpoint(run, 3500, 35.0, seconds=7.0)
    result = result_of(SavedRun(run))
    assert (result.best, result.best_steps, result.latest) == (35.0, 3500, 35.0)
    assert (result.steps, result.games, result.seconds, result.speed) == (3500, 99, 7.0, 500.0)


def test_the_best_policy_is_not_the_latest(tmp_path):
    run = write_run(tmp_path / "run", returns=(10.0, 40.0, 30.0))
    write_checkpoint(run, 2000, 40.0)
    write_checkpoint(run, 3000, 30.0)
    result = result_of(SavedRun(run))
    assert (result.best, result.best_steps, result.latest) == (40.0, 2000, 30.0)


def test_a_run_that_has_logged_nothing_has_no_result_and_a_report(tmp_path):
    run = write_run(tmp_path / "run", returns=())
    result = result_of(SavedRun(run))
    assert (result.best, result.latest, result.steps, result.games, result.speed) == (None, None, 0, None, None)
    page = page_of(run, tmp_path)
    assert "No metrics have been logged." in page
    assert "Not known: there is no checkpoint" in page
    assert "paac eval" not in page


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"status": "finished"}, "run: finished"),
        ({"status": "running"}, "run: killed"),
        ({"status": "failed", "reason": "the loss is NaN"}, "run failed: the loss is NaN"),
    ],
)
def test_the_status_is_shown(record, expected, tmp_path):
    assert expected in text_of(page_of(write_run(tmp_path / "run", **record), tmp_path))


def test_a_run_that_trains_can_be_reported(tmp_path):
    run = write_run(tmp_path / "run", status="running")
    lock = DirectoryLock(run)
    try:
        assert "run: running" in text_of(page_of(run, tmp_path))
    finally:
        lock.release()


def test_published_scores_are_shown_for_the_games_that_have_them(tmp_path):
    run = write_run(tmp_path / "run", preset="pong", returns=(-20.7, -3.05))
    page = text_of(page_of(run, tmp_path))
    assert "human-normalised 50.0%" in page  # (-3.05 - -20.7) / (14.6 - -20.7)
    assert "PAAC paper 20.6 network nips, rule set paac2017" in page
    assert "human-normalised" not in text_of(page_of(write_run(tmp_path / "cartpole"), tmp_path))


def test_the_score_of_a_group_is_the_interquartile_mean_of_the_best_returns(tmp_path):
    runs = [write_run(tmp_path / f"seed{n}", returns=(value,)) for n, value in enumerate((0.0, 10.0, 20.0, 90.0))]
    mean = mean_of_best([result_of(SavedRun(run)) for run in runs])
    assert mean.value == 15.0
    assert 0.0 <= mean.low < 15.0 < mean.high <= 90.0
    runs.append(write_run(tmp_path / "seed9", returns=()))
    assert mean_of_best([result_of(SavedRun(run)) for run in runs]) is None


# --- groups


def test_a_group_shows_every_seed(tmp_path):
    for seed, returns in ((1, (10.0, 30.0)), (2, (20.0, 50.0)), (10, (30.0, 40.0))):
        write_run(tmp_path / "group" / f"seed{seed}", overrides={"seed": seed}, returns=returns, events=[f"of {seed}"])
    page = page_of(tmp_path / "group", tmp_path)
    text = text_of(page)
    assert "paac on CartPole-v1, 3 seeds" in text
    assert "interquartile mean of the best mean returns 40 " in text
    assert "paac train --preset cartpole --seeds 1-2,10" in text
    assert [run["name"] for run in data_in(page)["runs"]] == ["seed1", "seed2", "seed10"]
    assert all(f"of {seed}" in text for seed in (1, 2, 10))


@pytest.mark.parametrize("overrides", [{"algorithm.gamma": 0.5}, {"algorithm": {"name": "ppo"}}])
def test_runs_that_differ_in_more_than_their_seeds_are_no_group(overrides, tmp_path):
    write_run(tmp_path / "group" / "a")
    write_run(tmp_path / "group" / "b", overrides={"seed": 2} | overrides)
    with pytest.raises(RunDirectoryError, match="differ in more than their seeds: paac"):
        write_report(tmp_path / "group", tmp_path / "report.html", None)
    assert not (tmp_path / "report.html").exists()


# --- exactness, machine, events


def test_an_exact_run_and_an_approximate_one(tmp_path):
    for name, reasons in (("exact", ()), ("approximate", ("numpy was 1 and is 2",))):
        run = write_run(tmp_path / name)
        write_checkpoint(run, 3000, 30.0, approximate=reasons)
        text = text_of(page_of(run, tmp_path))
        assert ("Exact. The same command gives the same run" in text) == (not reasons)
        assert ("Approximate: not promised" in text) == bool(reasons)
        assert all(reason in text for reason in reasons)
        assert "processor a processor" in text
        assert "pip install numpy==2.4.6" in text


def test_events_are_shown_with_their_lines_and_the_oldest_are_left_out(tmp_path):
    run = write_run(tmp_path / "run", events=["Starting", "Restarted worker 1\nTraceback:\n  File"])
    text = page_of(run, tmp_path)
    assert "<time>2026-01-31 12:00:01</time> <span>Restarted worker 1\nTraceback:\n  File</span>" in text
    (run / "events.log").write_text("".join(f"2026-01-31T12:00:00Z event {n}.\n" for n in range(300)))
    text = text_of(page_of(run, tmp_path))
    assert "The latest 200 events." in text
    assert "event 99." not in text
    assert "event 100." in text


def test_a_run_is_its_own_group_of_one(tmp_path):
    write_run(tmp_path / "group" / "seed1")
    assert "paac on CartPole-v1, seed 1" in text_of(page_of(tmp_path / "group", tmp_path))


def test_the_status_of_a_group_counts_its_runs(tmp_path):
    for seed, status in ((1, "finished"), (2, "failed"), (3, "finished")):
        write_run(tmp_path / "group" / f"seed{seed}", overrides={"seed": seed}, status=status, reason="no memory")
    text = text_of(page_of(tmp_path / "group", tmp_path))
    assert "group: 2 finished, 1 failed" in text
    assert "seed2 failed: no memory" in text
    assert SavedRun(tmp_path / "group" / "seed2").status == Status.FAILED
