"""Budgets worked by hand, on a machine of two cores."""

import pytest

from paac_cli.bench.budget import Measured, in_words, report
from paac_cli.bench.cycle import Window
from paac_cli.bench.env_costs import EnvCosts
from paac_cli.bench.sweep import sweep_in_words, sweep_report
from paac_cli.config.load import load_config
from paac_cli.reporting import budget


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(budget, "available_cores", lambda: 2)


def config_for(env_id, num_envs=16):
    sections = {"network": {"torso": "mlp"}, "training": {"total_steps": 1}, "sampling": {"num_envs": num_envs}}
    return load_config({"env": {"id": env_id}, **sections}, "test")


PONG, CART_POLE = config_for("ALE/Pong-v5"), config_for("CartPole-v1")
PONG_COSTS, CART_POLE_COSTS = EnvCosts(200.0, 60.0), EnvCosts(8.0, None)


def window(*, act=0.0, env=0.0, learn=0.0, busy=0.0, steps=10_000):
    return Window(steps, act + env + learn, act, env, learn, 0.0, busy)


def test_the_parts_of_a_training_step_add_up_to_it():
    # 10,000 steps in 4 s: 400 us a step, of which 150 at the pool, whose environments need (200 + 60) / 2.
    slow, fast = window(env=9.0), window(env=1.0)
    measured = window(act=1.0, env=1.5, learn=1.5, busy=1.2)
    told = report(Measured("train", PONG, [fast, measured, slow], 2, PONG_COSTS, network_us=300.0, device="CPU"))
    assert told["budget_us"] == {"emulate": 100.0, "preprocess": 30.0, "wait": 20.0, "act": 100.0, "learn": 150.0}
    assert told["cpu_us"] == {"emulate": 200.0, "preprocess": 60.0, "network": 300.0}
    assert told["steps_per_second"] == 2_500.0
    assert told["spread"] == [1_111.1, 10_000.0]
    assert told["bound_steps_per_second"] == 4_000.0  # 2 cores / (200 + 300) us
    assert told["share_of_bound"] == 0.625
    assert told["learner_share"] == 0.625
    assert told["worker_idle_share"] == 0.2
    assert told["limited_by"] == "network"
    assert told["sentence"] == "The network limits this machine: acting takes 25% and learning 38% of each step."


def test_a_sampler_is_held_against_the_bare_emulator():
    told = report(Measured("sampler", PONG, [window(env=2.0, busy=1.9)], 2, PONG_COSTS))
    assert told["budget_us"] == {"emulate": 100.0, "preprocess": 30.0, "wait": 70.0}
    assert told["bound_steps_per_second"] == 10_000.0
    assert told["share_of_bound"] == 0.5
    assert told["device"] is told["learner_share"] is told["algorithm"] is None
    assert told["limited_by"] == "emulator"
    assert "tensorflow" not in told["versions"]


def test_a_learner_is_held_against_cores_that_never_rest():
    told = report(Measured("learner", PONG, [window(act=1.0, learn=3.0)], network_us=600.0, device="CPU"))
    assert told["budget_us"] == {"act": 100.0, "learn": 300.0}
    assert told["share_of_bound"] == 0.75  # 600 us over 2 cores, in 400
    assert told["limited_by"] == "learning"
    assert told["sentence"] == "Learning takes 75% of the learner's time, and acting 25%."


def test_a_learner_on_a_gpu_has_no_bound_in_cores():
    told = report(Measured("learner", PONG, [window(act=3.0, learn=1.0)], network_us=600.0, device="Some GPU"))
    assert told["bound_steps_per_second"] is told["share_of_bound"] is None
    assert told["limited_by"] == "acting"
    assert "bound" not in in_words(told)


def test_a_learner_on_a_gpu_keeps_the_cores_waiting():
    measured = window(act=1.0, env=1.5, learn=1.5, busy=1.2)
    told = report(Measured("train", PONG, [measured], 2, PONG_COSTS, network_us=300.0, device="Some GPU"))
    assert told["sentence"].endswith("learning 38% of each step, on Some GPU, while the cores wait.")
    assert "at work 62% of the time, on Some GPU" in in_words(told)


@pytest.mark.parametrize(
    ("num_workers", "busy", "why"),
    [
        (1, 0.19, "only 1 of 2 cores have a worker"),
        (2, 0.05, "messages and for the slowest worker"),  # its own work takes 0.04
        (2, 0.19, "slower than alone"),
    ],
)
def test_waiting_has_a_reason(num_workers, busy, why):
    told = report(Measured("sampler", CART_POLE, [window(env=0.2, busy=busy)], num_workers, CART_POLE_COSTS))
    assert told["budget_us"] == {"emulate": 4.0, "wait": 16.0}
    assert told["limited_by"] == "waiting"
    assert told["sentence"].startswith("Waiting limits this machine: for 80% of each step")
    assert why in told["sentence"]


@pytest.mark.parametrize(
    ("config", "costs", "env", "limited_by"),
    [
        (CART_POLE, CART_POLE_COSTS, 0.05, "environment"),
        (PONG, EnvCosts(60.0, 200.0), 1.4, "preprocessing"),
    ],
)
def test_what_takes_most_is_the_limit(config, costs, env, limited_by):
    told = report(Measured("sampler", config, [window(env=env, busy=env)], 2, costs))
    assert told["limited_by"] == limited_by
    assert f"{limited_by} limits this machine: it takes" in told["sentence"].lower()


def test_words_fit_a_terminal():
    measured = window(act=1.0, env=1.5, learn=1.5, busy=1.2)
    words = [
        report(Measured("train", PONG, [measured], 2, PONG_COSTS, network_us=300.0, device="CPU")),
        report(Measured("learner", PONG, [measured], network_us=300.0, device="CPU")),
        report(Measured("sampler", CART_POLE, [window(env=0.2, busy=0.05)], 2, CART_POLE_COSTS)),
    ]
    for told in words:
        assert max(map(len, in_words(told).splitlines())) <= 80
    assert "  emulate       100.0     25%   4 frames of the bare emulator" in in_words(words[0])
    assert "62% of the bound" in in_words(words[0])


def point(num_envs, num_workers, steps_per_second):
    config = config_for("ALE/Pong-v5", num_envs)
    return report(Measured("sampler", config, [window(env=1e4 / steps_per_second)], num_workers, PONG_COSTS))


def test_a_sweep_recommends_the_smallest_that_is_as_good_as_the_fastest():
    told = sweep_report([point(16, 1, 4_000), point(32, 4, 7_800), point(32, 2, 7_700), point(64, 2, 8_000)])
    assert told["recommended"]["flags"] == "--num-envs 32 --num-workers 2"
    assert [row["num_envs"] for row in told["sweep"]] == [16, 32, 32, 64]
    words = sweep_in_words(told)
    assert "Recommended: --num-envs 32 --num-workers 2" in words
    assert max(map(len, words.splitlines())) <= 82
