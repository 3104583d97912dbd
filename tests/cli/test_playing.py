"""`paac eval`, `paac record` and `paac plot` with the runs of real trainings."""

import json
from pathlib import Path

import av
import pytest
from playing_commands import evaluate

import paac_cli.sampling.describe
from paac_cli.cli import playing
from paac_cli.errors import EnvironmentSpecError
from short_runs import checkpoint_names

# --- eval


def test_eval_prints_one_json_object_and_nothing_else(trained, paac):
    result = paac("eval", trained, "--json", "--episodes", 2)
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert report["env"] == "CartPole-v1"
    assert report["episodes"] == len(report["scores"]) == 2
    assert report["mean"] == sum(report["scores"]) / 2
    assert (report["min"], report["max"]) == (min(report["scores"]), max(report["scores"]))
    assert report["mean_length"] == report["mean"]  # CartPole gives a reward of 1 per step


def test_eval_is_a_function_of_its_seed(trained, invoke):
    first = evaluate(invoke, trained, "--episodes", 20, "--seed", 7)
    assert evaluate(invoke, trained, "--episodes", 20, "--seed", 7) == first
    assert evaluate(invoke, trained, "--episodes", 20, "--seed", 8)["scores"] != first["scores"]
    assert evaluate(invoke, trained, "--episodes", 3, "--seed", 7)["scores"] == first["scores"][:3]


def test_eval_plays_greedy_or_sampled_actions(trained, invoke):
    sampled = evaluate(invoke, trained, "--episodes", 5)
    greedy = evaluate(invoke, trained, "--episodes", 5, "--greedy")
    assert (sampled["actions"], greedy["actions"]) == ("sampled", "greedy")
    assert sampled["scores"] != greedy["scores"]
    assert evaluate(invoke, trained, "--episodes", 5, "--sample") == sampled


def test_eval_takes_the_best_the_last_or_a_given_checkpoint(trained, invoke):
    first, *_, last = checkpoint_names(trained)
    assert evaluate(invoke, trained, "--episodes", 1, "--last")["checkpoint"].endswith(last)
    one = evaluate(invoke, trained / "checkpoints" / first, "--episodes", 1)
    assert one["steps"] == int(first.removeprefix("step_"))
    best = evaluate(invoke, trained, "--episodes", 1)["checkpoint"]
    assert Path(best).name.startswith("best_")


def test_eval_plays_the_same_games_on_any_number_of_environments(trained, invoke):
    expected = evaluate(invoke, trained, "--episodes", 18)
    assert evaluate(invoke, trained, "--episodes", 18, "--num-envs", 5) == expected


def test_eval_truncates_games_that_are_longer_than_the_limit_and_reports_it(trained, invoke):
    report = evaluate(invoke, trained, "--episodes", 4, "--max-steps", 5)
    assert (report["max_steps"], report["truncated"], report["scores"]) == (5, 4, [5.0] * 4)
    result = invoke("eval", trained, "--episodes", 4, "--max-steps", 5)
    assert "4 games truncated after 5 steps\n" in result.stdout


def test_eval_shows_progress_without_a_terminal_and_a_hint_while_no_game_ends(trained, invoke, monkeypatch):
    monkeypatch.setattr(playing, "_LINE_EVERY", 0.0)
    monkeypatch.setattr(playing, "_HINT_AFTER", 0.0)
    result = invoke("eval", trained, "--json", "--episodes", 2)
    lines = result.stderr.splitlines()
    assert lines[0].startswith("No game has ended yet; the longest has 1 step. ")
    assert lines[0].endswith("--max-steps N")
    assert lines[1] == "2 steps, 0 of 2 games"
    assert lines[-1].endswith(" steps, 2 of 2 games")
    assert sum("--max-steps" in line for line in lines) == 1
    assert json.loads(result.stdout)["episodes"] == 2
    assert "--max-steps" not in invoke("eval", trained, "--episodes", 1, "--max-steps", 500).stderr


