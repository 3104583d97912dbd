"""Tests that need a GPU. Run them with `make test ARGS='-m gpu'`."""

import json

import pytest

from paac_cli.runs.checkpoint_names import list_checkpoints

pytestmark = pytest.mark.gpu

OPTIONS = {
    "lock-step": [],
    "overlap": ["--set", "sampling.overlap=true"],
    "XLA": ["--set", "training.jit_compile=true"],
    "bfloat16": ["--set", "network.precision=bfloat16"],
}


def final_arrays(paac, run_dir, *more):
    """File name -> bytes of the array files of a short Pong run on the GPU."""
    result = paac("train", "--preset", "pong", "--device", "gpu", "--total-steps", 4_000, "--run-dir", run_dir, *more)
    assert result.returncode == 0, result.stderr
    assert "learner on CPU" not in result.stdout
    newest = list_checkpoints(run_dir / "checkpoints")[0]
    return {path.name: path.read_bytes() for path in newest.glob("*.safetensors")}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_number_of_workers_does_not_change_the_result_on_a_gpu(name, paac, tmp_path):
    one = final_arrays(paac, tmp_path / "one", "--num-workers", 1, *OPTIONS[name])
    two = final_arrays(paac, tmp_path / "two", "--num-workers", 3, *OPTIONS[name])
    assert one == two


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_run_without_deterministic_operations_is_approximate(deterministic, paac, tmp_path):
    option = f"training.deterministic={str(deterministic).lower()}"
    result = paac(
        *("train", "--preset", "cartpole", "--device", "gpu", "--total-steps", 640, "--run-dir", tmp_path / "run"),
        *("--set", option),
    )
    assert result.returncode == 0, result.stderr
    assert ("training.deterministic is false, so the GPU adds in no fixed order" in result.stdout) != deterministic
    assert ("Approximate:" in result.stdout) != deterministic


def test_bench_names_the_gpu_and_its_share(paac, tmp_path):
    report = json.loads(paac("bench", "train", "--seconds", "2", "--json", cwd=tmp_path).stdout)
    assert report["device"] != "CPU"
    assert 0 < report["learner_share"] < 1


@pytest.mark.parametrize("preset", ["atari", "nstep_q/atari"])
def test_minibatches_of_screens_are_gathered_on_a_gpu(preset, paac, tmp_path):
    steps = ("--total-steps", 4_096, "--run-dir", tmp_path / "run")
    trained = paac("train", "--preset", preset, "--device", "gpu", *steps)
    assert trained.returncode == 0, trained.stderr
    verified = paac("verify", tmp_path / "run", "--from-start")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_an_agent_learns_on_a_gpu(paac, tmp_path):
    result = paac("train", "--preset", "cartpole", "--device", "gpu", "--run-dir", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert "goal reached" in result.stdout
