"""Wrong input gives one line that says what is wrong, exit code 2, and leaves nothing behind."""

import calendar
from pathlib import Path

import pytest
from click import Context
from expectations import assert_one_error

from command_reference import walk_commands
from paac_cli.cli.main import main
from paac_cli.cli.usage_hints import COMMANDS, OPTIONS
from paac_cli.config.load import read_config
from paac_cli.errors import RunDirectoryError
from paac_cli.runs.run_directory import RunDirectory
from short_runs import contents

CARTPOLE = ["train", "--preset", "cartpole"]
PONG = ["train", "--preset", "pong"]


# --- before anything starts


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["bench", "sampler", "--set", "sampling.num_envs=0"], ["--set sampling.num_envs"]),
        (["bench", "sampler", "--num-envs", "0"], ["--num-envs"]),
        (["train", "--preset", "pnog"], ["'pnog'", "did you mean pong"]),
        (["train", "--preset", "missing.yaml"], ["no such file: missing.yaml"]),
        (["presets", "show", "cartpol"], ["'cartpol'", "did you mean cartpole"]),
        (["presets", "copy", "cartpol", "x.yaml"], ["did you mean cartpole"]),
        (["presets", "copy", "cartpole", "x.txt"], ["x.txt", ".yaml"]),
        (["presets", "copy", "cartpole", "/proc/no/x.yaml"], ["/proc/no/x.yaml"]),
        (["presets", "copy", "cartpole", "/proc/version/x.yaml"], ["/proc/version/x.yaml cannot be written"]),
        (["presets", "validate", "missing.yaml"], ["no such file: missing.yaml"]),
        (["presets", "validate", "cartpol"], ["'cartpol'", "did you mean cartpole"]),
        ([*CARTPOLE, "--set", "algorithm.gama=1"], ["algorithm.gama", "did you mean algorithm.gamma?"]),
        ([*CARTPOLE, "--set", "algorithm.gamma"], ["--set algorithm.gamma"]),
        ([*CARTPOLE, "--set", "algorithm=ppo"], ["--set algorithm: algorithm = ", "{name: ppo}"]),
        ([*CARTPOLE, "--set", "=1"], ["--set =1"]),
        ([*CARTPOLE, "--set", "seed=[1"], ["--set seed=[1"]),
        ([*CARTPOLE, "--set", "network.torso=mpl"], ["'mpl'", "did you mean mlp"]),
        ([*CARTPOLE, "--set", "network.hidden_sizes=64"], ["network.hidden_sizes = 64"]),
        ([*CARTPOLE, "--set", "algorithm.optimizer.beta_1=1"], ["algorithm.optimizer.beta_1 = 1"]),
        ([*CARTPOLE, "--set", "sampling.num_envs=0"], ["sampling.num_envs = 0"]),
        ([*CARTPOLE, "--set", "sampling.num_envs=x"], ["sampling.num_envs = 'x': must be a valid integer"]),
        ([*CARTPOLE, "--set", "sampling.num_workers=x"], ["sampling.num_workers = 'x'"]),
        ([*CARTPOLE, "--set", "training.total_steps=x"], ["training.total_steps = 'x'"]),
        ([*CARTPOLE, "--set", "training.device=tpu"], ["training.device = 'tpu'"]),
        ([*CARTPOLE, "--set", "seed=-1"], ["seed = -1"]),
        ([*CARTPOLE, "--num-envs", "0"], ["sampling.num_envs = 0"]),
        ([*CARTPOLE, "--num-workers", "0"], ["sampling.num_workers = 0"]),
        ([*CARTPOLE, "--num-workers", "x"], ["sampling.num_workers = 'x'"]),
        ([*CARTPOLE, "--num-workers", "[1"], ["--num-workers"]),
        ([*CARTPOLE, "--num-envs", "2", "--num-workers", "3"], ["num_workers (3) must not exceed num_envs (2)"]),
        ([*CARTPOLE, "--total-steps", "x"], ["training.total_steps = 'x'"]),
        ([*CARTPOLE, "--total-steps", "0"], ["training.total_steps = 0"]),
        ([*CARTPOLE, "--total-steps", "1.5"], ["training.total_steps = 1.5"]),
        ([*CARTPOLE, "--total-steps", "{a: 1}"], ["training.total_steps"]),
        ([*CARTPOLE, "--seed", "-1"], ["seed = -1"]),
        ([*CARTPOLE, "--seed", str(2**63)], ["seed"]),
        ([*CARTPOLE, "--env", ""], ["env.id = ''"]),
        ([*PONG, "--env", "CartPole-v1"], ["baselines", "CartPole-v1"]),
        ([*PONG, "--env", "ALE/Pnog-v5"], ["'ALE/Pnog-v5'", "did you mean ALE/Pong-v5"]),
        ([*PONG, "--env", "ALE/Combat-v5"], ["'ALE/Combat-v5'"]),
        ([*PONG, "--set", "env.kwargs={mode: 1}"], ["kwargs"]),
        ([*CARTPOLE, "--env", "CartPoel-v1"], ["'CartPoel-v1'", "did you mean CartPole-v1"]),
        ([*CARTPOLE, "--env", "no_such_module:Env-v0"], ["no_such_module:Env-v0"]),
        ([*CARTPOLE, "--env", "toy_envs:TextObservation-v0"], ["TextObservation-v0", "Text(", "at words", "Box"]),
        ([*CARTPOLE, "--env", "toy_envs:TupleActions-v0"], ["TupleActions-v0", "action space", "Discrete"]),
        (["train", "--preset", "dqn/cartpole", "--env", "Pendulum-v1"], ["Q-learning", "Discrete", "paac or ppo"]),
        ([*CARTPOLE, "--set", "algorithm.name=nothing:Here"], ["'nothing:Here' cannot be imported"]),
        ([*CARTPOLE, "--set", "algorithm={name: 'json:JSONDecoder'}"], ["has no attribute Config"]),
        (["train", "--preset", "ppo/cartpole", "--set", "algorithm.num_minibatches=3"], ["must divide", "512"]),
        ([*CARTPOLE, "--set", "env.kwargs={gravity: 1}"], ["CartPole-v1", "gravity"]),
        ([*CARTPOLE, "--set", "env.kwargs={max_episode_steps: x}"], ["CartPole-v1", "max_episode_steps"]),
        ([*CARTPOLE, "--env", "FrozenLake-v1", "--set", "env.kwargs={map_name: 9x9}"], ["FrozenLake-v1", "9x9"]),
        ([*PONG, "--num-envs", "65536", "--set", "algorithm.num_steps=1024"], ["bytes of memory", "num_envs"]),
        (["eval", "missing"], ["missing"]),
        (["eval", "x" * 300], ["cannot be read"]),
        (["record", "--checkpoint", "missing"], ["missing"]),
        (["record"], ["no run", "runs"]),
        (["record", "video.avi"], ["video.avi", ".mp4"]),
        (["record", "video"], ["video", ".mp4"]),
        (["record", "video.MOV"], [".mp4, .webm or .gif"]),
        (["plot", "missing"], ["missing"]),
        (["plot", "missing", "--out", "curve.jpg"], ["curve.jpg", ".png"]),
        (["report", "missing"], ["missing holds no run", "does not exist"]),
        (["report", "missing", "--video", "video.avi"], ["video.avi", ".mp4, .webm or .gif"]),
        (["bench", "train", "--preset", "pnog"], ["'pnog'", "did you mean pong"]),
        (["bench", "sampler", "--env", "ALE/Pnog-v5"], ["'ALE/Pnog-v5'", "did you mean ALE/Pong-v5"]),
        (
            ["bench", "sampler", "--num-envs", "2", "--num-workers", "3"],
            ["num_workers (3) must not exceed num_envs (2)"],
        ),
        (["bench", "learner", "--set", "algorithm.gama=1"], ["algorithm.gama", "did you mean algorithm.gamma?"]),
        (
            ["bench", "train", "--sweep", "--set", "algorithm.gama=1"],
            ["algorithm.gama", "did you mean algorithm.gamma?"],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_one_line_says_what_is_wrong(args, expected, invoke, tmp_path):
    assert_one_error(invoke(*args), *expected)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["trian"], "trian"),
        (["train"], "--preset"),
        ([*CARTPOLE, "--num-envs", "x"], "--num-envs"),
        ([*CARTPOLE, "--seed", "1.5"], "--seed"),
        ([*CARTPOLE, "--device", "tpu"], "--device"),
        ([*CARTPOLE, "--gamma", "1"], "No such option --gamma; it is a setting: --set algorithm.gamma=VALUE"),
        (
            [*CARTPOLE, "--batch-size", "1"],
            "it is a setting that only some algorithms have (dqn, sac): --set algorithm.batch_size=VALUE",
        ),
        ([*CARTPOLE, "--lr=0.1"], "--set algorithm.learning_rate=VALUE"),
        ([*CARTPOLE, "--total-timesteps", "9"], "No such option --total-timesteps; did you mean --total-steps?"),
        (
            [*CARTPOLE, "--batch-size", "1"],
            "; for ppo and nstep_q, --set algorithm.num_minibatches=M, where M = num_envs x num_steps / batch_size",
        ),
        ([*CARTPOLE, "--resume"], "No such option --resume; without it, the same command resumes a run"),
        ([*CARTPOLE, "--continue"], "No such option --continue; without it, the same command resumes a run"),
        ([*CARTPOLE, "--load", "x"], "--init-from begins a new run with the weights of a trained policy"),
        ([*CARTPOLE, "--eval-freq", "9"], "--set training.evaluate_every=VALUE"),
        ([*CARTPOLE, "--save-freq=9"], "--set training.checkpoint_every=VALUE"),
        ([*CARTPOLE, "--wandb"], "use --set 'training.trackers=[tensorboard, wandb]'"),
        ([*CARTPOLE, "--mlflow"], "use --set 'training.trackers=[tensorboard, mlflow]'"),
        ([*CARTPOLE, "--tensorboard"], "TensorBoard is on by default"),
        ([*CARTPOLE, "--gpu"], "No such option --gpu; use --device gpu"),
        ([*CARTPOLE, "--cuda"], "No such option --cuda; use --device gpu"),
        ([*CARTPOLE, "--device", "CPU"], "'CPU' is not one of 'auto', 'cpu', 'gpu'; did you mean cpu?"),
        ([*CARTPOLE, "--device", "cuda"], "'cuda' is not one of 'auto', 'cpu', 'gpu'; did you mean gpu?"),
        ([*CARTPOLE, "--verbose"], "metrics are shown by default, and --quiet hides them"),
        (
            [*CARTPOLE, "--normalize"],
            "network.normalize_obs=true, and for rewards --set algorithm.normalize_reward=true",
        ),
        ([*CARTPOLE, "--render"], "`paac watch` shows a trained policy"),
        ([*CARTPOLE, "--policy-kwargs", "x"], "--set 'network.hidden_sizes=[64, 64]', --set network.torso="),
        ([*CARTPOLE, "--net-arch", "64"], "--set network.hidden_sizes=VALUE"),
        ([*CARTPOLE, "--env-id", "x"], "use --env"),
        ([*CARTPOLE, "--num-env", "3"], "No such option '--num-env'. Did you mean --num-envs?"),
        ([*CARTPOLE, "--fersh"], "No such option '--fersh'."),
        ([*CARTPOLE, "--foo"], "No such option '--foo'."),
        (["bench", "train", "--gpu"], "use --set training.device=gpu"),
        (["bench", "train", "--seed", "3"], "--set seed=VALUE"),
        (["tune", "x", *CARTPOLE[1:], "--resume"], "without it, the same command continues a study"),
        (["eval", "x", "--best"], "the best policy of a run is the default"),
        (["eval", "x", "--deterministic"], "use --greedy"),
        (["eval", "x", "--render"], "`paac watch` shows games in a window"),
        (["eval", "--checkpoint", "x"], "the run is an argument: paac eval RUN"),
        (["watch", "--run-dir", "x"], "the run is an argument: paac watch RUN"),
        (["record", "--run", "x"], "use --checkpoint"),
        (["record", "--output", "x.mp4"], "the video is an argument: paac record video.mp4"),
        (["eval", "x", "--gamma", "1"], "No such option '--gamma'."),
        (["eval"], "CHECKPOINT"),
        (["eval", "x", "--episodes", "0"], "--episodes"),
        (["eval", "x", "--seed", "-1"], "--seed"),
        (["eval", "x", "--seed", str(2**64)], "--seed"),
        (["record", "--seconds", "0"], "--seconds"),
        (["record", "--seconds", "nan"], "--seconds"),
        (["record", "--seconds", "inf"], "--seconds"),
        (["record", "--fps", "0"], "--fps"),
        (["record", "--fps", "nan"], "--fps"),
        (["plot"], "RUN"),
        (["plot", "x", "--aggregate", "--y", "time/fps"], "--aggregate cannot be combined with --y"),
        (["compare", "x", "--threshold", "nan"], "--threshold"),
        (["report"], "RUN"),
        (["bench", "emulator"], "WORKLOAD"),
        (["bench", "train", "--seconds", "0"], "--seconds"),
        (["bench", "learner", "--sweep"], "--sweep"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_click_answers_wrong_usage_with_the_usage_and_an_error(args, expected, invoke, tmp_path):
    result = invoke(*args)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert expected in last
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["train"], "e.g. --preset cartpole; `paac presets list`"),
        (["eval"], "e.g. runs/pong-seed1; `paac runs`"),
        (["verify"], "e.g. runs/pong-seed1; `paac runs`"),
        (["train", "pong"], "Missing option '--preset'. Did you mean --preset pong?"),
        (["train", "--seed", "3", "ppo/taxi"], "Did you mean --preset ppo/taxi?"),
        (["train", "plong"], "e.g. --preset cartpole; `paac presets list`"),
        (["tune", "space.yaml", "pong"], "Did you mean --preset pong?"),
        (["trian", "--preset", "cartpole"], "No such command 'trian'; did you mean train?"),
        (["list"], "`paac runs` lists runs, `paac presets list` lists presets"),
        (["resume"], "the `paac train` command that began a run also resumes it"),
        (["continue"], "the `paac train` command that began a run also resumes it"),
        *(
            ([name], "`paac eval` plays games and reports the scores, `paac watch`")
            for name in ("test", "enjoy", "play")
        ),
        (["version"], "use paac --version"),
        (["help"], "use paac --help"),
        (["zzz"], "No such command 'zzz'."),
    ],
)
def test_what_is_missing_or_mistyped_is_answered_with_what_to_type(args, hint, invoke):
    assert hint in invoke(*args).stderr


