"""`paac record` with a panel, a grid, and the policies that a run had as it learned."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
from playing_commands import evaluate, pictures_of

from paac_cli.reporting.drawing import BACKGROUND
from paac_cli.runs.checkpoint import load_policy
from paac_cli.runs.checkpoint_names import list_milestones
from short_runs import flip_a_byte


def record(invoke, *arguments):
    result = invoke("record", *arguments)
    assert result.exit_code == 0, result.output
    return result


def steps_of(run):
    return [load_policy(path).counters.steps for path in reversed(list_milestones(run / "checkpoints"))]


# --- --seconds


def test_no_more_is_played_than_the_video_shows(trained, invoke, tmp_path):
    """20 frames show the reset and 19 steps of CartPole; the second game of two is not needed."""
    result = record(invoke, "video.mp4", "--checkpoint", trained, "--episodes", 2, "--seconds", 0.4, "--greedy")
    assert "raw return 20 (first 20 steps), checkpoint " in result.stdout
    assert len(pictures_of(tmp_path / "video.mp4")) == 20


def test_a_limit_that_is_lower_than_the_video_needs_is_reported_as_such(trained, invoke, tmp_path):
    result = record(invoke, "video.mp4", "--checkpoint", trained, "--seconds", 10, "--max-steps", 5, "--episodes", 2)
    assert "raw return 5 (truncated after 5 steps), 5 (truncated after 5 steps), checkpoint " in result.stdout
    assert len(pictures_of(tmp_path / "video.mp4")) == 2 * 6


# --- --best-of


@pytest.mark.parametrize("shortened", [[], ["--seconds", 0.2]], ids=["whole", "shortened"])
def test_the_best_of_some_games_is_recorded(shortened, trained, invoke, tmp_path):
    scores = evaluate(invoke, trained, "--episodes", 6)["scores"]
    assert max(scores) > scores[0]
    result = record(invoke, "best.mp4", "--checkpoint", trained, "--best-of", 6, *shortened)
    assert f"best.mp4: raw return {max(scores):g}, the best of 6 games, checkpoint " in result.stdout
    assert len(pictures_of(tmp_path / "best.mp4")) == (10 if shortened else max(scores) + 1)


def test_the_panel_names_the_game_that_was_best(trained, invoke, tmp_path):
    """It begins like that game in a video of all games."""
    scores = evaluate(invoke, trained, "--episodes", 3)["scores"]
    best = scores.index(max(scores))
    record(invoke, "best.mp4", "--checkpoint", trained, "--best-of", 3, "--overlay")
    record(invoke, "all.mp4", "--checkpoint", trained, "--episodes", 3, "--overlay")
    start = int(sum(scores[:best])) + best
    found, of_all = pictures_of(tmp_path / "best.mp4"), pictures_of(tmp_path / "all.mp4")
    assert np.abs(found[0].astype(int) - of_all[start]).mean() < 1  # the same title, too; compressed differently


# --- --grid


def test_a_grid_shows_the_games_of_eval_until_the_last_one_ends(trained, invoke, tmp_path):
    scores = evaluate(invoke, trained, "--episodes", 6)["scores"]
    result = record(invoke, "grid.mp4", "--checkpoint", trained, "--grid", "2x3")
    assert f"raw return {', '.join(f'{score:g}' for score in scores)}, checkpoint " in result.stdout
    pictures = pictures_of(tmp_path / "grid.mp4")
    assert len(pictures) == max(scores) + 1  # CartPole: one frame per step, and one of the reset
    games = [game for row in np.array_split(pictures[-1], 2) for game in np.array_split(row, 3, axis=1)]
    brightness = [np.median(game) for game in games]
    running = [score == max(scores) for score in scores]
    assert all((bright > 200) == runs for bright, runs in zip(brightness, running, strict=True))  # others are dimmed


def test_a_grid_can_be_shortened(trained, invoke, tmp_path):
    result = record(invoke, "grid.webm", "--checkpoint", trained, "--grid", "1x2", "--seconds", 0.1)
    assert "raw return 5 (first 5 steps), 5 (first 5 steps), checkpoint " in result.stdout
    pictures = pictures_of(tmp_path / "grid.webm")
    assert len(pictures) == 5
    assert np.median(pictures[-1]) > 200  # nothing is dimmed: no game has ended


# --- --progress


def test_a_video_of_progress_shows_the_same_game_with_every_policy_of_the_run(trained, invoke, tmp_path):
    result = record(invoke, "progress.mp4", "--checkpoint", trained, "--progress", "--seed", 4)
    first, *lines = result.stdout.splitlines()
    assert first == f"progress.mp4: run {trained}, seed 4"
    expected = []
    for path in reversed(list_milestones(trained / "checkpoints")):
        report = evaluate(invoke, path, "--episodes", 1, "--seed", 4)
        expected.append((report["steps"], report["scores"][0]))
    assert lines == [f"  after {steps:,} steps: raw return {score:g}" for steps, score in expected]
    pictures = pictures_of(tmp_path / "progress.mp4")
    assert len(pictures) == sum(score + 1 for _, score in expected)
    starts = np.cumsum([0, *(int(score) + 1 for _, score in expected[:-1])])
    captions = {pictures[start][:40, :300].tobytes() for start in starts}
    assert len(captions) == len(expected)  # each has a title of its own
    games = [pictures[start][60:].astype(int) for start in starts]
    assert all(np.abs(game - games[0]).mean() < 1 for game in games)  # and the same first frame


def test_every_policy_gets_the_same_part_of_the_seconds(trained, invoke, tmp_path):
    result = record(invoke, "progress.mp4", "--checkpoint", trained, "--progress", "--seconds", 0.5, "--overlay")
    assert [line.split(": ")[1] for line in result.stdout.splitlines()[1:]] == ["raw return 5 (first 5 steps)"] * 5
    assert len(pictures_of(tmp_path / "progress.mp4")) == 25


def test_the_newest_checkpoint_is_the_last_policy_if_no_milestone_is_as_new(trained_copy, invoke):
    *kept, last = list_milestones(trained_copy / "checkpoints")[::-1]
    shutil.rmtree(last)
    result = record(invoke, "--checkpoint", trained_copy, "--progress", "--seconds", 0.5)
    video = trained_copy / "videos" / "seed0-progress.mp4"
    assert result.stdout.startswith(f"{video}: ")
    assert len(result.stdout.splitlines()) == 1 + len(kept) + 1
    assert len(pictures_of(video)) == 25


def test_without_milestones_the_checkpoints_that_are_left_show_progress(trained_copy, invoke):
    for path in list_milestones(trained_copy / "checkpoints"):
        shutil.rmtree(path)
    result = record(invoke, "--checkpoint", trained_copy, "--progress", "--seconds", 0.2)
    steps = {load_policy(path).counters.steps for path in (trained_copy / "checkpoints").iterdir()}
    assert [line.split(" steps")[0] for line in result.stdout.splitlines()[1:]] == [
        f"  after {each:,}" for each in sorted(steps)
    ]


def test_damaged_milestones_are_skipped_with_a_warning(trained_copy, invoke):
    milestones = list_milestones(trained_copy / "checkpoints")
    flip_a_byte(milestones[1] / "policy.safetensors")
    result = record(invoke, "--checkpoint", trained_copy, "--progress", "--seconds", 0.2)
    assert f"Warning: skipped a checkpoint: {milestones[1]} is damaged" in result.stderr
    assert len(result.stdout.splitlines()) == 1 + len(milestones) - 1


def test_a_run_with_one_policy_has_no_progress_to_show(trained_copy, invoke):
    best = next((trained_copy / "checkpoints").glob("best_*"))
    for path in (trained_copy / "checkpoints").iterdir():
        if path != best:
            shutil.rmtree(path)
    result = invoke("record", "--checkpoint", trained_copy, "--progress")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        f"Error: {trained_copy} has kept 1 policy, and --progress needs at least two; runs "
    )
    result = invoke("record", "--checkpoint", best, "--progress")
    assert result.stderr.startswith(f"Error: {best} is one checkpoint; --progress needs a run directory")


# --- --overlay


def test_the_panel_is_beside_the_game_for_every_frame(trained, invoke, tmp_path):
    record(invoke, "video.mp4", "--checkpoint", trained, "--overlay", "--seconds", 1)
    pictures = pictures_of(tmp_path / "video.mp4")
    assert {picture.shape for picture in pictures} == {(540, 1060, 3)}
    game, panel = (
        np.array([picture[60:480, columns] for picture in pictures]) for columns in (slice(30, 660), slice(690, 1030))
    )
    assert np.median(game) > 240
    assert np.abs(np.median(panel, axis=(0, 1, 2)) - BACKGROUND).max() < 20
    assert all((one != other).any() for one, other in pairwise(panel))  # values change in every step


# --- options that exclude each other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "3x3", "--progress"], "--grid cannot be combined with --progress"),
        (["--grid", "3x3", "--overlay"], "--grid cannot be combined with --overlay"),
        (["--grid", "3x3", "--episodes", 2], "--grid cannot be combined with --episodes"),
        (["--progress", "--episodes", 2], "--progress cannot be combined with --episodes"),
        (["--progress", "--last"], "--progress cannot be combined with --last"),
        (["--grid", "3x3", "--best-of", 2], "--grid cannot be combined with --best-of"),
        (["--best-of", 2, "--episodes", 2], "--best-of cannot be combined with --episodes"),
        (["--grid", "3"], "3 is not a grid of 1 to 8 rows and 1 to 8 columns, such as 3x3"),
        (["--grid", "0x3"], "0x3 is not a grid"),
        (["--grid", "9x9"], "9x9 is not a grid"),
    ],
)
def test_options_that_do_not_fit_each_other_are_refused(arguments, message, invoke):
    result = invoke("record", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
