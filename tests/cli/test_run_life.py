"""The life of a run, with real processes: trained, stopped, killed, resumed, judged, filmed, drawn."""

import csv
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import av
import pytest
from conftest import QUICK
from safetensors.numpy import load_file

import toy_envs
from chaos.sittings import hear_signals
from paac_cli.config.load import read_config
from paac_cli.runs.checkpoint import load_checkpoint, load_policy
from paac_cli.runs.exactness import APPROXIMATE
from paac_cli.runs.metrics_csv import METRICS
from paac_cli.sampling.worker import STOP_SIGNALS


def rows(run_dir):
    with (run_dir / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def steps_of(run_dir):
    return [int(row["steps"]) for row in rows(run_dir)]


def checkpoints(run_dir):
    return sorted(path.name for path in (run_dir / "checkpoints").glob("step_*"))


def final_state(run_dir):
    """The bytes of all that the newest checkpoint holds, without the clock in its manifest."""
    newest = max((run_dir / "checkpoints").glob("step_*"))
    return newest.name, {path.name: path.read_bytes() for path in newest.glob("*.safetensors")}


def words(text):
    """`text` without its line breaks."""
    return " ".join(text.split())


def everything(directory):
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


# --- what a run leaves


def test_the_config_is_a_preset_that_means_the_same_run(trained, total_steps, invoke):
    config = read_config(trained / "config.yaml")
    assert config.training.total_steps == total_steps
    assert config.sampling.num_workers == 2
    assert invoke("presets", "validate", trained / "config.yaml").stdout == (trained / "config.yaml").read_text()


def test_metrics_have_the_documented_names_and_rising_steps(trained, total_steps):
    header = list(rows(trained)[0])
    assert header[0] == "steps"
    assert set(METRICS) < set(header)
    assert all(name.startswith("train/") for name in set(header) - {"steps"} - set(METRICS))
    assert steps_of(trained) == list(range(320, total_steps + 1, 320))
    for row in rows(trained):
        assert row["time/frames"] == row["steps"]
        assert int(row["time/updates"]) * 64 == int(row["steps"])
        assert float(row["rollout/ep_rew_mean"]) == float(row["rollout/ep_len_mean"]) > 0
        shares = [float(row[f"time/{name}_share"]) for name in ("act", "env", "learn")]
        assert min(shares) > 0
        assert sum(shares) < 1.001  # the rest: files
    first = rows(trained)[0]  # its speed is that of training, without the start
    assert float(first["time/fps"]) * float(first["time/time_elapsed"]) == pytest.approx(320, rel=0.1)


def test_tensorboard_events_say_the_same_as_the_table(trained):
    from tensorboard.compat.proto.event_pb2 import Event

    (path,) = (trained / "tensorboard").iterdir()
    data, seen = path.read_bytes(), {}
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        seen |= {(event.step, value.tag): value.simple_value for value in event.summary.value}
        data = data[16 + length :]
    table = {(int(row["steps"]), name): float(row[name]) for row in rows(trained) for name in row if name != "steps"}
    assert seen == pytest.approx(table, rel=1e-4, nan_ok=True)


def test_so_many_checkpoints_are_kept_beside_the_best(trained, total_steps):
    newest = [f"step_{steps:09d}" for steps in (total_steps - 1_280, total_steps)]
    assert checkpoints(trained) == newest
    loaded = [load_checkpoint(trained / "checkpoints" / name) for name in newest]
    (best,) = (load_policy(path) for path in (trained / "checkpoints").glob("best_*"))
    assert all((best.score or 0) >= (checkpoint.score or 0) for checkpoint in loaded)
    if loaded[-1].counters.episodes < 100:
        assert loaded[-1].score is None
    else:
        assert loaded[-1].score == pytest.approx(float(rows(trained)[-1]["rollout/ep_rew_mean"]), rel=1e-5)


def test_the_same_command_again_changes_nothing(trained_copy, train):
    before = everything(trained_copy)
    assert "is trained already" in words(train(trained_copy).stdout)
    assert everything(trained_copy) == before


def test_its_own_config_is_a_preset_that_goes_on_with_it(trained_copy, paac):
    result = paac("train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy)
    assert result.returncode == 0
    assert "is trained already" in words(result.stdout)


def test_a_run_that_is_good_enough_is_trained_already(trained_copy, paac):
    goal = "training.stop_when={mean_return: 1, episodes: 5}"
    before = checkpoints(trained_copy)
    result = paac(
        *("train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy),
        *("--total-steps", 10**6, "--set", goal),
    )
    assert result.returncode == 0
    assert "is trained already" in words(result.stdout)
    assert checkpoints(trained_copy) == before


def test_the_output_gives_commands_that_can_be_copied(tmp_path, train):
    """Long paths stay in one piece, and brackets are no markup."""
    run_dir = tmp_path / ("long-" * 20) / "a[/b]c[bold]"
    output = train(run_dir, "--total-steps", "64").stdout
    assert f"paac eval {run_dir}\n" in output.replace("'", "")
    assert f"{run_dir} is trained already" in train(run_dir, "--total-steps", "64").stdout


def test_training_outlives_its_reader(start_training, tmp_path):
    """As in `paac train | head -1`."""
    sitting = start_training(tmp_path / "run")
    assert "CartPole-v1" in sitting.process.stdout.readline()
    sitting.process.stdout.close()
    sitting.process.stdout = None
    sitting.wait_for_checkpoint()
    sitting.signal_group(signal.SIGTERM)
    sitting.process.wait(10)
    newest = load_checkpoint(max((tmp_path / "run" / "checkpoints").glob("step_*")))
    assert newest.counters.steps >= 1_280


def test_learning_that_has_gone_bad_is_stopped_and_not_saved(paac, tmp_path):
    """After 200 steps of each environment it pays what is a number, but its square is none."""
    options = ["training.checkpoint_every=320", f"env.kwargs={{rewards: {[1.0] * 200 + [3e38]}}}"]
    result = paac(
        *(
            "train",
            *QUICK,
            "--env",
            "toy_envs:ScriptedRewards-v0",
            "--total-steps",
            10**5,
            "--run-dir",
            tmp_path / "run",
        ),
        *(part for option in options for part in ("--set", option)),
        cwd=Path(toy_envs.__file__).parent,
    )
    assert result.returncode == 1
    assert re.search(r"Error: train/\w+ is (nan|inf|-inf) at step 832: learning has gone bad", result.stderr)
    assert "Traceback" not in result.stderr
    assert checkpoints(tmp_path / "run") == ["step_000000320", "step_000000640"]
    batch = load_file(tmp_path / "run" / "bad_batch_step_000000832.safetensors")
    assert batch["reward"][8].tolist() == [pytest.approx(3e38)] * 4  # 192 steps of each came before these 16
    assert (tmp_path / "run" / "bad_batch_step_000000832.json").exists()
    assert len(steps_of(tmp_path / "run")) == 2


# --- going on


def test_more_steps_go_on_without_overlap_or_gap(trained_copy, total_steps, train):
    """The number of workers and how often is logged may change on the way."""
    result = train(
        trained_copy,
        *("--total-steps", str(total_steps + 640), "--num-workers", "1", "--set", "training.log_every=128"),
    )
    assert "1 workers" in result.stdout
    assert f"going on at step {total_steps:,}" in result.stdout
    more = [total_steps + 128 * n for n in range(1, 6)]
    assert steps_of(trained_copy) == [*range(320, total_steps + 1, 320), *more]
    seconds = [float(row["time/time_elapsed"]) for row in rows(trained_copy)]
    games = [int(row["rollout/episodes"]) for row in rows(trained_copy)]
    assert seconds == sorted(seconds)
    assert games == sorted(games)


def test_another_seed_is_refused_with_the_difference(trained_copy, paac):
    before = everything(trained_copy)
    result = paac("train", "--preset", trained_copy / "config.yaml", "--run-dir", trained_copy, "--seed", 3)
    assert result.returncode == 2
    assert result.stderr.startswith(f"Error: {trained_copy} holds a run with another config:")
    assert "  seed: 1 there, 3 now\n" in result.stderr
    assert "--fresh" in result.stderr
    assert everything(trained_copy) == before


def test_fresh_moves_the_old_run_aside(trained_copy, train):
    before = everything(trained_copy)
    result = train(trained_copy, "--fresh", "--seed", "3", "--total-steps", "64")
    assert "starting" in result.stdout
    assert checkpoints(trained_copy) == ["step_000000064"]
    (aside,) = trained_copy.parent.glob("copy.old-*")
    assert everything(aside) == before


def test_a_config_edited_in_the_run_directory_is_no_way_around_the_refusal(trained_copy, invoke):
    config = trained_copy / "config.yaml"
    config.write_text(config.read_text().replace("gamma: 0.9", "gamma: 0.8"))
    result = invoke("train", "--preset", config, "--run-dir", trained_copy, "--total-steps", 10**6)
    assert result.exit_code == 2
    assert "algorithm.gamma" in result.stderr


def test_a_damaged_best_checkpoint_is_named_and_another_one_used(trained_copy, invoke):
    best = json.loads(invoke("eval", trained_copy, "--episodes", 1, "--json").stdout)["checkpoint"]
    flip_a_byte(trained_copy / "checkpoints" / Path(best).name / "policy.safetensors")
    result = invoke("eval", trained_copy, "--episodes", 1, "--json")
    assert re.search(f"Warning: .*{Path(best).name} is damaged", result.stderr)
    assert json.loads(result.stdout)["checkpoint"] != best


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(trained_copy, trained, train):
    *_, before, newest = checkpoints(trained_copy)
    flip_a_byte(trained_copy / "checkpoints" / newest / "policy.safetensors")
    result = train(trained_copy)
    assert re.search(f"Warning: .*{newest} is damaged", result.stdout + result.stderr)
    assert f"going on at step {int(before.removeprefix('step_')):,}" in result.stdout
    assert final_state(trained_copy) == final_state(trained)
    assert steps_of(trained_copy) == steps_of(trained)


# --- exactness


def test_the_number_of_workers_changes_nothing(trained, train, tmp_path):
    train(tmp_path / "run", "--num-workers", "1")
    assert final_state(tmp_path / "run") == final_state(trained)


def test_what_changes_the_order_of_sums_makes_a_run_approximate(trained_copy, total_steps, train, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    output = train(trained_copy, "--total-steps", total_steps + 64).stdout
    told = "tensorflow threads was as cores and is 1"
    assert [line for line in output.splitlines() if line.startswith("Approximate:")] == [f"Approximate: {told}"]
    loaded = [load_checkpoint(trained_copy / "checkpoints" / name) for name in checkpoints(trained_copy)[-2:]]
    assert [checkpoint.versions.get(APPROXIMATE) for checkpoint in loaded] == [None, told]


# --- workers that die


def test_a_killed_worker_is_replaced_told_of_and_counted(start_training, trained, total_steps, tmp_path):
    sitting = start_training(tmp_path / "run", "--total-steps", str(total_steps))
    sitting.wait_for_rows()
    os.kill(sitting.workers()[0], signal.SIGKILL)
    returncode, output, _ = sitting.end(timeout=60)
    assert returncode == 0
    for told in (output, (tmp_path / "run" / "events.log").read_text()):
        assert re.search(r"Lost worker \d \(environments \d-\d\): killed by SIGKILL", told)
    assert float(rows(tmp_path / "run")[-1]["time/restarts"]) == 1
    assert final_state(tmp_path / "run") == final_state(trained)
    learned = [{name: row[name] for name in row if not name.startswith("time/")} for row in rows(trained)]
    assert [{name: row[name] for name in learned[0]} for row in rows(tmp_path / "run")] == learned


@pytest.fixture
def counting(monkeypatch):
    """counting(script): what makes a training play `Counting` by a script."""
    monkeypatch.setenv("PYTHONPATH", str(Path(toy_envs.__file__).parent), prepend=os.pathsep)
    return lambda script: ["--env", "toy_envs:Counting-v0", "--set", f"env.kwargs.script={script}"]


@pytest.fixture
def start_counting(start_training, counting, tmp_path):
    """start_counting(script) -> Sitting, which trains in `tmp_path/run` and has not saved yet."""

    def start(script):
        sitting = start_training(tmp_path / "run", *counting(script), "--set", "training.checkpoint_every=1_000_000")
        sitting.wait_for_rows()
        return sitting

    return start


def test_a_run_whose_environment_fails_saves_its_last_whole_rollout(start_counting, counting, train, tmp_path):
    broken = tmp_path / "broken"
    script = f"{{length: 7, raises_while_exists: {broken}}}"
    sitting = start_counting(script)
    broken.touch()
    returncode, _, errors = sitting.end(timeout=60)
    assert returncode == 1
    assert re.search(
        r"Error: worker \d \(environments \d-\d\) failed in step \d \(action \d\) of game \d+ \(seed", errors
    )
    assert "ValueError: the joystick fell off" in errors
    (saved,) = checkpoints(tmp_path / "run")
    steps = int(saved.removeprefix("step_"))
    assert f"The run is saved at step {steps:,}, before this rollout" in errors
    assert steps >= steps_of(tmp_path / "run")[-1] > 0
    assert sitting.alive() == []

    broken.unlink()
    more = ["--total-steps", str(steps + 640)]
    train(tmp_path / "run", *counting(script), *more)
    train(tmp_path / "undisturbed", *counting(script), *more)
    assert final_state(tmp_path / "run") == final_state(tmp_path / "undisturbed")


def test_a_run_that_cannot_be_saved_still_says_what_its_environment_did(start_counting, tmp_path):
    sitting = start_counting(f"{{length: 7, raises_while_exists: {tmp_path / 'broken'}}}")
    (tmp_path / "run" / "checkpoints").touch()  # and no directory
    (tmp_path / "broken").touch()
    returncode, _, errors = sitting.end(timeout=60)
    assert returncode == 1
    assert "ValueError: the joystick fell off" in errors
    assert re.search(r"Nor can the run be saved: the checkpoint at step [0-9,]+ cannot be written", errors)


# --- being stopped


@pytest.mark.parametrize(
    ("number", "to_all", "code"),
    [(signal.SIGINT, True, 130), (signal.SIGUSR1, False, 75)],
    ids=["Ctrl-C", "SIGUSR1"],
)
def test_a_stopped_run_saves_leaves_nothing_behind_and_goes_on_exactly(
    number, to_all, code, start_training, train, trained, tmp_path
):
    sitting = start_training(tmp_path / "run")
    sitting.wait_for_rows()
    (sitting.signal_group if to_all else sitting.process.send_signal)(number)
    returncode, output, errors = sitting.end(timeout=10)
    assert returncode == code
    assert errors == ""
    assert "goes on from here" in output
    assert sitting.alive() == []
    (saved,) = checkpoints(tmp_path / "run")[-1:]
    assert f"{load_checkpoint(tmp_path / 'run' / 'checkpoints' / saved).counters.steps:,} steps" in output

    train(tmp_path / "run")
    assert final_state(tmp_path / "run") == final_state(trained)
    assert steps_of(tmp_path / "run") == steps_of(trained)


def test_signals_to_a_whole_group_reach_the_learner_alone(start_training, tmp_path):
    """As `timeout`, batch systems and service managers do it: every process gets them. No worker, nor what starts
    them and what watches over them, minds.
    """
    sitting = start_training(tmp_path / "run")
    sitting.wait_for_rows()
    children = sitting.children()
    assert len(children) == 4  # two workers, who forks them, and a watchman of Python's
    for number in STOP_SIGNALS:
        for child in children:
            os.kill(child, number)
    rows = len(steps_of(tmp_path / "run"))
    sitting.wait_for_rows(rows + 2)
    assert sitting.children() == children
    sitting.signal_group(signal.SIGTERM)
    returncode, output, errors = sitting.end(timeout=10)
    assert (returncode, errors) == (143, "")
    assert "goes on from here" in output
    assert sitting.alive() == []
    assert checkpoints(tmp_path / "run")


def test_a_run_whose_terminal_is_gone_saves(start_training, tmp_path):
    """The kernel says so to the whole group, and nothing can be printed any more."""
    ours, theirs = os.openpty()

    def sit_down():
        hear_signals()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    sitting = start_training(
        *(tmp_path / "run", "--set", "training.log_every=64"),
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        preexec_fn=sit_down,
    )
    os.close(theirs)
    shown = threading.Thread(target=lambda: os.read(ours, 1 << 16))  # a terminal that is full would stop it
    shown.start()
    sitting.wait_for_rows()
    shown.join()
    os.close(ours)
    assert sitting.process.wait(10) == 129
    assert sitting.alive() == []
    (saved,) = checkpoints(tmp_path / "run")[-1:]
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / saved).counters.steps == steps_of(tmp_path / "run")[-1]


def test_a_second_ctrl_c_leaves_at_once(start_training, tmp_path):
    """A worker that does not answer keeps the first one waiting."""
    sitting = start_training(tmp_path / "run")
    sitting.wait_for_rows()
    for child in sitting.children():
        os.kill(child, signal.SIGSTOP)
    time.sleep(0.2)  # until the learner waits for them
    sitting.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert sitting.process.poll() is None
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.process.wait(1) == 130
    assert "Left at once: what came after the last checkpoint is not saved" in sitting.process.stderr.readline()


def test_a_rollout_that_takes_long_is_not_waited_for(start_counting, tmp_path):
    """16 steps of two environments a worker: 16 seconds. What was before it is saved."""
    sitting = start_counting(f"{{slow_while_exists: {tmp_path / 'slow'}}}")
    (tmp_path / "slow").touch()
    time.sleep(1.5)  # in the midst of a slow rollout
    sitting.process.send_signal(signal.SIGINT)
    returncode, _, errors = sitting.end(timeout=10)
    assert (returncode, errors) == (130, "")
    (saved,) = checkpoints(tmp_path / "run")
    assert int(saved.removeprefix("step_")) >= steps_of(tmp_path / "run")[-1]


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_ctrl_c_while_workers_start_is_heard(delay, start_training, tmp_path):
    sitting = start_training(tmp_path / "run")
    sitting.wait_for_children()
    time.sleep(delay)
    sitting.signal_group(signal.SIGINT)
    returncode, output, errors = sitting.end(timeout=20)
    assert (returncode, errors) == (130, "")
    assert "Stopped. The same command starts it" in output
    assert sitting.alive() == []
    assert not (tmp_path / "run").exists()  # TensorFlow was not waited for


def test_sigusr1_asks_to_be_queued_again_before_there_is_anything_to_save(start_training, tmp_path):
    sitting = start_training(tmp_path / "run")
    hears_it = 1 << (signal.SIGUSR1 - 1)
    status = Path(f"/proc/{sitting.process.pid}/status")
    sitting.wait_until(lambda: int(re.search(r"SigCgt:\t(\w+)", status.read_text())[1], 16) & hears_it)
    sitting.process.send_signal(signal.SIGUSR1)
    assert sitting.end(timeout=20)[0] == 75
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 1>&- 2>&-"])
def test_whoever_closes_the_standard_streams_can_train(closed, tmp_path):
    command = [sys.executable, "-m", "paac_cli", "train", *QUICK, "--total-steps", "64", "--run-dir", tmp_path / "run"]
    subprocess.run(["sh", "-c", f"{shlex.join(map(str, command))} {closed}"], check=True, timeout=100)
    assert checkpoints(tmp_path / "run") == ["step_000000064"]


def test_a_killed_run_goes_on_from_its_last_checkpoint(start_training, train, trained, tmp_path):
    sitting = start_training(tmp_path / "run")
    sitting.wait_for_checkpoint()
    sitting.wait_for_rows(5)
    os.kill(sitting.process.pid, signal.SIGKILL)
    sitting.end(timeout=10)
    assert sitting.alive() == []
    saved = int(checkpoints(tmp_path / "run")[-1].removeprefix("step_"))

    with (tmp_path / "run" / "metrics.csv").open("a") as file:
        file.write("99999999,1.5,2")  # a line that was being written when the power went
    result = train(tmp_path / "run")
    assert f"going on at step {saved:,}" in result.stdout
    assert final_state(tmp_path / "run") == final_state(trained)
    assert steps_of(tmp_path / "run") == steps_of(trained)


def test_a_run_that_died_before_its_first_checkpoint_starts_over(trained_copy, train):
    shutil.rmtree(trained_copy / "checkpoints")
    result = train(trained_copy, "--total-steps", "640")
    assert "starting" in result.stdout
    assert steps_of(trained_copy) == [320, 640]


def test_a_second_training_in_one_directory_is_refused(start_training, paac, tmp_path):
    sitting = start_training(tmp_path / "run")
    sitting.wait_until((tmp_path / "run" / "config.yaml").exists)
    for more in ([], ["--fresh"]):
        result = paac("train", "--preset", tmp_path / "run" / "config.yaml", "--run-dir", tmp_path / "run", *more)
        assert result.returncode == 2
        assert result.stderr == f"Error: another process is training in {tmp_path / 'run'}\n"
    sitting.process.send_signal(signal.SIGTERM)
    assert sitting.end(timeout=20)[0] == 143


# --- being judged


def evaluate(invoke, run_dir, *more):
    result = invoke("eval", run_dir, "--json", *more)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_eval_prints_one_json_object_and_nothing_else(trained, paac):
    result = paac("eval", trained, "--json", "--episodes", 2)
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert report["env"] == "CartPole-v1"
    assert report["episodes"] == len(report["scores"]) == 2
    assert report["mean"] == sum(report["scores"]) / 2
    assert (report["min"], report["max"]) == (min(report["scores"]), max(report["scores"]))
    assert report["mean_length"] == report["mean"]  # CartPole pays one per step


def test_eval_is_a_function_of_its_seed(trained, invoke):
    first = evaluate(invoke, trained, "--episodes", 20, "--seed", 7)
    assert evaluate(invoke, trained, "--episodes", 20, "--seed", 7) == first
    assert evaluate(invoke, trained, "--episodes", 20, "--seed", 8)["scores"] != first["scores"]
    assert evaluate(invoke, trained, "--episodes", 3, "--seed", 7)["scores"] == first["scores"][:3]


def test_eval_greedy_and_sampled_are_two_things(trained, invoke):
    sampled = evaluate(invoke, trained, "--episodes", 5)
    greedy = evaluate(invoke, trained, "--episodes", 5, "--greedy")
    assert (sampled["actions"], greedy["actions"]) == ("sampled", "greedy")
    assert sampled["scores"] != greedy["scores"]
    assert evaluate(invoke, trained, "--episodes", 5, "--sample") == sampled


def test_eval_takes_the_best_the_last_or_one_checkpoint(trained, invoke):
    first, *_, last = checkpoints(trained)
    assert evaluate(invoke, trained, "--episodes", 1, "--last")["checkpoint"].endswith(last)
    one = evaluate(invoke, trained / "checkpoints" / first, "--episodes", 1)
    assert one["steps"] == int(first.removeprefix("step_"))
    best = evaluate(invoke, trained, "--episodes", 1)["checkpoint"]
    assert Path(best).name.startswith("best_")


def test_eval_tells_people_the_same(trained, invoke):
    report = evaluate(invoke, trained, "--episodes", 4, "--seed", 5)
    result = invoke("eval", trained, "--episodes", 4, "--seed", 5)
    assert f"{report['checkpoint']}, {report['steps']:,} steps" in result.stdout
    assert "CartPole-v1, actions sampled, seed 5" in result.stdout
    assert f"4 games: mean {report['mean']:.2f}" in result.stdout


# --- being filmed


def decode(path):
    """(frames, width, height, seconds) of a film."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        frame_time = 1 / float(stream.average_rate)
    ((width, height),) = {(frame.width, frame.height) for frame in frames}
    return len(frames), width, height, frames[-1].time - frames[0].time + frame_time


@pytest.mark.parametrize(("suffix", "fps"), [(".mp4", 50), (".webm", 50), (".gif", 30)])
def test_a_film_shows_the_game_that_eval_scores_in_real_time(suffix, fps, trained, invoke, tmp_path):
    """CartPole is drawn 50 times a second, once before the first step; a GIF keeps 30 of them."""
    report = evaluate(invoke, trained, "--episodes", 1, "--seed", 11)
    score = report["scores"][0]
    result = invoke("record", f"film{suffix}", "--checkpoint", trained, "--seed", 11)
    assert result.exit_code == 0
    assert f"raw return {score:g}, checkpoint {report['checkpoint']}, seed 11" in result.stdout
    frames, width, height, seconds = decode(tmp_path / f"film{suffix}")
    assert (width, height) == (600, 400)
    assert frames == pytest.approx((score + 1) * fps / 50, abs=1)
    assert seconds == pytest.approx((score + 1) / 50, abs=2 / fps)
    assert [path.name for path in tmp_path.iterdir()] == [f"film{suffix}"]


def test_a_film_can_be_cut_slowed_and_explained(trained, invoke, tmp_path):
    result = invoke(
        *("record", "film.mp4", "--checkpoint", trained, "--episodes", 2),
        *("--seconds", 1, "--fps", 10, "--overlay", "--greedy"),
    )
    assert result.exit_code == 0
    scores = evaluate(invoke, trained, "--episodes", 2, "--greedy")["scores"]
    assert f"raw return {scores[0]:g}, {scores[1]:g}, checkpoint" in result.stdout
    frames, width, height, seconds = decode(tmp_path / "film.mp4")
    assert (frames, width, height) == (10, 600 + 240, 400)
    assert seconds == pytest.approx(1)


def test_a_film_of_several_games_holds_them_all(trained, invoke, tmp_path):
    scores = evaluate(invoke, trained, "--episodes", 3)["scores"]
    assert invoke("record", "film.mp4", "--checkpoint", trained, "--episodes", 3).exit_code == 0
    assert decode(tmp_path / "film.mp4")[0] == sum(scores) + 3


def test_a_film_goes_to_the_run_unless_told_otherwise(trained_copy, invoke):
    newest = max(trained_copy.glob("checkpoints/step_*"))
    film = trained_copy / "videos" / f"{newest.name}-seed0.mp4"
    for args in (["--checkpoint", trained_copy, "--last"], [newest]):
        result = invoke("record", *args, "--seconds", 0.1)
        assert result.exit_code == 0
        assert str(film) in result.stdout
        assert decode(film)[0] == 5
        film.unlink()


def test_a_film_of_a_checkpoint_next_to_us_goes_to_its_run(trained_copy, invoke, monkeypatch):
    newest = max(trained_copy.glob("checkpoints/step_*"))
    monkeypatch.chdir(newest.parent)
    assert invoke("record", "--checkpoint", newest.name, "--seconds", 0.1).exit_code == 0
    assert (trained_copy / "videos" / f"{newest.name}-seed0.mp4").is_file()


def test_a_film_that_cannot_be_written_leaves_nothing(trained, invoke, tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "taken.mp4").mkdir()
    for video in ("file/film.mp4", "taken.mp4"):
        result = invoke("record", video, "--checkpoint", trained)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {video} cannot be written")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "taken.mp4"]


# --- being drawn


def test_curves_are_drawn_as_png_and_svg(trained, trained_copy, invoke, tmp_path):
    assert invoke("plot", trained, trained_copy, "--out", "new/curve.svg").exit_code == 0
    assert "CartPole-v1" in (tmp_path / "new" / "curve.svg").read_text()
    result = invoke("plot", trained_copy)
    assert result.stdout == f"{trained_copy}/curve.png\n"
    assert (trained_copy / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_different_games_are_not_drawn_together(trained, trained_copy, invoke, tmp_path):
    config = trained_copy / "config.yaml"
    config.write_text(config.read_text().replace("CartPole-v1", "Acrobot-v1"))
    result = invoke("plot", trained, trained_copy, "--out", "curve.png")
    assert result.exit_code == 2
    assert "different games" in result.stderr
    assert "CartPole-v1" in result.stderr
    assert "Acrobot-v1" in result.stderr
    assert not (tmp_path / "curve.png").exists()


# --- Atari


def test_pong_is_trained_judged_and_filmed(paac, invoke, tmp_path):
    run_dir = tmp_path / "pong"
    trained = paac("train", "--preset", "pong", "--num-envs", 4, "--total-steps", 200, "--run-dir", run_dir)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert "ALE/Pong-v5 (baselines)" in trained.stdout
    assert checkpoints(run_dir) == ["step_000000200"]

    report = evaluate(invoke, run_dir, "--episodes", 1)
    assert report["protocol"] == "baselines"
    assert -21 <= report["scores"][0] < 0
    assert report["mean_length"] > 500
    assert report["human_normalised"] == pytest.approx((report["mean"] + 20.7) / (14.6 + 20.7))

    result = invoke("record", "pong.mp4", "--checkpoint", run_dir, "--seconds", 1)
    assert f"raw return {report['scores'][0]:g}, " in result.stdout
    frames, width, height, seconds = decode(tmp_path / "pong.mp4")
    assert (frames, width, height) == (60, 640, 840)
    assert seconds == pytest.approx(1)
