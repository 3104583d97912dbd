"""Measurements made by hand, for budgets on a machine of two cores."""

from paac_cli.bench.budget import budget_report
from paac_cli.bench.cycle import TimedWindow
from paac_cli.bench.env_costs import EnvCosts
from paac_cli.bench.measurement import Measurement
from paac_cli.config.load import load_config


def config_for(env_id, num_envs=16):
    sections = {"network": {"torso": "mlp"}, "training": {"total_steps": 1}, "sampling": {"num_envs": num_envs}}
    return load_config({"env": {"id": env_id}, **sections}, "test")


PONG, CART_POLE = config_for("ALE/Pong-v5"), config_for("CartPole-v1")
PONG_COSTS, CART_POLE_COSTS = EnvCosts(200.0, 60.0), EnvCosts(8.0, None)


def window(*, act=0.0, env=0.0, learn=0.0, busy=0.0, steps=10_000):
    return TimedWindow(steps, act + env + learn, act, env, learn, 0.0, busy)


def sampler_report(num_envs, num_workers, steps_per_second):
    config = config_for("ALE/Pong-v5", num_envs)
    measured = Measurement("sampler", config, [window(env=1e4 / steps_per_second)], num_workers, PONG_COSTS)
    return budget_report(measured)
