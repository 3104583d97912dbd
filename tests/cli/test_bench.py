"""`paac bench` in real processes, with short measurements."""

import json

import pytest

from paac_cli.config.presets import find_preset
from paac_cli.machine import available_cores, vector_extensions

KEYS = {
    *("what", "env", "protocol", "algorithm", "torso", "num_envs", "num_workers", "cores", "device"),
    *("processor", "vector_extensions", "onednn", "precision", "arithmetic"),
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
    """bench(*args): what `paac bench` prints on standard output. It must succeed and leave no file."""

    def run(*args):
        result = paac("bench", *args, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert "Traceback" not in result.stderr
        assert list(tmp_path.iterdir()) == []
        return result.stdout

    return run


def assert_consistent(report, parts):
    """`report` has these parts of the budget, and they add up to the time of a step."""
    assert report.keys() == KEYS
    assert report["cores"] == available_cores()
    assert report["vector_extensions"] == vector_extensions()
    if report["arithmetic"] is not None:
        assert report["arithmetic"]["us"] > 0
        assert report["arithmetic"]["times_as_long"] > 1
    assert list(report["budget_us"]) == parts
    assert sum(report["budget_us"].values()) == pytest.approx(1e6 / report["steps_per_second"], rel=0.1)
    assert report["spread"][0] <= report["steps_per_second"] <= report["spread"][1]
    assert report["share_of_bound"] == pytest.approx(
        report["steps_per_second"] / report["bound_steps_per_second"], rel=0.01
    )
    assert report["seconds"] > 0
    assert report["sentence"].endswith(".")


def test_the_report_of_training_pong(bench):
    report = json.loads(bench("train", "--num-envs", "4", "--num-workers", "2", "--seconds", "0.5", "--json"))
    assert_consistent(report, ["emulate", "preprocess", "wait", "act", "learn"])
    assert (report["env"], report["num_envs"], report["num_workers"]) == ("ALE/Pong-v5", 4, 2)
    assert report["precision"] in ("float32", "bfloat16")  # the preset's `auto` is decided
    alone = report["cpu_us"]
    least = alone["emulate"] + alone["network"]
    assert report["bound_steps_per_second"] == pytest.approx(report["cores"] * 1e6 / least, rel=0.01)
    assert report["budget_us"]["emulate"] == pytest.approx(alone["emulate"] / report["cores"], rel=0.01)
    assert report["limited_by"] in ("emulator", "preprocessing", "waiting", "network")
    assert 0 < report["learner_share"] < 1
    assert {"paac", "python", "numpy", "ale-py", "tensorflow"} == report["versions"].keys()


def test_the_report_of_a_sampler_has_no_learner(bench):
    report = json.loads(bench("sampler", *CARTPOLE, "--json"))
    assert_consistent(report, ["emulate", "wait"])
    assert report["device"] is report["learner_share"] is report["algorithm"] is report["arithmetic"] is None
    assert report["limited_by"] in ("environment", "waiting")


def test_the_sampler_of_an_environment_that_is_not_atari_needs_no_preset(bench):
    report = json.loads(bench("sampler", "--env", "Acrobot-v1", *CARTPOLE[2:], "--json"))
    assert report["env"] == "Acrobot-v1"


def test_a_learner_is_measured_after_it_has_collected_experience(bench):
    dqn = ("--preset", "dqn/cartpole", "--set", "algorithm.learning_starts=400")
    report = json.loads(bench("learner", *dqn, "--seconds", "0.3", "--json"))
    assert_consistent(report, ["act", "learn"])
    assert report["budget_us"]["learn"] > 1  # so it made updates
    assert report["num_workers"] is report["worker_idle_share"] is None


def test_overlap_is_measured_as_it_is_trained(bench):
    report = json.loads(bench("train", *CARTPOLE, "--set", "sampling.overlap=true", "--json"))
    assert list(report["budget_us"]) == ["wait", "act", "learn"]
    assert report["worker_idle_share"] is None
    assert sum(report["budget_us"].values()) == pytest.approx(1e6 / report["steps_per_second"], rel=0.1)


def test_the_text_report_names_all_parts_and_fits_80_columns(bench):
    text = bench("train", *CARTPOLE, "--set", "algorithm.num_steps=8")
    assert max(map(len, text.splitlines())) <= 80
    for part in (
        "CartPole-v1, paac, mlp",
        "emulate",
        "wait",
        "act",
        "learn",
        "total",
        "of the bound",
        "limits the speed",
    ):
        assert part in text


def test_a_sweep_varies_what_no_flag_fixes(paac):
    cores = available_cores()
    result = paac("bench", "sampler", "--sweep", *CARTPOLE[:4], "--seconds", "0.2", "--json")
    report = json.loads(result.stdout)
    assert [row["num_envs"] for row in report["sweep"]] == [4] * len(report["sweep"])
    workers = [row["num_workers"] for row in report["sweep"]]
    assert workers == [number for number in sorted({1, max(cores // 2, 1), cores, 2 * cores}) if number <= 4]
    assert report["recommended"]["flags"] == f"--num-envs 4 --num-workers {report['recommended']['num_workers']}"
    assert "Measuring sampler with 4 environments on 1 worker\n" in result.stderr


@pytest.mark.parametrize(
    ("options", "source"),
    [
        (["--num-workers", "20"], "--num-workers"),
        (["--set", "sampling.num_workers=20"], "--set sampling.num_workers"),
    ],
)
def test_a_sweep_skips_invalid_combinations(paac, options, source):
    result = paac("bench", "sampler", "--sweep", "--preset", "cartpole", *options, "--seconds", "0.05")
    assert result.returncode == 0
    assert f"Skipped: {find_preset('cartpole')} with {source}, --num-envs: " in result.stderr
    assert "num_workers (20) must not exceed num_envs (16)" in result.stderr
    assert "Recommended: --num-envs " in result.stdout
