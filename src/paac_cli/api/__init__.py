"""Trains and plays in a program of your own.

    from paac_cli.api import evaluate, load_policy, record, train

    result = train("ppo/cartpole", {"algorithm.gamma": 0.98}, seed=2)
    print(evaluate(result.run_dir, greedy=True)["mean"])
    record("cartpole.mp4", result.run_dir)
    policy = load_policy(result.run_dir)

See docs/python.md.
"""

from paac_cli.api.commands import TrainResult, evaluate, record, train
from paac_cli.api.policy import Choice, Policy, load_policy

__all__ = ["Choice", "Policy", "TrainResult", "evaluate", "load_policy", "record", "train"]