def test_every_hint_is_for_an_option_or_command_that_does_not_exist():
    options = {}
    for _, command in walk_commands():
        known = [option for parameter in command.params for option in parameter.opts if option.startswith("-")]
        options[command.name] = {option.lstrip("-").replace("-", "_") for option in known}
    for commands, names, _ in OPTIONS:
        for command in commands.split():
            assert options[command].isdisjoint(names.split()), command
    assert {name for names, _ in COMMANDS for name in names.split()}.isdisjoint(main.list_commands(Context(main)))


@pytest.mark.parametrize(
    "args",
    [
        ["--algorithm", "calendar:Mine"],
        ["--set", "env.wrappers=[calendar:Mine]"],
        ["--set", "network.torso=calendar:mine"],
        ["--set", "training.trackers=[calendar:Mine]"],
    ],
    ids=" ".join,
)
def test_a_file_called_like_a_module_of_python_is_named(args, invoke, tmp_path):
    (tmp_path / "calendar.py").touch()
    assert_one_error(
        invoke(*CARTPOLE, *args),
        f"cannot be imported: {'' if 'algo' in args[0] else 'AttributeError: '}module 'calendar' has no attribute",
        f"; module 'calendar' is {calendar.__file__}, not ./calendar.py: rename your file",
    )


def test_a_binary_file_is_not_a_preset(invoke, tmp_path):
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    for args in (["show", "bad.yaml"], ["copy", "bad.yaml", "new.yaml"], ["validate", "bad.yaml"]):
        assert_one_error(invoke("presets", *args), "bad.yaml")
    assert not (tmp_path / "new.yaml").exists()


