"""A CartPole run of a few seconds, and what a run leaves on disk."""

import csv
import json

from paac_cli.runs.checkpoint_names import list_policies

#: Arguments of `paac train`. One rollout is 4 environments * 16 steps = 64 steps; all numbers below are multiples.
QUICK = [
    *("--preset", "cartpole", "--num-envs", "4", "--num-workers", "2"),
    *("--set", "training.stop_when=null", "--set", "training.keep_checkpoints=2"),
    *("--set", "algorithm.lr_anneal_steps=0", "--set", "algorithm.num_steps=16"),
    *("--set", "training.log_every=320", "--set", "training.checkpoint_every=1280"),
    *("--set", "env.fresh_per_episode=false"),  # does without the check whether CartPole carries state
]
TOTAL_STEPS = 6_400


def metrics_rows(run_dir):
    """The rows of metrics.csv, each column -> text."""
    with (run_dir / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def logged_steps(run_dir):
    return [int(row["steps"]) for row in metrics_rows(run_dir)]


def checkpoint_names(run_dir):
    """Names of the checkpoints, oldest first."""
    return sorted(path.name for path in (run_dir / "checkpoints").glob("step_*"))


def steps_in(checkpoint_name):
    return int(checkpoint_name.removeprefix("step_"))


def final_state(run_dir):
    """Name of the newest checkpoint and the bytes of its array files. Its manifest also has the time of training."""
    newest = max((run_dir / "checkpoints").glob("step_*"))
    return newest.name, {path.name: path.read_bytes() for path in newest.glob("*.safetensors")}


def best_policy(run_dir):
    """Name and bytes of the best policy, and whether it is the best of evaluations."""
    (path,) = list_policies(run_dir / "checkpoints")
    manifest = json.loads((path / "manifest.json").read_text())
    return path.name, (path / "policy.safetensors").read_bytes(), manifest["is_evaluated"]


def contents(directory):
    """Relative path -> bytes of every file in `directory`, and False for every directory."""
    return {path.relative_to(directory): path.is_file() and path.read_bytes() for path in directory.rglob("*")}


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
