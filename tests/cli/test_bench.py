"""`paac bench`, in real processes and for a moment."""

import json

import pytest

from paac_cli.machine import available_cores

KEYS = {
    *("what", "env", "protocol", "algorithm", "torso", "num_envs", "num_workers", "cores", "device"),
    *("seconds", "windows", "steps_per_second", "spread", "bound_steps_per_second", "share_of_bound"),
    *(
        "budget_us",
        "cpu_us",
        "learner_share",
        "worker_idle_share",
        "waiting_share",
        "limited_by",
        "sentence",
        "versions",
    ),
}
CARTPOLE = ("--preset", "cartpole", "--num-envs", "4", "--num-workers", "2", "--seconds", "0.3")


@pytest.fixture
def bench(paac, tmp_path):
    """bench(*args): what one that succeeds prints on standard output; it leaves no file."""

    def run(*args):
        result = paac("bench", *args, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert "Traceback" not in result.stderr
        assert list(tmp_path.iterdir()) == []
        return result.stdout

    return run


def assert_consistent(told, parts):
    """A report with these parts of the budget, which add up to the time between two steps."""
    assert told.keys() == KEYS
    assert told["cores"] == available_cores()
    assert list(told["budget_us"]) == parts
    assert sum(told["budget_us"].values()) == pytest.approx(1e6 / told["steps_per_second"], rel=0.1)
    assert told["spread"][0] <= told["steps_per_second"] <= told["spread"][1]
    assert told["share_of_bound"] == pytest.approx(told["steps_per_second"] / told["bound_steps_per_second"], rel=0.01)
    assert told["seconds"] > 0
    assert told["sentence"].endswith(".")


def test_training_pong(bench):
    told = json.loads(bench("train", "--num-envs", "4", "--num-workers", "2", "--seconds", "0.5", "--json"))
    assert_consistent(told, ["emulate", "preprocess", "wait", "act", "learn"])
    assert (told["env"], told["num_envs"], told["num_workers"]) == ("ALE/Pong-v5", 4, 2)
    alone = told["cpu_us"]
    least = alone["emulate"] + alone["network"]
    assert told["bound_steps_per_second"] == pytest.approx(told["cores"] * 1e6 / least, rel=0.01)
    assert told["budget_us"]["emulate"] == pytest.approx(alone["emulate"] / told["cores"], rel=0.01)
    assert told["limited_by"] in ("emulator", "preprocessing", "waiting", "network")
    assert 0 < told["learner_share"] < 1
    assert {"paac", "python", "numpy", "ale-py", "tensorflow"} == told["versions"].keys()


def test_sampling_knows_no_learner(bench):
    told = json.loads(bench("sampler", *CARTPOLE, "--json"))
    assert_consistent(told, ["emulate", "wait"])
    assert told["device"] is told["learner_share"] is told["algorithm"] is None
    assert told["limited_by"] in ("environment", "waiting")


def test_a_learner_that_gathers_experience_first(bench):
    dqn = ("--preset", "dqn/cartpole", "--set", "algorithm.learning_starts=400")
    told = json.loads(bench("learner", *dqn, "--seconds", "0.3", "--json"))
    assert_consistent(told, ["act", "learn"])
    assert told["budget_us"]["learn"] > 1  # it does learn
    assert told["num_workers"] is told["worker_idle_share"] is None


def test_halves_in_turn_are_measured_as_they_are_trained(bench):
    told = json.loads(bench("train", *CARTPOLE, "--set", "sampling.overlap=true", "--json"))
    assert list(told["budget_us"]) == ["wait", "act", "learn"]
    assert told["worker_idle_share"] is None
    assert sum(told["budget_us"].values()) == pytest.approx(1e6 / told["steps_per_second"], rel=0.1)


def test_words_for_people(bench):
    words = bench("train", *CARTPOLE, "--set", "algorithm.num_steps=8")
    assert max(map(len, words.splitlines())) <= 80
    for part in ("CartPole-v1, paac, mlp", "emulate", "wait", "act", "learn", "in all", "of the bound", "limits this"):
        assert part in words


def test_a_sweep_tries_what_is_not_given(paac):
    cores = available_cores()
    result = paac("bench", "sampler", "--sweep", *CARTPOLE[:4], "--seconds", "0.2", "--json")
    told = json.loads(result.stdout)
    assert [row["num_envs"] for row in told["sweep"]] == [4] * len(told["sweep"])
    workers = [row["num_workers"] for row in told["sweep"]]
    assert workers == [number for number in sorted({1, max(cores // 2, 1), cores, 2 * cores}) if number <= 4]
    assert told["recommended"]["flags"] == f"--num-envs 4 --num-workers {told['recommended']['num_workers']}"
    assert "measuring sampler, 4 environments on 1 worker\n" in result.stderr


def test_a_sweep_leaves_out_what_the_config_refuses(paac):
    result = paac("bench", "sampler", "--sweep", "--preset", "cartpole", "--num-workers", "20", "--seconds", "0.05")
    assert result.returncode == 0
    assert "left out: " in result.stderr
    assert "num_workers (20) must not exceed num_envs (16)" in result.stderr
    assert "Recommended: --num-envs " in result.stdout
