"""What a step costs on this machine, part by part: `make bench`.

Prints steps per second of sampling alone (random actions), of the learner alone (acting and updating
on what lies in memory), and of both in lock-step, with the share of the time each part took.
"""

import argparse
import time

import numpy as np

from paac_cli.cli.quiet import import_tensorflow
from paac_cli.config.load import read_config
from paac_cli.config.presets import find_preset
from paac_cli.envs.env import describe_env
from paac_cli.sampling.pool import WorkerPool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="pong")
    parser.add_argument("--num-envs", type=int)
    parser.add_argument("--seconds", type=float, default=8.0, help="per measurement")
    arguments = parser.parse_args()
    overrides = {"sampling.num_envs": arguments.num_envs} if arguments.num_envs else {}
    config = read_config(find_preset(arguments.preset), overrides)
    spec, num_envs = describe_env(config.env), config.sampling.num_envs
    with WorkerPool.of(config, spec) as pool:
        import_tensorflow()
        from paac_cli.algorithms.agent import make_agent
        from paac_cli.training.device import choose_device
        from paac_cli.training.loop import Stopwatch

        print(f"{config.env.id}: {num_envs} environments, {pool.num_workers} workers, {choose_device('auto')}")
        agent = make_agent(config, spec)
        rng = np.random.default_rng(0)
        random_actions = rng.integers(0, spec.action.num_actions, (1000, num_envs))
        step = pool.reset()
        for measured in ("sampling", "learner", "training"):
            watch, steps, warm, started = Stopwatch(), 0, False, time.perf_counter()
            while time.perf_counter() - started < arguments.seconds:
                actions = random_actions[steps // num_envs % 1000] if measured == "sampling" else agent.act(step)
                watch.lap("act")
                if measured == "learner":
                    step = step._replace(slot=step.slot % config.algorithm.rollout_length + 1)
                else:
                    step = pool.step(actions)
                watch.lap("env")
                if measured != "sampling":
                    agent.learn(step)
                watch.lap("learn")
                steps += num_envs
                if not warm and time.perf_counter() - started > 1.0 and step.slot == config.algorithm.rollout_length:
                    watch, steps, warm, started = Stopwatch(), 0, True, time.perf_counter()  # traced by now
            row = watch.report(steps)
            shares = ", ".join(f"{part} {row[f'time/{part}_share']:.0%}" for part in ("env", "act", "learn"))
            print(f"{measured:10}{row['time/fps']:8,.0f} steps/s   {shares}")


if __name__ == "__main__":
    main()
