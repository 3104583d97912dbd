"""Training, evaluating and recording in programs of one's own."""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from paac_cli.api import commands, evaluate, record, train
from paac_cli.errors import CommandError, ConfigError, PaacError
from run_paac import environment, paac_here, running
from short_runs import QUICK, checkpoint_names, contents, final_state, logged_steps, metrics_rows

#: As `QUICK`.
SETTINGS = {
    "training.stop_when": None,
    "training.keep_checkpoints": 2,
    "algorithm.lr_anneal_steps": 0,
    "algorithm.num_steps": np.int64(16),
    "training.log_every": 320,
    "training.checkpoint_every": 1.28e3,
}
OPTIONS = {"num_envs": 4, "num_workers": 2, "show": None}


@pytest.fixture(autouse=True)
def own_environments(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])


def test_a_training_is_that_of_the_command(tmp_path):
    rows = []
    result = train(
        "cartpole",
        SETTINGS,
        total_steps=1.28e3,
        run_dir=tmp_path / "here",
        on_metrics=lambda steps, metrics: rows.append((steps, metrics)),
        **OPTIONS,
    )
    paac_here("train", *QUICK, "--total-steps", 1280, "--run-dir", tmp_path / "command")
    assert final_state(tmp_path / "here") == final_state(tmp_path / "command")
    assert result[:2] == (tmp_path / "here", 1280)
    assert (result.goal_reached, result.is_finished) == (False, True)
    assert [steps for steps, _ in rows] == logged_steps(tmp_path / "here") == [320, 640, 960, 1280]
    last = metrics_rows(tmp_path / "here")[-1]
    assert rows[-1][1]["train/value_loss"] == pytest.approx(float(last["train/value_loss"]), rel=1e-5)
    assert result.mean_return == pytest.approx(float(last["rollout/ep_rew_mean"]), rel=1e-5)  # the file has 6 digits
    assert result.games == int(last["rollout/episodes"])


def test_false_stops_a_training_and_the_same_call_resumes_it(tmp_path):
    def run(total_steps, **more):
        return train("cartpole", SETTINGS, total_steps=total_steps, run_dir=tmp_path, **OPTIONS, **more)

    stopped = run(10**7, on_metrics=lambda steps, _: np.bool_(steps < 640))
    assert 640 <= stopped.steps < 10**7
    assert not stopped.is_finished
    resumed = run(stopped.steps + 640, fresh=np.False_)
    assert (resumed.steps, resumed.is_finished) == (stopped.steps + 640, True)


def test_a_callback_that_is_slower_than_the_training_stops_it_once(tmp_path):
    called = []

    def refuse(steps, metrics):
        time.sleep(3)  # meanwhile the training goes on, and there are more rows
        called.append(steps)
        return False

    result = train("cartpole", SETTINGS, total_steps=10**7, run_dir=tmp_path, on_metrics=refuse, **OPTIONS)
    assert called == [320]
    assert result.steps > 640
    assert checkpoint_names(tmp_path)[-1] == f"step_{result.steps:09}"


def test_an_error_of_the_callback_stops_a_training_and_is_raised(tmp_path):
    def fail(steps, metrics):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train("cartpole", SETTINGS, total_steps=64_000, run_dir=tmp_path, on_metrics=fail, **OPTIONS)
    (saved,) = checkpoint_names(tmp_path)
    assert 0 < int(saved.removeprefix("step_")) < 64_000


def test_what_is_shown_is_what_a_person_sees(tmp_path):
    shown = []
    train(
        "cartpole",
        {"env.id": "rude_envs:Rude-v0", "env.kwargs": {"made": ["print"]}, "algorithm.lr_anneal_steps": 0},
        num_envs=2,
        total_steps=320,
        run_dir=tmp_path,
        show=shown.append,
    )
    assert any(line.startswith("Starting: rude_envs:Rude-v0, paac with torso mlp, 2 env") for line in shown)
    assert any("320 of 320 steps" in line for line in shown)
    assert "from Python" in shown
    assert not any("checkpoint at step" in line for line in shown)


def test_a_report_and_a_video_are_those_of_the_commands(tmp_path):
    run = tmp_path / "run"
    paac_here("train", *QUICK, "--total-steps", 320, "--run-dir", run)
    report = json.loads(paac_here("eval", run, "--episodes", 3, "--seed", 5, "--greedy", "--json").stdout)
    assert evaluate(run, episodes=3, seed=5, greedy=True, last=False, show=None) == report
    shown = []
    record(tmp_path / "video.gif", run, seconds=0.5, greedy=True, show=shown.append)
    assert (tmp_path / "video.gif").read_bytes().startswith(b"GIF89a")
    assert shown[-1].startswith(f"{tmp_path}/video.gif: raw return ")


