"""What only a GPU shows. Run with `make test ARGS='-m gpu'`."""

import json

import pytest

from paac_cli.runs.checkpoint import list_checkpoints

pytestmark = pytest.mark.gpu

OPTIONS = {
    "lock-step": [],
    "halves in turn": ["--set", "sampling.overlap=true"],
    "compiled": ["--set", "training.jit_compile=true"],
    "bfloat16": ["--set", "network.precision=bfloat16"],
}


def weights(paac, run_dir, *more):
    result = paac("train", "--preset", "pong", "--device", "gpu", "--total-steps", 4_000, "--run-dir", run_dir, *more)
    assert result.returncode == 0, result.stderr
    assert "learner on CPU" not in result.stdout
    newest = list_checkpoints(run_dir / "checkpoints")[0]
    return {path.name: path.read_bytes() for path in newest.glob("*.safetensors")}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_run_on_the_gpu_is_the_same_again_on_other_workers(name, paac, tmp_path):
    one = weights(paac, tmp_path / "one", "--num-workers", 1, *OPTIONS[name])
    two = weights(paac, tmp_path / "two", "--num-workers", 3, *OPTIONS[name])
    assert one == two


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_gpu_that_adds_in_any_order_is_said_to_be_approximate(deterministic, paac, tmp_path):
    option = f"training.deterministic={str(deterministic).lower()}"
    result = paac(
        *("train", "--preset", "cartpole", "--device", "gpu", "--total-steps", 640, "--run-dir", tmp_path / "run"),
        *("--set", option),
    )
    assert result.returncode == 0, result.stderr
    assert ("without training.deterministic a GPU adds in any order" in result.stdout) != deterministic
    assert ("Approximate:" in result.stdout) != deterministic


def test_bench_names_the_gpu_and_its_share(paac, tmp_path):
    told = json.loads(paac("bench", "train", "--seconds", "2", "--json", cwd=tmp_path).stdout)
    assert told["device"] != "CPU"
    assert 0 < told["learner_share"] < 1
