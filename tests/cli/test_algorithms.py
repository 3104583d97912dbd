"""Every algorithm, and a third-party one, through the command line."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import paac_cli
from corridor import SPEC
from minimal_config import load
from paac_cli.algorithms.agent import make_agent
from paac_cli.config.algorithms import ALGORITHM_CONFIGS
from run_paac import paac, paac_here
from short_runs import final_state

SOURCE = Path(paac_cli.__file__).parent

#: Short rollouts and an early start of learning, so that 1,280 steps exercise everything that an algorithm does.
QUICK = {
    "paac": ["algorithm.num_steps=8", "algorithm.normalize_reward=true"],
    "ppo": [
        "algorithm.num_steps=8",
        "algorithm.num_minibatches=2",
        "algorithm.normalize_value=true",
        "network.separate_value=true",
        "algorithm.target_kl=0.01",
        "algorithm.on_kl=adapt",
    ],
    "nstep_q": [
        "algorithm.num_steps=8",
        "algorithm.target_update_steps=320",
        "algorithm.normalize_reward=true",
        "algorithm.optimizer={name: radam}",
    ],
    "dqn": [
        "algorithm.learning_starts=160",
        "algorithm.steps_per_update=16",
        "algorithm.buffer_size=500",
        "algorithm.target_update_steps=320",
        "algorithm.prioritized_alpha=0.6",
        "algorithm.n_step=3",
        "algorithm.batch_size=16",
    ],
    "sac": [
        "algorithm.learning_starts=160",
        "algorithm.utd_ratio=0.0625",
        "algorithm.buffer_size=500",
        "algorithm.normalize_reward=true",
        "algorithm.n_step=3",
        "algorithm.batch_size=16",
    ],
}


def train_briefly(name, run_dir, total_steps, *more, run=paac_here):
    """more: further arguments, whose settings replace those here. run: `paac_here`, or `paac` for a new process."""
    sets = [*QUICK[name], "network.normalize_obs=true", "training.log_every=160", "training.checkpoint_every=640"]
    sets += ["training.stop_when=null", "env.fresh_per_episode=false"]
    return run(
        *("train", "--preset", "cartpole", "--algorithm", name, "--num-envs", 4, "--run-dir", run_dir),
        *("--total-steps", total_steps),
        *(word for assignment in sets for word in ("--set", assignment)),
        *more,
    )


@pytest.mark.parametrize("name", ALGORITHM_CONFIGS)
def test_a_run_that_is_resumed_on_other_workers_equals_an_uninterrupted_one(name, tmp_path):
    train_briefly(name, tmp_path / "one", 1280)
    train_briefly(name, tmp_path / "two", 640, "--num-workers", 1)
    # In a new process, so that nothing in memory which the checkpoint lacks can help.
    result = train_briefly(name, tmp_path / "two", 1280, "--num-workers", 3, run=paac)
    assert "Resuming at step 640" in result.stdout
    assert final_state(tmp_path / "one") == final_state(tmp_path / "two")


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("ppo", "lstm"),
        pytest.param("nstep_q", "gru", marks=pytest.mark.slow),
        pytest.param("paac", "gru", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("overlap", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_recurrent_policy_that_is_resumed_on_other_workers_equals_an_uninterrupted_one(name, cell, overlap, tmp_path):
    """It is stopped in the middle of episodes, whose states are carried over."""
    settings = ["--set", f"network.recurrent={{cell: {cell}, size: 16}}", "--set", f"sampling.overlap={overlap}"]
    settings += {
        "ppo": ["--set", "network.separate_value=false"],
        "nstep_q": ["--set", "algorithm.target_update_steps=0"],
    }.get(name, [])
    train_briefly(name, tmp_path / "one", 1280, "--num-workers", 2, *settings)
    train_briefly(name, tmp_path / "two", 640, "--num-workers", 1, *settings)
    train_briefly(name, tmp_path / "two", 1280, "--num-workers", 2, *settings)
    assert final_state(tmp_path / "one") == final_state(tmp_path / "two")
    paac_here("verify", tmp_path / "one")


@pytest.mark.parametrize("name", ["ppo", *(pytest.param(name, marks=pytest.mark.slow) for name in ("paac", "nstep_q"))])
def test_a_run_with_overlap_is_the_same_on_any_number_of_workers(name, tmp_path):
    overlap = ["--set", "sampling.overlap=true"]
    train_briefly(name, tmp_path / "one", 1280, "--num-workers", 2, *overlap)
    train_briefly(name, tmp_path / "two", 640, "--num-workers", 1, *overlap)
    train_briefly(name, tmp_path / "two", 1280, "--num-workers", 2, *overlap)
    assert final_state(tmp_path / "one") == final_state(tmp_path / "two")


@pytest.mark.parametrize("name", ["paac", pytest.param("dqn", marks=pytest.mark.slow)])
def test_a_run_compiled_by_xla_resumes_exactly(name, tmp_path):
    compiled = ["--set", "training.jit_compile=true"]
    train_briefly(name, tmp_path / "one", 1280, *compiled)
    train_briefly(name, tmp_path / "two", 640, *compiled)
    train_briefly(name, tmp_path / "two", 1280, *compiled)
    assert final_state(tmp_path / "one") == final_state(tmp_path / "two")


def test_a_run_compiled_by_xla_trains_on_one_core(tmp_path):
    """TensorFlow itself would use one thread for graphs that wait for each other."""
    command = [sys.executable, "-m", "paac_cli"]
    core = min(os.sched_getaffinity(0))

    def on_one_core(*arguments):
        process = [*command, *map(str, arguments)]
        return subprocess.run(process, preexec_fn=lambda: os.sched_setaffinity(0, {core}), timeout=150, check=True)

    train_briefly("paac", tmp_path / "run", 640, "--set", "training.jit_compile=true", run=on_one_core)


def test_overlap_is_refused_for_an_algorithm_that_learns_within_a_rollout(paac, tmp_path):
    result = paac("train", "--preset", "dqn/cartpole", "--set", "sampling.overlap=true", cwd=tmp_path)
    assert result.returncode == 2
    assert "sampling.overlap is for algorithms that learn from whole rollouts, not for dqn" in result.stderr


def test_a_third_party_algorithm_learns_and_is_evaluated(paac, tmp_path):
    shutil.copy(Path(__file__).parents[1] / "reinforce.py", tmp_path / "mine.py")
    arguments = ["--preset", "cartpole", "--algorithm", "mine:Reinforce", "--total-steps", 30_000]
    result = paac("train", *arguments, "--set", "algorithm.gamma=0.98", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")  # no messages of TensorFlow, which the algorithm imports
    run = tmp_path / "runs" / "cartpole-mine-Reinforce-seed1"
    for command in ("eval", "record --checkpoint"):
        assert f"  paac {command} runs/{run.name} --trust-code\n" in result.stdout
    assert "gamma: 0.98" in (run / "config.yaml").read_text()
    assert "algorithm.name = 'mine:Reinforce'" in paac("eval", run, cwd=tmp_path).stderr
    evaluated = paac("eval", run, "--episodes", 16, "--json", "--trust-code", cwd=tmp_path)
    report = json.loads(evaluated.stdout)
    assert report["mean"] > 60  # random play: 22
    again = paac("train", *arguments[:-1], 32_000, "--set", "algorithm.gamma=0.98", cwd=tmp_path)
    assert "Resuming at step 30,720" in again.stdout


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "del self.predict",
            "algorithm 'faulty:Faulty' does not implement predict ('Faulty' object has no attribute 'predict')",
        ),
        ("self.memory = object()", "algorithm 'faulty:Faulty' does not implement memory.rewind"),
        ("self.learn = lambda step: {'train/loss': [1.0, 2.0]}", "the metric 'train/loss' = [1.0, 2.0]; expected one"),
        ("self.learn = lambda step: {'time/fps': 1.0}", "the metric 'time/fps'; steps and names that begin with"),
        ("self.learn = lambda step: {'steps': 1.0}", "the metric 'steps'; steps and names that begin with rollout/ or"),
        ("self.learn = lambda step: {'a\\nb': 1.0}", "the metric 'a\\nb'; expected one line of text as its name"),
        ("self.learn = lambda step: {3: 1.0}", "the metric 3; expected one line of text as its name"),
        ("self.learn = lambda step: [1.0]", "learn of the algorithm returned a list; expected a dict or None"),
    ],
)
def test_a_third_party_algorithm_that_breaks_the_interface_is_reported(fault, message, tmp_path, monkeypatch):
    (tmp_path / "faulty.py").write_text(
        "from reinforce import Reinforce\n\n\n"
        "class Faulty(Reinforce):\n"
        "    def __init__(self, config, spec):\n"
        "        super().__init__(config, spec)\n"
        f"        {fault}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty", raising=False)
    arguments = ["--preset", "cartpole", "--algorithm", "faulty:Faulty", "--run-dir", tmp_path / "run"]
    assert message in paac_here("train", *arguments, code=2).stderr


def test_a_third_party_algorithm_without_the_length_of_a_rollout_is_reported(tmp_path, monkeypatch):
    (tmp_path / "faulty.py").write_text(
        "from reinforce import AlgorithmConfig, Reinforce\n\n\n"
        "class Faulty(Reinforce):\n"
        "    class Config(AlgorithmConfig):\n"
        "        pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty", raising=False)
    arguments = ["--preset", "cartpole", "--algorithm", "faulty:Faulty", "--run-dir", tmp_path / "run"]
    message = "Config, the Config of 'faulty:Faulty', does not define rollout_length"
    assert message in paac_here("train", *arguments, code=2).stderr


def test_every_agent_of_a_third_party_algorithm_names_its_arrays_alike():
    """`paac verify` makes several in one process."""
    config = load(algorithm={"name": "reinforce:Reinforce"})
    first, second = make_agent(config, SPEC), make_agent(config, SPEC)
    assert first.learner.to_arrays().keys() == second.learner.to_arrays().keys()


def test_training_sampling_runs_and_envs_name_no_algorithm():
    implementations = [config.implementation.partition(":") for config in ALGORITHM_CONFIGS.values()]
    classes, modules = [parts[2] for parts in implementations], [parts[0] for parts in implementations]
    names = "|".join([*(ALGORITHM_CONFIGS.keys() - {"paac"}), *classes, *modules])  # the program is called paac, too
    for package in ("training", "sampling", "runs", "envs"):
        for path in (SOURCE / package).glob("*.py"):
            assert not re.search(rf"\b({names})\b|isinstance\([^)]*algorithm", path.read_text()), path