@pytest.mark.parametrize(("more", "seconds"), [([], 60.0), (["--worker-timeout", "7"], 7.0)])
@pytest.mark.parametrize("command", ["eval", "record"])
def test_playing_has_the_timeout_of_the_run_or_of_the_user(command, more, seconds, trained, invoke, monkeypatch):
    given = []

    def describe(config, sampling):
        given.append(sampling.worker_timeout)
        raise EnvironmentSpecError("enough is known")

    monkeypatch.setattr(paac_cli.sampling.describe, "describe", describe)
    arguments = [trained] if command == "eval" else ["video.mp4", "--checkpoint", trained]
    assert invoke(command, *arguments, *more).stderr == "Error: enough is known\n"
    assert given == [seconds]


def test_the_text_of_eval_has_the_numbers_of_its_json(trained, invoke):
    report = evaluate(invoke, trained, "--episodes", 4, "--seed", 5)
    result = invoke("eval", trained, "--episodes", 4, "--seed", 5)
    assert f"{report['checkpoint']}, {report['steps']:,} steps" in result.stdout
    assert "CartPole-v1, actions sampled, seed 5" in result.stdout
    assert f"4 games: mean {report['mean']:.2f}" in result.stdout


# --- record


def decode(path):
    """(frames, width, height, seconds) of a video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        frame_time = 1 / float(stream.average_rate)
    ((width, height),) = {(frame.width, frame.height) for frame in frames}
    return len(frames), width, height, frames[-1].time - frames[0].time + frame_time


@pytest.mark.parametrize(("suffix", "fps"), [(".mp4", 50), (".webm", 50), (".gif", 30)])
def test_a_video_shows_the_game_that_eval_scores_in_real_time(suffix, fps, trained, invoke, tmp_path):
    """CartPole renders 50 frames per second, and one before the first step; a GIF keeps 30 of them."""
    report = evaluate(invoke, trained, "--episodes", 1, "--seed", 11)
    score = report["scores"][0]
    result = invoke("record", f"video{suffix}", "--checkpoint", trained, "--seed", 11)
    assert result.exit_code == 0
    assert f"raw return {score:g}, checkpoint {report['checkpoint']}, seed 11" in result.stdout
    frames, width, height, seconds = decode(tmp_path / f"video{suffix}")
    assert (width, height) == (600, 400)
    assert frames == pytest.approx((score + 1) * fps / 50, abs=1)
    assert seconds == pytest.approx((score + 1) / 50, abs=2 / fps)
    assert [path.name for path in tmp_path.iterdir()] == [f"video{suffix}"]


def test_a_video_can_be_shortened_slowed_down_and_annotated(trained, invoke, tmp_path):
    result = invoke(
        *("record", "video.mp4", "--checkpoint", trained, "--episodes", 2),
        *("--seconds", 1, "--fps", 10, "--overlay", "--greedy"),
    )
    assert result.exit_code == 0
    assert "raw return 10 (first 10 steps), checkpoint " in result.stdout  # of the game that the video shows
    frames, width, height, seconds = decode(tmp_path / "video.mp4")
    assert (frames, width, height) == (10, 1060, 540)
    assert seconds == pytest.approx(1)


def test_a_video_of_several_games_contains_all_of_them(trained, invoke, tmp_path):
    scores = evaluate(invoke, trained, "--episodes", 3)["scores"]
    assert invoke("record", "video.mp4", "--checkpoint", trained, "--episodes", 3).exit_code == 0
    assert decode(tmp_path / "video.mp4")[0] == sum(scores) + 3


def test_a_video_says_which_games_were_truncated(trained, invoke, tmp_path):
    result = invoke("record", "video.mp4", "--checkpoint", trained, "--max-steps", 6)
    assert "raw return 6 (truncated after 6 steps), checkpoint" in result.stdout
    assert decode(tmp_path / "video.mp4")[0] == 7


def test_a_video_without_a_path_is_saved_in_the_run(trained_copy, invoke):
    newest = max(trained_copy.glob("checkpoints/step_*"))
    video = trained_copy / "videos" / f"{newest.name}-seed0.mp4"
    for args in (["--checkpoint", trained_copy, "--last"], [newest]):
        result = invoke("record", *args, "--seconds", 0.1)
        assert result.exit_code == 0
        assert str(video) in result.stdout
        assert decode(video)[0] == 5
        video.unlink()


def test_videos_of_other_kinds_have_other_default_names(trained_copy, invoke):
    newest = max(trained_copy.glob("checkpoints/step_*"))
    options = ["--greedy", "--overlay", "--episodes", 2]
    assert invoke("record", newest, "--seconds", 0.1, *options).exit_code == 0
    (video,) = (trained_copy / "videos").iterdir()
    assert video.name == f"{newest.name}-seed0-greedy-overlay-2-games.mp4"


def test_a_video_of_a_checkpoint_in_the_current_directory_is_saved_in_its_run(trained_copy, invoke, monkeypatch):
    newest = max(trained_copy.glob("checkpoints/step_*"))
    monkeypatch.chdir(newest.parent)
    assert invoke("record", "--checkpoint", newest.name, "--seconds", 0.1).exit_code == 0
    assert (trained_copy / "videos" / f"{newest.name}-seed0.mp4").is_file()


def test_a_video_that_cannot_be_written_leaves_no_file(trained, invoke, tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "taken.mp4").mkdir()
    for video in ("file/video.mp4", "taken.mp4"):
        result = invoke("record", video, "--checkpoint", trained)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {video} cannot be written")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "taken.mp4"]


def test_where_the_run_takes_no_video_another_file_is_suggested(trained_copy, invoke):
    (trained_copy / "videos").write_text("precious")
    result = invoke("record", "--checkpoint", trained_copy)
    assert result.exit_code == 2
    assert "videos is not a directory that you may write to; name another file: paac record VIDEO\n" in result.stderr


# --- plot


def test_curves_are_plotted_as_png_and_svg(trained, trained_copy, invoke, tmp_path):
    assert invoke("plot", trained, trained_copy, "--out", "new/curve.svg").exit_code == 0
    assert "CartPole-v1" in (tmp_path / "new" / "curve.svg").read_text()
    result = invoke("plot", trained_copy)
    assert result.stdout == f"{trained_copy}/curve.png\n"
    assert (trained_copy / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_different_games_have_panels_of_their_own(trained, trained_copy, invoke, tmp_path):
    config = trained_copy / "config.yaml"
    config.write_text(config.read_text().replace("CartPole-v1", "Acrobot-v1"))
    assert invoke("plot", trained, trained_copy, "--out", "curve.svg").exit_code == 0
    text = (tmp_path / "curve.svg").read_text()
    assert "<!-- CartPole-v1 -->" in text
    assert "<!-- Acrobot-v1 -->" in text


# --- Atari


def test_pong_is_trained_evaluated_and_recorded(paac, invoke, tmp_path):
    run_dir = tmp_path / "pong"
    trained = paac("train", "--preset", "pong", "--num-envs", 4, "--total-steps", 200, "--run-dir", run_dir)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert "ALE/Pong-v5 (rule set baselines)" in trained.stdout
    assert checkpoint_names(run_dir) == ["step_000000200"]

    report = evaluate(invoke, run_dir, "--episodes", 1)
    assert report["protocol"] == "baselines"
    assert -21 <= report["scores"][0] < 0
    assert report["mean_length"] > 500
    assert report["human_normalised"] == pytest.approx((report["mean"] + 20.7) / (14.6 + 20.7))

    result = invoke("record", "pong.mp4", "--checkpoint", run_dir, "--seconds", 1)
    assert "raw return 0 (first 15 steps), " in result.stdout
    frames, width, height, seconds = decode(tmp_path / "pong.mp4")
    assert (frames, width, height) == (30, 840, 630)
    assert seconds == pytest.approx(1)

    result = invoke("record", "raw.mp4", "--checkpoint", run_dir, "--seconds", 1, "--fps", 15, "--square-pixels")
    assert "raw return 0 (first 4 steps), " in result.stdout
    frames, width, height, seconds = decode(tmp_path / "raw.mp4")
    assert (frames, width, height) == (15, 480, 630)
    assert seconds == pytest.approx(1)