def test_a_failure_has_the_message_and_the_exit_code_of_the_command(tmp_path):
    with pytest.raises(
        CommandError, match=r"(?s)paac train failed with exit code 2\n.*did you mean algorithm\.gamma\?"
    ) as failure:
        train("cartpole", {"algorithm.gammma": 0.9}, show=None)
    assert failure.value.exit_code == 2
    assert issubclass(CommandError, PaacError)
    with pytest.raises(CommandError, match="No such option '--total-step'"):
        train("cartpole", total_step=1, show=None)
    with pytest.raises(CommandError, match="paac eval failed with exit code 2"):
        evaluate(tmp_path, show=None)
    with pytest.raises(CommandError, match="paac record failed with exit code 2"):
        record(tmp_path / "video.xyz", tmp_path, show=None)
    assert not contents(tmp_path)


@pytest.mark.parametrize("value", [len, math.inf, {1, 2}])
def test_a_setting_that_is_no_data_is_refused(value):
    with pytest.raises(ConfigError, match=r"^env\.kwargs = "):
        train("cartpole", {"env.kwargs": {"key": value}}, show=None)


class Prints:
    """Stands in for `paac`, which prints these lines and ends with this exit code when it gets SIGTERM, or at once."""

    def __init__(self, *lines, code=0, waits=False):
        self.program = "import signal, sys, time\n"
        if waits:
            self.program += (
                f"signal.signal(signal.SIGTERM, lambda *_: (print('disk full', file=sys.stderr), exit({code})))\n"
            )
        self.program += f"print({os.linesep.join(lines)!r}, flush=True)\n"
        self.program += "time.sleep(100)\n" if waits else f"exit({code})\n"

    def __call__(self, arguments, cores, env, output, errors):
        return subprocess.Popen([sys.executable, "-c", self.program], stdout=output, stderr=errors, text=True)


ROW = '{"type": "metrics", "time": "", "steps": 1, "text": "1 step", "metrics": {"train/loss": null}}'


def test_a_missing_number_is_nan(monkeypatch):
    result = '{"type": "result", "time": "", "steps": 1, "games": 0, "mean_return": null, "goal_reached": false, '
    monkeypatch.setattr(commands, "start_paac", Prints(ROW, f'{result}"run_dir": "a", "exit_code": 0}}'))
    shown, rows = [], []
    finished = train("cartpole", show=shown.append, on_metrics=lambda *row: rows.append(row))
    assert shown == ["1 step"]
    assert [steps for steps, _ in rows] == [1]
    assert math.isnan(rows[0][1]["train/loss"])
    assert math.isnan(finished.mean_return)


def test_a_training_that_cannot_be_saved_is_reported_with_the_error_that_stopped_it(monkeypatch):
    monkeypatch.setattr(commands, "start_paac", Prints(ROW, code=2, waits=True))
    with pytest.raises(ZeroDivisionError) as failure:
        train("cartpole", show=None, on_metrics=lambda *_: 1 // 0)
    assert failure.value.__notes__ == ["paac train could not be stopped as it should:\ndisk full"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_training_is_saved_when_its_program_ends(tmp_path, number):
    program = tmp_path / "program.py"
    program.write_text(
        "import signal\n"
        "from paac_cli.api import train\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background\n"
        f"train('cartpole', {SETTINGS | {'algorithm.num_steps': 16}}, num_envs=4, num_workers=2, total_steps=10**7,\n"
        f"      run_dir={str(tmp_path / 'run')!r}, on_metrics=lambda steps, _: print('row', steps, flush=True))\n"
    )
    with running(sys.executable, program, env=environment(), stderr=subprocess.PIPE) as caller:
        for line in caller.stdout:
            if line.startswith("row"):
                break
        caller.send_signal(number)
        _, errors = caller.communicate(timeout=60)
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    _wait_until_free(tmp_path / "run")
    assert checkpoint_names(tmp_path / "run")


def _wait_until_free(run_dir: Path) -> None:
    """Wait until no process trains in `run_dir`."""
    deadline = time.monotonic() + 60
    while any(str(run_dir) in command for command in _commands()):
        assert time.monotonic() < deadline, "the training goes on"
        time.sleep(0.1)


def _commands():
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield cmdline.read_text()
