"""`training.evaluate_every` in real runs: what it writes, that it changes no bit of training, and how it is stopped."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from chaos.session import Recipe, Session
from paac_cli.config.trust import ANY_CODE
from paac_cli.runs.checkpoint import load_checkpoint, load_policy
from paac_cli.runs.checkpoint_names import list_policies
from paac_cli.seeding import evaluation_seed
from paac_cli.training.verification import read_metrics
from run_paac import environment, paac_here
from short_runs import best_policy, checkpoint_names, final_state, logged_steps, metrics_rows

EVALUATE = ["--set", "training.evaluate_every=2500", "--set", "training.evaluate_episodes=20"]
EVALUATED_AT = [2560, 5056]  # multiples of 64, the steps of a rollout; rows are also written at multiples of 320


def evaluations(run_dir):
    """Steps -> mean score, as text."""
    rows = metrics_rows(run_dir)
    return {int(row["steps"]): row["eval/ep_rew_mean"] for row in rows if row.get("eval/ep_rew_mean")}


# --- what it writes


@pytest.fixture(scope="module")
def evaluated(train, tmp_path_factory):
    """The run `trained`, with evaluations."""
    run_dir = tmp_path_factory.mktemp("evaluated") / "run"
    train(run_dir, *EVALUATE)
    return run_dir


def test_evaluations_change_no_bit_of_the_training(evaluated, trained):
    assert final_state(evaluated) == final_state(trained)
    rows = dict(read_metrics(evaluated / "metrics.csv"))
    for steps, row in read_metrics(trained / "metrics.csv"):
        assert row.items() <= rows[steps].items()


def test_a_row_is_written_at_every_evaluation(evaluated, total_steps):
    assert logged_steps(evaluated) == sorted([*range(320, total_steps + 1, 320), 5056])
    assert list(evaluations(evaluated)) == EVALUATED_AT
    for row in metrics_rows(evaluated):
        is_evaluated = int(row["steps"]) in EVALUATED_AT
        for name in ("eval/ep_rew_mean", "eval/ep_rew_std", "eval/ep_len_mean", "time/eval_share"):
            assert (row[name] != "") == is_evaluated
        shares = [float(row[f"time/{name}_share"]) for name in ("act", "env", "learn")]
        assert 0.2 < sum(shares) < 1.001  # of the time without evaluations
        assert not is_evaluated or 0 < float(row["time/eval_share"]) < 1


def test_the_best_policy_is_the_best_evaluated_one_and_eval_repeats_its_games(evaluated):
    scores, seed = evaluations(evaluated), evaluation_seed(1)
    best = max(scores, key=lambda steps: float(scores[steps]))
    assert (best_policy(evaluated)[0], best_policy(evaluated)[2]) == (f"best_{best:09d}", True)
    log = (evaluated / "events.log").read_text()
    assert f"Evaluating every 2,500 steps: 20 games, actions sampled, seed {seed}\n" in log
    report = json.loads(paac_here("eval", evaluated, "--episodes", 20, "--seed", seed, "--json").stdout)
    assert (report["steps"], f"{report['mean']:.6g}") == (best, scores[best])


def test_a_run_with_evaluations_is_verified(evaluated):
    assert paac_here("verify", evaluated).stdout.endswith("Identical, bit for bit.\n")


@pytest.mark.slow
def test_the_best_policy_is_chosen_anew_when_evaluations_begin_or_end(trained_copy, train, total_steps):
    assert not best_policy(trained_copy)[2]
    train(trained_copy, *EVALUATE, "--total-steps", total_steps + 1280)
    name, _, is_evaluated = best_policy(trained_copy)
    assert (name, is_evaluated) == ("best_000007552", True)
    assert list(evaluations(trained_copy)) == [7552]
    train(trained_copy, "--total-steps", total_steps + 1344)
    name, _, is_evaluated = best_policy(trained_copy)
    assert (name, is_evaluated) == ("best_000007744", False)


# --- interruptions, in an environment whose evaluations take long while a file exists


class Toy:
    """Runs of `Counting` with rollouts of 64 steps, and evaluations at steps 320, 640 and 960."""

    def __init__(self, path):
        self.run_dir, self._slow = path / "run", path / "slow-{env_index}"
        self.slow = Path(str(self._slow).replace("{env_index}", "5"))  # of the second environment of evaluations

    def arguments(self, *more):
        settings = [
            "training.stop_when=null",
            "training.log_every=160",
            "training.checkpoint_every=480",
            "training.keep_checkpoints=9",
            "training.evaluate_every=320",
            "training.evaluate_episodes=6",
            "algorithm.num_steps=16",
            "env.fresh_per_episode=false",
            f"env.kwargs={{script: {{length: 30, slow_while_exists: '{self._slow}'}}}}",
        ]
        settings = [word for setting in settings for word in ("--set", setting)]
        sizes = ["--num-envs", "4", "--num-workers", "1", "--total-steps", "960"]
        return ["--preset", "cartpole", "--env", "toy_envs:Counting-v0", *sizes, *settings, *more]

    def train(self, *more):
        return paac_here("train", *self.arguments(*more), "--run-dir", self.run_dir)

    def start(self, *more):
        return Session(Recipe("Counting", tuple(self.arguments(*more))), self.run_dir, env=environment())

    def start_evaluation(self, session, after):
        """Wait until the session is in the evaluation after the row at step `after`."""
        path = self.run_dir / "metrics.csv"
        session.wait_until(lambda: path.exists() and after in logged_steps(self.run_dir))
        time.sleep(1.0)
        assert logged_steps(self.run_dir)[-1] == after, "no evaluation has begun"


@pytest.fixture
def toy(tmp_path):
    toy = Toy(tmp_path)
    toy.slow.touch()
    return toy


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    toy = Toy(tmp_path_factory.mktemp("uninterrupted"))
    toy.train()
    return toy.run_dir


def assert_same_run(run_dir, expected):
    """The same last checkpoint, rows and best policy."""
    assert final_state(run_dir) == final_state(expected)
    assert read_metrics(run_dir / "metrics.csv") == read_metrics(expected / "metrics.csv")
    assert best_policy(run_dir) == best_policy(expected)


def test_a_stop_during_an_evaluation_is_prompt_and_the_evaluation_is_made_on_resume(toy, uninterrupted):
    with toy.start() as session:
        toy.start_evaluation(session, after=192)
        session.send(signal.SIGINT, to_group=True)
        assert session.wait(5) == 130
        assert session.errors == ""
        assert session.remaining_processes() == []
    assert checkpoint_names(toy.run_dir) == ["step_000000320"]
    assert load_checkpoint(toy.run_dir / "checkpoints" / "step_000000320", ANY_CODE).evaluation_due
    assert logged_steps(toy.run_dir) == [192]

    toy.slow.unlink()
    with toy.start("--set", "training.checkpoint_every=100000") as session:  # killed after the evaluation
        session.wait_until(lambda: 512 in logged_steps(toy.run_dir))
        session.send(signal.SIGKILL)
        session.wait(10)
    assert checkpoint_names(toy.run_dir) == ["step_000000320"]
    toy.train()
    assert_same_run(toy.run_dir, uninterrupted)


def test_a_run_that_is_killed_in_an_evaluation_resumes_exactly(toy, uninterrupted):
    with toy.start("--set", "training.checkpoint_every=192") as session:
        toy.start_evaluation(session, after=192)
        session.send(signal.SIGKILL)
        session.wait(10)
        assert session.remaining_processes() == []
    toy.slow.unlink()
    assert "Resuming at step 192" in toy.train().stdout
    assert_same_run(toy.run_dir, uninterrupted)


def test_a_worker_that_is_killed_in_an_evaluation_is_replaced(toy, uninterrupted):
    with toy.start() as session:
        toy.start_evaluation(session, after=192)
        pids = [process.pid for process in session.processes() if re.fullmatch(r"paac worker [1-9]", process.name)]
        os.kill(pids[-1], signal.SIGKILL)
        toy.slow.unlink()
        session.wait_until_finished(60)
    assert re.search(r"Restarted worker [12] \(environments [456]-7\)", (toy.run_dir / "events.log").read_text())
    assert metrics_rows(toy.run_dir)[-1]["time/restarts"] == "1"
    assert_same_run(toy.run_dir, uninterrupted)


@pytest.mark.slow
def test_a_stop_in_the_last_evaluation_leaves_a_run_that_is_not_finished(toy):
    end = ("--total-steps", "320")
    with toy.start(*end) as session:
        toy.start_evaluation(session, after=192)
        session.send(signal.SIGTERM)
        assert session.wait(5) == 143
    toy.slow.unlink()
    assert "Resuming at step 320" in toy.train(*end).stdout
    assert list(evaluations(toy.run_dir)) == [320]
    assert "is already trained" in toy.train(*end).stdout


@pytest.mark.slow
def test_an_interrupted_evaluation_is_not_made_if_evaluations_are_turned_off(toy):
    with toy.start() as session:
        toy.start_evaluation(session, after=192)
        session.send(signal.SIGTERM)
        assert session.wait(5) == 143
    toy.train("--total-steps", "640", "--set", "training.evaluate_every=null")
    assert logged_steps(toy.run_dir) == [192, 320, 512, 640]
    assert evaluations(toy.run_dir) == {}


# --- environments


def toy_run(run_dir, *settings, env, code=0):
    settings = [
        "training.stop_when=null",
        "training.evaluate_every=320",
        "training.evaluate_episodes=6",
        "algorithm.num_steps=16",
        "env.fresh_per_episode=false",
        *settings,
    ]
    arguments = [word for setting in settings for word in ("--set", setting)]
    sizes = ["--env", env, "--num-envs", 4, "--num-workers", 1, "--total-steps", 640, "--run-dir", run_dir]
    return paac_here("train", "--preset", "cartpole", *sizes, *arguments, code=code)


def test_an_environment_that_fails_in_an_evaluation_ends_the_run_which_can_be_resumed(tmp_path):
    broken, run_dir = tmp_path / "broken-5", tmp_path / "run"  # 5 is the second environment of evaluations
    kwargs = f"env.kwargs={{script: {{raises_while_exists: '{tmp_path}/broken-{{env_index}}'}}}}"
    broken.touch()
    errors = toy_run(run_dir, kwargs, env="toy_envs:Counting-v0", code=1).stderr
    assert "Error: the evaluation at step 320 failed: worker" in errors
    assert re.search("in step 1 .* of game 0 .* of environment 5:", errors)
    assert "The run is saved at step 320, before this evaluation" in errors
    broken.unlink()
    assert "Resuming at step 320" in toy_run(run_dir, kwargs, env="toy_envs:Counting-v0").stdout
    assert list(evaluations(run_dir)) == [320, 640]


def test_environments_of_evaluations_are_made_once(tmp_path):
    """They may take long to make, and have a port or a directory of their own."""
    kwargs = f"env.kwargs={{made: [append, '{tmp_path}/{{env_index}}']}}"
    more = "training.evaluate_every=64", "training.evaluate_max_steps=3"
    toy_run(tmp_path / "run", kwargs, *more, env="rude_envs:Rude-v0")
    assert len(evaluations(tmp_path / "run")) == 10
    made = {path.name: path.read_text().count("made") for path in tmp_path.glob("[0-9]")}
    assert {name: made[name] for name in "4567"} == dict.fromkeys("4567", 1)


@pytest.mark.slow
def test_recurrent_policies_and_action_masks_are_evaluated(tmp_path):
    """The environment raises an error at an illegal action."""
    run_dir = tmp_path / "run"
    settings = [
        "algorithm={name: ppo, num_steps: 16}",
        "network.recurrent={cell: gru, size: 8}",
        "env.action_mask=true",
    ]
    toy_run(run_dir, *settings, "training.evaluate_greedy=true", env="memory_envs:Masked-v0")
    seed, options = evaluation_seed(1), ["--greedy", "--trust-code", "--json", "--last"]
    report = json.loads(paac_here("eval", run_dir, "--episodes", 6, "--seed", seed, *options).stdout)
    assert evaluations(run_dir)[640] == f"{report['mean']:.6g}"
    (best,) = list_policies(run_dir / "checkpoints")
    assert load_policy(best, ANY_CODE).score >= report["mean"]
