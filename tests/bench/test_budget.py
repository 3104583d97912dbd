"""Budgets worked by hand, on a machine of two cores."""

import pytest
from budgets import CART_POLE, CART_POLE_COSTS, PONG, PONG_COSTS, config_for, window

from paac_cli.bench import budget
from paac_cli.bench.budget import budget_report
from paac_cli.bench.budget_text import format_budget
from paac_cli.bench.env_costs import EnvCosts
from paac_cli.bench.measurement import Arithmetic, Measurement


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(budget, "available_cores", lambda: 2)


def test_the_parts_of_a_training_step_add_up_to_the_whole_step():
    # 10,000 steps in 4 s: 400 us a step. For 150 of them the learner waits for environments, which need (200 + 60) / 2.
    slow, fast = window(env=9.0), window(env=1.0)
    median = window(act=1.0, env=1.5, learn=1.5, busy=1.2)
    measured = Measurement("train", PONG, [fast, median, slow], 2, PONG_COSTS, network_us=300.0, device="CPU")
    report = budget_report(measured)
    assert report["budget_us"] == {"emulate": 100.0, "preprocess": 30.0, "wait": 20.0, "act": 100.0, "learn": 150.0}
    assert report["cpu_us"] == {"emulate": 200.0, "preprocess": 60.0, "network": 300.0}
    assert report["steps_per_second"] == 2_500.0
    assert report["spread"] == [1_111.1, 10_000.0]
    assert report["bound_steps_per_second"] == 4_000.0  # 2 cores / (200 + 300) us
    assert report["share_of_bound"] == 0.625
    assert report["learner_share"] == 0.625
    assert report["worker_idle_share"] == 0.2
    assert report["limited_by"] == "network"
    assert report["sentence"] == "The network limits the speed: acting takes 25% and learning 38% of each step."


def test_the_bound_of_a_sampler_is_the_bare_emulator():
    report = budget_report(Measurement("sampler", PONG, [window(env=2.0, busy=1.9)], 2, PONG_COSTS))
    assert report["budget_us"] == {"emulate": 100.0, "preprocess": 30.0, "wait": 70.0}
    assert report["bound_steps_per_second"] == 10_000.0
    assert report["share_of_bound"] == 0.5
    assert report["device"] is report["learner_share"] is report["algorithm"] is None
    assert report["limited_by"] == "emulator"
    assert report["sentence"] == "The emulator limits the speed: it takes 50% of each step, spread over 2 cores."
    assert "tensorflow" not in report["versions"]


def test_the_bound_of_a_learner_on_a_cpu_is_its_cpu_time_on_all_cores():
    measured = Measurement("learner", PONG, [window(act=1.0, learn=3.0)], network_us=600.0, device="CPU")
    report = budget_report(measured)
    assert report["budget_us"] == {"act": 100.0, "learn": 300.0}
    assert report["share_of_bound"] == 0.75  # 600 us over 2 cores, in 400
    assert report["limited_by"] == "learning"
    assert report["sentence"] == "Learning takes 75% of the learner's time, and acting 25%."


def test_a_learner_on_a_gpu_has_no_bound():
    measured = Measurement("learner", PONG, [window(act=3.0, learn=1.0)], network_us=600.0, device="Some GPU")
    report = budget_report(measured)
    assert report["bound_steps_per_second"] is report["share_of_bound"] is None
    assert report["limited_by"] == "acting"
    assert "bound" not in format_budget(report)


def test_while_a_learner_on_a_gpu_works_the_cores_wait():
    measured = window(act=1.0, env=1.5, learn=1.5, busy=1.2)
    report = budget_report(Measurement("train", PONG, [measured], 2, PONG_COSTS, network_us=300.0, device="Some GPU"))
    assert report["sentence"].endswith("learning 38% of each step, on Some GPU, while the cores wait.")
    assert "busy 62% of the time, on Some GPU" in format_budget(report)


@pytest.mark.parametrize(
    ("num_workers", "busy", "why"),
    [
        (1, 0.19, "messages to more workers would take longer than those workers save; give each worker more"),
        (2, 0.05, "because of messages and of the slowest worker"),  # stepping takes the worker 0.04 s
        (2, 0.19, "slower than environments alone"),
    ],
)
def test_the_report_says_why_the_learner_waits(num_workers, busy, why):
    measured = Measurement("sampler", CART_POLE, [window(env=0.2, busy=busy)], num_workers, CART_POLE_COSTS)
    report = budget_report(measured)
    assert report["budget_us"] == {"emulate": 4.0, "wait": 16.0}
    assert report["limited_by"] == "waiting"
    expected = "Waiting limits the speed: for 80% of each step the learner waits for the workers, "
    assert report["sentence"].startswith(expected)
    assert why in report["sentence"]


@pytest.mark.parametrize(
    ("num_envs", "why"),
    [
        (16, "because 1 worker cannot use 2 cores; start more of them (--num-workers)"),
        (1, "because 1 environment cannot use 2 cores; start more of them (--num-envs)"),
    ],
)
def test_cores_without_a_worker_are_a_reason_to_wait_for_slow_environments(num_envs, why):
    config = config_for("Pendulum-v1", num_envs)
    measured = Measurement("sampler", config, [window(env=22.0, busy=20.0)], 1, EnvCosts(2000.0, None))
    report = budget_report(measured)
    assert report["sentence"].endswith(f"the learner waits for the workers, {why}.")
    assert "(--num-" in format_budget(report)  # in one line


@pytest.mark.parametrize(
    ("config", "costs", "env", "limited_by"),
    [
        (CART_POLE, CART_POLE_COSTS, 0.05, "environment"),
        (PONG, EnvCosts(60.0, 200.0), 1.4, "preprocessing"),
    ],
)
def test_the_largest_part_limits_the_speed(config, costs, env, limited_by):
    report = budget_report(Measurement("sampler", config, [window(env=env, busy=env)], 2, costs))
    assert report["limited_by"] == limited_by
    assert f"{limited_by} limits the speed: it takes" in report["sentence"].lower()


def test_the_text_of_a_report_fits_into_80_columns(monkeypatch):
    measured = window(act=1.0, env=1.5, learn=1.5, busy=1.2)
    learner = {"network_us": 300.0, "arithmetic": Arithmetic(5e9, 1.25e12), "device": "CPU"}
    monkeypatch.setattr(budget, "processor", lambda: "AMD EPYC 9354P 32-Core Processor with a long name")
    reports = [
        budget_report(Measurement("train", PONG, [measured], 2, PONG_COSTS, **learner)),
        budget_report(Measurement("learner", PONG, [measured], **learner)),
        budget_report(Measurement("sampler", CART_POLE, [window(env=0.2, busy=0.05)], 2, CART_POLE_COSTS)),
    ]
    for report in reports:
        assert max(map(len, format_budget(report).splitlines())) <= 80
    assert "  emulate       100.0     25%   4 frames of the bare emulator" in format_budget(reports[0])
    assert "62% of the bound" in format_budget(reports[0])
    assert reports[0]["arithmetic"] == {"mflop": 5000.0, "gflops": 1250.0, "us": 4000.0, "times_as_long": 0.06}
    assert "5,000.0 MFLOP per step: 4,000.0 us at 1,250 GFLOPS" in format_budget(reports[0])