def test_control_characters_in_an_error_are_escaped(invoke, tmp_path):
    (tmp_path / "bad.yaml").write_text('{"\\e]0;owned\\a\\e[2J": 1}')
    result = invoke("presets", "validate", "bad.yaml")
    assert result.exit_code == 2
    assert "unknown key \\x1b]0;owned\\x07\\x1b[2J" in result.stderr


def test_copying_a_preset_never_overwrites_a_file(invoke, tmp_path):
    own = tmp_path / "own.yaml"
    assert invoke("presets", "copy", "cartpole", own).exit_code == 0
    assert invoke("presets", "validate", own).exit_code == 0
    own.write_text("precious")
    assert_one_error(invoke("presets", "copy", "pong", own), "own.yaml already exists")
    assert own.read_text() == "precious"


# --- in a real process


def test_a_process_prints_its_error_as_one_line_on_standard_error(paac, tmp_path):
    for args in ([*CARTPOLE, "--set", "network.torsso=mlp"], [*PONG, "--env", "ALE/Pnog-v5"], ["eval", "missing"]):
        result = paac(*args, cwd=tmp_path)
        assert_one_error(result)
        assert result.stdout == ""
    assert contents(tmp_path) == {}


def test_the_traceback_option_shows_the_python_traceback(paac, tmp_path):
    result = paac("--traceback", "train", "--preset", "pnog", cwd=tmp_path)
    assert result.stderr.startswith("Traceback (most recent call last)")
    assert "ConfigError: unknown preset 'pnog'" in result.stderr
    assert result.returncode != 0


