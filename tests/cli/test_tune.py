"""`paac tune` with real trainings."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest

from chaos.session import default_signals
from paac_cli.runs.saved_run import SavedRun
from paac_cli.tuning.trial import TrialStatus
from run_paac import running
from short_runs import QUICK, final_state

SPACE = """\
algorithm.learning_rate: {low: 1e-4, high: 1e-1, log: true}
network.hidden_sizes: [[16], [32, 32]]
"""


@pytest.fixture
def command(tmp_path):
    """The arguments of `paac tune` for a study of two trials."""
    (tmp_path / "space.yaml").write_text(SPACE)
    settings = ["--set", "sampling.num_envs=4", *QUICK[QUICK.index("--set") :]]
    return ["tune", tmp_path / "space.yaml", "--preset", "cartpole", "--trials", "2", "--jobs", "2", *settings]


def test_a_study_trains_trials_and_the_best_is_a_preset(command, paac, tmp_path):
    result = paac(*command, "--algorithm", "ppo", "--total-steps", "1280", "--run-dir", tmp_path / "study")
    assert result.returncode == 0, result.stderr
    trials = json.loads((tmp_path / "study" / "trials.json").read_text())
    best = max(trials, key=lambda trial: trial["score"])
    for trial in trials:
        run = SavedRun(tmp_path / "study" / f"trial{trial['number']}" / "seed1")
        assert run.config.algorithm.name == "ppo"
        assert run.config.algorithm.learning_rate == trial["settings"]["algorithm.learning_rate"]
        assert list(run.config.network.hidden_sizes) == trial["settings"]["network.hidden_sizes"]
        assert float(run.last_row["rollout/ep_rew_mean"]) == trial["score"]
        assert f"Trial {trial['number']}: algorithm.learning_rate" in result.stderr
    command = (
        f"paac train --preset {tmp_path / 'study' / 'best.yaml'} --seeds 101-103 --run-dir {tmp_path / 'study-best'}"
    )
    assert command in result.stdout
    assert f"The settings of trial {best['number']} are now a preset" in result.stdout

    again = paac("train", "--preset", tmp_path / "study" / "best.yaml", "--run-dir", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert final_state(tmp_path / "again") == final_state(tmp_path / "study" / f"trial{best['number']}" / "seed1")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_study_that_is_stopped_is_continued_by_the_same_command(number, command, paac, tmp_path):
    command += ["--total-steps", "12_800"]
    whole = paac(*command, "--run-dir", tmp_path / "whole", "--json")
    study = tmp_path / "study"
    stopped = [sys.executable, "-m", "paac_cli", *command, "--run-dir", study]
    with running(*stopped, stderr=subprocess.STDOUT, preexec_fn=default_signals) as tuning:
        deadline = time.monotonic() + 60
        while not list(study.glob("trial*/seed1/metrics.csv")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        tuning.send_signal(number)
        output, _ = tuning.communicate(timeout=60)
    if number == signal.SIGINT:
        assert tuning.returncode == 130
        assert "Stopped. The same command continues the study" in output
    outcomes = [trial["outcome"] for trial in json.loads((study / "trials.json").read_text())]
    assert TrialStatus.UNFINISHED in outcomes
    continued = paac(*command, "--run-dir", study, "--json")
    assert continued.returncode == 0, continued.stderr
    assert json.loads(continued.stdout)["trials"] == json.loads(whole.stdout)["trials"]


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ("algorithm.gama: [0.9, 0.99]", [], "space.yaml: unknown key algorithm.gama; did you mean algorithm.gamma"),
        (SPACE, ["--trials", "0"], "--trials"),
        (SPACE, ["--seed", "1.5"], "--seed"),
        (SPACE, ["--preset", "nonsense"], "nonsense"),
        ("[", [], "space.yaml"),
        (SPACE, ["--set", "training.stop_when.mean_return=5"], "remove training.stop_when"),
        (SPACE, ["--env", "CardPole-v1"], "unknown environment 'CardPole-v1'; did you mean CartPole-v1"),
    ],
)
def test_what_cannot_be_searched_is_explained(space, options, message, invoke, tmp_path):
    (tmp_path / "space.yaml").write_text(space)
    result = invoke("tune", tmp_path / "space.yaml", "--preset", "cartpole", "--run-dir", tmp_path / "study", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "study").exists()


def test_a_trial_that_cannot_train_ends_the_command_with_its_error(command, paac, tmp_path):
    (tmp_path / "space.yaml").write_text("algorithm.gamma: [0.9, 0.99]")
    result = paac(*command, "--set", "network.torso=missing_module:torso", "--run-dir", tmp_path / "study")
    assert result.returncode == 2
    assert "Error: a trial could not train: Error: network.torso" in result.stderr
    assert re.search(r"All that it printed is in .*/study/trial[12]/seed1\.txt", result.stderr)


def test_the_study_of_a_preset_file_has_its_own_directory(invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text("env: {id: CartPole-v1}\nnetwork: {torso: mlp}\ntraining: {total_steps: 1000}\n")
    (tmp_path / "space.yaml").write_text("algorithm.gamma: [0.9, 0.99]")
    for name, options in {"tune-my": [], "tune-my-ppo": ["--algorithm", "ppo"]}.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "notes.txt").touch()
        result = invoke("tune", "space.yaml", "--preset", "my.yaml", *options)
        assert f"runs/{name} is neither empty nor a study" in result.stderr


def test_a_directory_with_other_files_is_no_place_for_a_study(command, invoke, tmp_path):
    result = invoke(*command, "--run-dir", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path} is neither empty nor a study" in result.stderr
