"""What an algorithm prints, which runs in the learner's own process, does not appear among results."""

import json

import pytest

from run_paac import environment, paac

TALKATIVE = """
import os, subprocess, sys
from reinforce import Reinforce

print("imported")


class Talkative(Reinforce):
    def learn(self, step):
        print("learning", end="")  # no whole line
        os.write(1, b"C library\\n")
        subprocess.run(["echo", "program"])
        return super().learn(step)
"""


@pytest.fixture(scope="module")
def talkative(tmp_path_factory):
    """talkative(*arguments): the process of a command that finds such an algorithm."""
    directory = tmp_path_factory.mktemp("modules")
    (directory / "talkative.py").write_text(TALKATIVE)
    env = environment()
    return lambda *arguments: paac(*arguments, env={**env, "PYTHONPATH": f"{directory}:{env['PYTHONPATH']}"})


def test_results_as_json_are_only_json(talkative, tmp_path):
    run = tmp_path / "run"
    arguments = ["--preset", "cartpole", "--algorithm", "talkative:Talkative", "--total-steps", 2048, "--run-dir", run]
    trained = talkative("train", *arguments, "--log-json")
    assert [json.loads(line)["type"] for line in trained.stdout.splitlines()][-1] == "result"
    for text in ("imported", "learning", "C library", "program"):
        assert text in trained.stderr
    evaluated = talkative("eval", run, "--episodes", 2, "--json", "--trust-code")
    assert len(json.loads(evaluated.stdout)["scores"]) == 2
    assert "imported" in evaluated.stderr
    validated = talkative("presets", "validate", run / "config.yaml", "--trust-code")
    assert validated.stdout == (run / "config.yaml").read_text()
