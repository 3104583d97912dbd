"""No command ends with a traceback, whatever the machine, its streams, its limits and its directories are like."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import forked_commands
import pytest

from short_runs import QUICK

MAX_LINES = 12  # of an error

ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
NOWHERE = "/proc/nowhere"


def commands(run, missing="missing"):
    """Every command, as far as it gets within a second: with a finished `run`, or with a path that is `missing`."""
    return [
        ["--help"],
        ["--version"],
        ["nonsense"],
        [f"--{missing}"],
        ["presets", "list"],
        ["presets", "schema"],
        ["presets", "show", "pong"],
        ["presets", "show", f"{missing}.yaml"],
        ["presets", "validate", "pong"],
        ["presets", "validate", f"{run}/config.yaml"],
        ["presets", "validate", f"{run}"],
        ["presets", "copy", "pong", f"{missing}/new.yaml"],
        ["presets", "copy", "pong", f"{run}/config.yaml"],
        ["plot", run],
        ["plot", run, "--out", f"{missing}/x.svg"],
        ["plot", missing],
        ["report", run, "--out", f"{run}/report.html"],
        ["report", missing],
        ["eval", "--help"],
        ["eval", missing],
        ["eval", f"{run}/config.yaml"],
        ["verify", missing],
        ["verify", f"{run}/checkpoints"],
        ["record"],
        ["record", f"{missing}/x.mp4", "--checkpoint", missing],
        ["tune", missing, "--preset", "cartpole"],
        ["tune", f"{run}/config.yaml", "--preset", "cartpole", "--run-dir", missing],
        ["bench", "sampler", "--preset", missing],
        ["bench", "learner", "--num-workers", missing],
        ["train", "--preset", missing],
        ["train", "--preset", f"{missing}.yaml"],
        ["train", "--preset", "cartpole", "--set", f"{missing}=1"],
        ["train", "--preset", "cartpole", "--run-dir", f"{run}/config.yaml"],
        ["train", "--preset", f"{run}/config.yaml", "--run-dir", run],
    ]


def assert_explained(args, code, errors, codes=(0, 1, 2)):
    """The command ended by itself: with its result, or with a message of a few lines."""
    shown = f"{args} -> {code}\n{errors.decode(errors='replace')}"
    assert code in codes, shown
    for word in (b"Traceback", b"Exception ignored", b"Fatal Python error", b"Warning: "):
        assert word not in errors, shown
    assert errors.count(b"\n") <= MAX_LINES, shown


@pytest.fixture
def sweep(tmp_path):
    """sweep(commands, codes=(0, 1, 2), **environment): runs all commands and checks how each of them ends."""
    output, directory = tmp_path / "output", tmp_path / "directory"

    def run(all_args, codes=(0, 1, 2), **environment):
        output.mkdir(exist_ok=True)
        directory.mkdir(exist_ok=True)
        text = json.dumps([[os.fspath(arg) for arg in args] for args in all_args])
        result = subprocess.run(
            [sys.executable, forked_commands.__file__, output],
            env=clean_environment() | environment,
            cwd=directory,
            input=text,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        for number, (args, code) in enumerate(zip(all_args, json.loads(result.stdout), strict=True)):
            errors = output / f"{number}.err"
            assert_explained(args, code, errors.read_bytes() if errors.exists() else b"", codes)
        return [output / f"{number}.out" for number in range(len(all_args))]

    return run


def clean_environment():
    """Without the variable that commands in this process have set to silence TensorFlow."""
    return {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}


@pytest.mark.parametrize(
    ("name", "environment"),
    [(b"gr\xc3\xb6\xc3\x9fe", ASCII), (b"caf\xe9", {}), (b"a\nb '$(x)\x1b[31m", ASCII)],
    ids=["umlauts", "not UTF-8", "controls"],
)
def test_names_that_streams_or_encodings_lack(name, environment, trained_copy, sweep, tmp_path):
    run, missing = trained_copy.rename(tmp_path / os.fsdecode(name)), os.fsdecode(b"missing " + name)
    more = [["train", "--preset", "cartpole", "--env", missing], ["bench", "sampler", "--set", f"env.id={missing}"]]
    for printed in sweep(commands(run, missing) + more, **environment):
        assert b"\x1b" not in printed.read_bytes()


def test_streams_to_a_full_disk(trained_copy, sweep):
    sweep(commands(trained_copy), PAAC_TEST_STDOUT="/dev/full", PAAC_TEST_STDERR="/dev/full")


def test_a_result_that_cannot_be_printed_is_an_error(trained_copy, sweep):
    results = [["--help"], ["eval", "--help"], ["--version"], ["presets", "list"], ["plot", trained_copy]]
    results += [["eval", trained_copy, "--episodes", "1", "--json"]]
    sweep(results, codes=(2,), PAAC_TEST_STDOUT="/dev/full")


def test_a_training_goes_on_if_nothing_can_be_printed(sweep):
    sweep([["train", *QUICK, "--total-steps", "64", "--run-dir", "run"]], codes=(0,), PAAC_TEST_STDOUT="/dev/full")


def test_a_home_and_a_directory_for_temporary_files_that_cannot_be_used(trained_copy, sweep):
    sweep(commands(trained_copy), HOME=NOWHERE, TMPDIR=NOWHERE, XDG_CACHE_HOME=NOWHERE)


def test_a_current_directory_that_has_been_deleted(trained_copy, sweep, tmp_path):
    more = [["train", "--preset", "cartpole"], ["train", "--preset", "cartpole", "--run-dir", "run"]]
    sweep([*commands(trained_copy), *more], PAAC_TEST_DELETED=str(tmp_path))


# --- in real processes


def check(args, tmp_path, codes=(0, 1, 2), **options):
    command = [sys.executable, "-m", "paac_cli", *map(os.fspath, args)]
    options = {"cwd": tmp_path, "env": clean_environment(), "stderr": subprocess.PIPE} | options
    result = subprocess.run(command, stdout=subprocess.PIPE, timeout=100, check=False, **options)
    assert_explained(args, result.returncode, result.stderr or b"", codes)
    return result


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]])
def test_closed_streams(closed, tmp_path):
    for args in (["--help"], ["presets", "list"], ["eval", "missing"], ["train", "--preset", "cartpole", "--env", "x"]):
        check(args, tmp_path, preexec_fn=lambda: [os.close(descriptor) for descriptor in closed])


@pytest.mark.parametrize(
    ("args", "megabytes"),
    [("presets", 100), ("plot", 120), ("plot", 400), ("eval", 100), ("eval", 1000), ("verify", 1000), ("train", 1000)],
)
def test_little_memory(args, megabytes, trained_copy, tmp_path):
    args = {
        "presets": ["presets", "validate", trained_copy / "config.yaml"],
        "plot": ["plot", trained_copy],
        "eval": ["eval", trained_copy, "--episodes", "1"],
        "verify": ["verify", trained_copy],
        "train": ["train", "--preset", "cartpole", "--run-dir", tmp_path / "new"],
    }[args]
    result = check(args, tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20,) * 2))
    if megabytes == 1000:
        assert b"TensorFlow cannot be imported" in result.stderr
        assert f"this process may use only {megabytes << 20:,} bytes of memory (ulimit -v)".encode() in result.stderr
        assert result.returncode == 2


def test_a_training_on_an_odd_machine_leaves_a_run_that_every_command_reads(tmp_path):
    """No directory but its own, ASCII streams on a full disk, a name that is not UTF-8."""
    environment = clean_environment() | ASCII | {"HOME": NOWHERE, "XDG_CACHE_HOME": NOWHERE}
    run = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n\xc3\xb6"))
    quick = ["--preset", "cartpole", "--num-envs", "2", "--total-steps", "64", "--set", "algorithm.num_steps=16"]
    with Path("/dev/full").open("wb") as full:
        check(["train", *quick, "--run-dir", run], tmp_path, codes=(0,), env=environment, stderr=full)
    assert (run / "checkpoints" / "step_000000064").is_dir()
    report = check(["eval", run, "--episodes", "1", "--json"], tmp_path, codes=(0,), env=environment)
    assert json.loads(report.stdout)["checkpoint"].encode(errors="surrogateescape").startswith(os.fsencode(run))
    check(["record", "--checkpoint", run, "--seconds", "0.2"], tmp_path, codes=(0,), env=environment)
    check(["report", run], tmp_path, codes=(0,), env=environment)
    assert len(list((run / "videos").iterdir())) == 1
