"""What `paac train` prints on a terminal, with --quiet and with --log-json."""

import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import threading

import pytest

from chaos.session import default_signals
from paac_cli.cli.train_output import TrainOutput
from paac_cli.config.load import read_config
from paac_cli.spec import EnvSpec, discrete_action
from paac_cli.training.progress import Progress
from run_paac import paac_here
from screen import Screen
from short_runs import QUICK, logged_steps, metrics_rows

COLOURS = set(range(30, 38)) | set(range(90, 98))


class Terminal:
    """A pseudo-terminal that shows on a screen what a training prints on it."""

    def __init__(self, width):
        self.ours, self.theirs = os.openpty()
        self.screen, self._lock = Screen(width), threading.Lock()
        self.frames = 0  # of the live view, so far
        self.resize(width)
        self._reader = threading.Thread(target=self._show, daemon=True)
        self._reader.start()

    @property
    def popen(self):
        """Options of `subprocess.Popen` for a process whose controlling terminal this is."""
        return dict.fromkeys(("stdin", "stdout", "stderr"), self.theirs) | {"preexec_fn": _take_terminal}

    def resize(self, width):
        with self._lock:
            self.screen.resize(width)
            fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))

    def press_ctrl_c(self):
        os.write(self.ours, b"\x03")

    def shows(self, text):
        with self._lock:
            return any(text in line for line in self.screen.lines)

    def close(self):
        """Wait until everything is shown that was printed, then close the terminal."""
        os.close(self.theirs)
        self._reader.join(10)
        os.close(self.ours)

    def _show(self):
        while True:
            try:
                printed = os.read(self.ours, 1 << 16)
            except OSError:  # no process has the terminal any more
                return
            with self._lock:
                self.screen.write(printed.decode())
                self.frames += printed.count(b"limited by: ")


def _take_terminal():
    default_signals()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize(
    "variable",
    [pytest.param({}, id="colours"), pytest.param({"NO_COLOR": "1"}, id="no colours", marks=pytest.mark.slow)],
)
def test_the_live_view_on_a_terminal_that_is_resized_until_ctrl_c(variable, start_training, tmp_path):
    terminal = Terminal(80)
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    env |= {"TERM": "xterm", "COLUMNS": "80"} | variable  # some shells export what the size was
    session = start_training(tmp_path / "run", "--set", "training.log_every=64", env=env, **terminal.popen)
    session.wait_until(lambda: terminal.shows("limited by: ") and terminal.shows("(last 100 games)"))
    assert terminal.shows("Loading TensorFlow and the environments ...")
    assert terminal.shows("of 10,000,000 steps")
    assert terminal.shows(f"CartPole-v1, paac, in {tmp_path}"[:70])
    session.wait_until(lambda: terminal.shows("ago: Saved a checkpoint at step"))
    for width in (40, 100, 57):
        terminal.resize(width)
        shown = terminal.frames
        session.wait_until(lambda shown=shown: terminal.frames > shown + 1)  # one may have been made for the old width
    terminal.press_ctrl_c()
    assert session.wait(20) == 130
    terminal.close()
    lines = terminal.screen.lines
    assert lines[-1] == "Stopped. Run the same command to resume"
    (title,) = (index for index, line in enumerate(lines) if line.startswith("CartPole-v1, paac, in"))
    assert "Stopping: " in "".join(lines[:title])
    view = lines[title : next(index for index, line in enumerate(lines) if "mean raw return" in line)]
    assert max(map(len, view)) <= 57 - 3
    labels = [line.split(" ")[0] for line in lines[title:]]
    assert [labels.count(label) for label in ("return", "best", "metrics", "time", "event")] == [1] * 5
    assert "^C" not in "".join(lines)
    assert terminal.screen.cursor_is_visible
    assert bool(terminal.screen.styles & COLOURS) == (not variable)


def test_quiet_prints_the_result_only(train, tmp_path):
    result = train(tmp_path / "run", "--total-steps", "640", "--quiet")
    assert result.stdout.startswith("640 steps, ")
    assert result.stdout.endswith(f"saved in {tmp_path / 'run'}\n")
    assert (result.stdout.count("\n"), result.stderr) == (1, "")


