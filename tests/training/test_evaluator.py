"""Evaluations while a run trains: their games, their metrics, their workers, and how they are interrupted."""

import os
import signal

import numpy as np
import pytest

from checkpoints import cartpole_config
from paac_cli.errors import WorkerError
from paac_cli.events import WorkerRestarted
from paac_cli.learning.predictor import Prediction
from paac_cli.sampling.recovery import RestartBudget
from paac_cli.seeding import episode_seed, evaluation_seed, integer_seed
from paac_cli.training.evaluator import open_evaluator
from paac_cli.training.ranks import ALONE
from toy_envs import Counting, InfoNumbers, config_of, spec_of


class Recorder:
    """An agent that chooses action 1 and keeps what it is asked. on_step: called before each choice."""

    def __init__(self, on_step=lambda step: None):
        self.seen, self._on_step = [], on_step

    def predict(self, obs, *, seed, step, greedy, state=None):
        self._on_step(step)
        self.seen.append((obs.copy(), seed, step, greedy))
        nothing = np.zeros((len(obs), 0), np.float32)
        return Prediction(np.ones(len(obs), np.int32), nothing.sum(axis=1), nothing, nothing)


def open_toys(
    toy=Counting, *, log=pytest.fail, stopping=lambda: False, workers=2, script=None, budget=None, **training
):
    """An evaluator of 5 games, for a training with 4 environments on 2 workers."""
    settings = {"evaluate_every": 100, "evaluate_episodes": 5} | training
    config = cartpole_config(**settings).model_copy(update={"env": config_of(toy, **(script or {"length": 3}))})
    return open_evaluator(config, spec_of(toy), workers, ALONE, log, stopping, budget or RestartBudget(10))


def no_signal():
    return 0


def test_every_evaluation_plays_the_same_games_with_a_seed_of_their_own():
    agents = [Recorder(), Recorder()]
    with open_toys(evaluate_greedy=True) as evaluator:
        first, second = (evaluator.evaluate(agent, no_signal) for agent in agents)
    assert first.metrics == second.metrics
    seed = evaluation_seed(1)
    for one, other in zip(*(agent.seen for agent in agents), strict=True):
        assert np.array_equal(one[0], other[0])
        assert one[1:] == other[1:]
        assert one[1] == seed
        assert one[3]
    assert agents[0].seen[0][0][:, 0].tolist()[:4] == [integer_seed(episode_seed(seed, env, 0)) for env in range(4)]


def test_the_metrics_are_statistics_of_whole_games():
    with open_toys() as evaluator:
        metrics = evaluator.evaluate(Recorder(), no_signal).metrics
    assert metrics == {"eval/ep_rew_mean": 306.0, "eval/ep_rew_std": 0.0, "eval/ep_len_mean": 3.0}


def test_numbers_of_info_are_reported():
    with open_toys(InfoNumbers, info_keys=["steps", "text"]) as evaluator:
        metrics = evaluator.evaluate(Recorder(), no_signal).metrics
    assert (metrics["eval/success_rate"], metrics["eval/info/steps"]) == (1.0, 3.0)
    assert "eval/info/text" not in metrics


def test_games_that_never_end_are_truncated():
    with open_toys(script={"ends": "never"}, evaluate_max_steps=7) as evaluator:
        assert evaluator.evaluate(Recorder(), no_signal).metrics["eval/ep_len_mean"] == 7.0


def test_without_evaluate_every_nothing_is_played():
    with open_toys(evaluate_every=None) as evaluator:
        assert evaluator.evaluate(Recorder(pytest.fail), no_signal).games == []


@pytest.mark.parametrize("is_between", [False, True])
def test_a_worker_that_is_killed_changes_no_game(is_between):
    """During an evaluation, or between two."""
    events, budget = [], RestartBudget(10)
    with open_toys(log=events.append, budget=budget) as evaluator:
        expected = evaluator.evaluate(Recorder(), no_signal).games

        def kill(step):
            if step == 2 and not budget.restarts:
                os.kill(evaluator._pool.pids[0], signal.SIGKILL)

        if is_between:
            kill(2)
        games = evaluator.evaluate(Recorder() if is_between else Recorder(kill), no_signal).games
        assert [game.score for game in games] == [game.score for game in expected]
        assert budget.restarts == 1
        assert not evaluator.has_diverged
    (event,) = events
    assert isinstance(event, WorkerRestarted)
    assert event.failure.worker.startswith("worker 2 (environments 4-")


def test_a_stop_signal_abandons_an_evaluation_at_once():
    steps = []
    with open_toys(script={"ends": "never"}, evaluate_max_steps=None) as evaluator:
        evaluation = evaluator.evaluate(Recorder(steps.append), lambda: 15 if len(steps) == 3 else 0)
    assert evaluation == ([], 15)
    assert steps == [0, 1, 2]


def test_a_stop_does_not_wait_for_a_worker_that_hangs():
    script = {"length": 3, "fault_in": "step", "fault_at_step": 2, "fault": "hold the GIL"}
    stop = []
    with open_toys(script=script, stopping=lambda: bool(stop)) as evaluator:

        def request_stop(step):
            if step == 1:
                stop.append(2)

        assert evaluator.evaluate(Recorder(request_stop), lambda: sum(stop)).signal == 2


def test_an_environment_that_raises_ends_an_evaluation_with_its_error():
    with (
        open_toys(script={"length": 3, "raises_at_step": 2}) as evaluator,
        pytest.raises(WorkerError, match=r"(?s)worker \d .* of environment \d.*the joystick fell off"),
    ):
        evaluator.evaluate(Recorder(), no_signal)


def test_environments_and_workers_are_not_those_of_the_training():
    """An environment may have a port or a directory of its own."""
    config = cartpole_config(num_envs=40, evaluate_every=100, evaluate_episodes=3)
    env = config_of(Counting, raises_at_step=1, message="{env_index} {worker_index}")
    with (
        open_evaluator(
            config.model_copy(update={"env": env}), spec_of(Counting), 7, ALONE, print, bool, RestartBudget(0)
        ) as evaluator,
        pytest.raises(WorkerError, match=r"ValueError: (40 7|41 8)"),
    ):
        evaluator.evaluate(Recorder(), no_signal)