def test_a_torso_that_does_not_fit_leaves_no_run_directory(paac, tmp_path):
    """A run directory with the wrong config would make the corrected command fail."""
    result = paac(*CARTPOLE, "--set", "network.torso=nips", cwd=tmp_path)
    assert_one_error(result, "nips", "mlp")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")
def test_a_missing_gpu_is_reported_with_the_devices_that_tensorflow_found(paac, tmp_path):
    result = paac(*CARTPOLE, "--device", "gpu", cwd=tmp_path)
    assert_one_error(result, "device gpu is not available", "TensorFlow 2.", "CUDA", "CPU:0")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


# --- run directories


def test_a_file_cannot_be_or_hold_a_run_directory(invoke, tmp_path):
    (tmp_path / "file").write_text("precious")
    for run_dir in ("file/run", "file"):
        assert_one_error(invoke(*CARTPOLE, "--run-dir", run_dir), f"run directory {tmp_path / run_dir} cannot be used")
    assert contents(tmp_path) == {Path("file"): b"precious"}


def test_a_directory_with_other_files_is_not_touched(invoke, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("precious")
    before = contents(tmp_path)
    for more in ([], ["--fresh"]):
        assert_one_error(invoke(*CARTPOLE, "--run-dir", "home", *more), "home", "neither empty nor a run directory")
    assert contents(tmp_path) == before


def test_fresh_in_the_current_directory_loses_no_file(trained_copy, monkeypatch):
    """--fresh either fails or moves the old run; in both cases the old run is complete afterwards."""
    monkeypatch.chdir(trained_copy)
    before = contents(trained_copy)
    try:
        with RunDirectory(Path()) as run:
            run.claim(read_config(Path("config.yaml")), fresh=True)
            run.create(read_config(Path("config.yaml")), fresh=True)
            (aside,) = trained_copy.parent.glob("copy.old-*")
    except RunDirectoryError:
        aside = trained_copy
    assert contents(aside) == before