def objects(text):
    """The JSON objects of all lines. NaN and Infinity are not JSON."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_log_json_prints_rows_events_and_the_result(train, trained_copy, total_steps):
    arguments = (trained_copy, "--total-steps", total_steps + 640, "--log-json")
    done = train(*arguments)
    assert done.stderr == ""
    printed = objects(done.stdout)
    rows = [each for each in printed if each["type"] == "metrics"]
    assert [row["steps"] for row in rows] == logged_steps(trained_copy)[-2:]
    for row, cells in zip(rows, metrics_rows(trained_copy)[-2:], strict=True):
        assert {name: f"{value:.6g}" for name, value in row["metrics"].items()} == {
            name: cell for name, cell in cells.items() if name != "steps"
        }
    events = [each for each in printed if each["type"] == "event"]
    assert [event["event"] for event in events] == ["info", "checkpoint_saved"]
    assert events[0]["text"].startswith(f"Resuming at step {total_steps:,}")
    result = printed[-1]
    assert result["type"] == "result"
    assert (result["steps"], result["run_dir"]) == (total_steps + 640, str(trained_copy))
    assert (result["exit_code"], result["goal_reached"]) == (0, False)
    assert f"{result['mean_return']:.6g}" == metrics_rows(trained_copy)[-1]["rollout/ep_rew_mean"]
    (again,) = objects(train(*arguments).stdout)
    assert again | {"time": ""} == result | {"time": ""}


def test_a_stopped_training_with_log_json_prints_its_result(start_training, tmp_path):
    session = start_training(tmp_path / "run", "--log-json")
    session.wait_for_rows()
    session.send(signal.SIGTERM)
    assert session.wait(20) == 143
    assert objects(session.output)[-1]["exit_code"] == 143


def test_training_continues_when_the_reader_of_its_json_exits(start_training, tmp_path):
    session = start_training(tmp_path / "run", "--log-json", stdout=subprocess.PIPE)
    assert json.loads(session.process.stdout.readline())["event"] == "info"
    session.process.stdout.close()
    session.wait_for_checkpoint()
    session.send(signal.SIGTERM)
    assert session.wait(20) == 143
    assert session.errors == ""


def test_errors_with_log_json_are_on_standard_error(paac, tmp_path):
    result = paac("train", *QUICK, "--log-json", "--run-dir", tmp_path / "run", "--set", "seed=-1")
    assert (result.returncode, result.stdout) == (2, "")
    assert "seed" in result.stderr


def test_quiet_and_log_json_exclude_each_other(invoke):
    result = invoke("train", "--preset", "cartpole", "--quiet", "--log-json")
    assert result.exit_code == 2
    assert "--quiet and --log-json exclude each other" in result.stderr


@pytest.mark.parametrize(
    ("steps", "fresh", "advice"),
    [
        (100, False, "the same command to resume"),
        (100, True, "the same command without --fresh to resume"),  # with it, the run would begin anew
        (0, True, "the same command to start again"),
    ],
)
def test_a_stopped_run_says_how_to_go_on(steps, fresh, advice, trained, capsys):
    progress = Progress(None)
    progress.steps = steps
    TrainOutput("text").print_result(read_config(trained / "config.yaml"), progress, trained, 130, fresh=fresh)
    assert capsys.readouterr().out.endswith(f"Stopped. Run {advice}\n")


def test_a_resumed_run_shows_its_earlier_sessions(trained, total_steps):
    config = read_config(trained / "config.yaml")
    spec = EnvSpec((4,), "float32", discrete_action(("left", "right")), fps=50.0)

    def sinks_from(start):
        progress = Progress(None)
        progress.steps = start
        opened = TrainOutput("text").open_view(config, spec, trained / "metrics.csv", progress, trained, print)
        opened.view.close()
        return opened.sinks

    history, watch, view = sinks_from(1_600)
    assert [row.steps for row in history.rows] == list(range(320, 1_601, 320))
    assert (history.latest, watch.sign) == (None, None)
    assert hasattr(view, "log")
    assert [row.steps for row in sinks_from(0)[0].rows] == []
    assert sinks_from(total_steps)[0].best is not None


@pytest.mark.parametrize(("env", "may_be_endless"), [("toy_envs:Counting-v0", True), ("Pendulum-v1", False)])
def test_a_training_in_which_no_game_of_an_own_environment_has_finished_says_why(env, may_be_endless, invoke, tmp_path):
    command = ["train", *QUICK, "--env", env, "--total-steps", 64, "--run-dir", tmp_path / "run"]
    if may_be_endless:
        command += ["--set", "env.kwargs={script: {length: 1_000}}"]
    output = invoke(*command).stdout
    assert "64 steps, 0 games, no game finished" in output
    hint = (
        "No game has finished. If games of this environment do not end, set max_episode_steps in gym.register, or use "
        "the wrapper TimeLimit (env.wrappers)"
    )
    assert (hint in output) == may_be_endless


def test_a_key_of_info_without_numbers_is_reported_once(tmp_path):
    keys = ("--env", "toy_envs:InfoNumbers-v0", "--set", "training.info_keys=[steps, text, stpes]")
    settings = ("--set", "algorithm.num_steps=16", "--set", "algorithm.lr_anneal_steps=0", "--num-envs", 2)
    lengths = ("--set", "training.log_every=320", "--total-steps", 960)
    paac_here("train", "--preset", "cartpole", *keys, *settings, *lengths, "--run-dir", tmp_path)
    rows, log = metrics_rows(tmp_path), (tmp_path / "events.log").read_text()
    assert len(rows) == 3
    assert float(rows[-1]["info/steps"]) > 0
    for key in ("text", "stpes"):
        assert log.count(f"training.info_keys: no game so far had a number '{key}' in the info of its last step") == 1
    assert log.count("training.info_keys") == 2


def test_a_key_of_info_that_a_resume_adds_is_not_reported_before_a_game_has_ended(tmp_path):
    script = "env.kwargs={script: {length: 100}}"
    command = ("train", *QUICK, "--env", "toy_envs:InfoNumbers-v0", "--set", script, "--run-dir", tmp_path)
    paac_here(*command, "--set", "training.log_every=64", "--total-steps", 448)
    keys = ("--set", "training.info_keys=[steps]", "--set", "training.log_every=64")
    paac_here(*command, *keys, "--total-steps", 832)
    assert [row["info/steps"] != "" for row in metrics_rows(tmp_path)][6:9] == [False, False, False]
    assert float(metrics_rows(tmp_path)[-1]["info/steps"]) > 0
    assert "training.info_keys: no game" not in (tmp_path / "events.log").read_text()
