"""Begins a run with the weights of a trained policy (`init_from`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from paac_cli.algorithms.agent import Agent
from paac_cli.config.schema import InitFrom
from paac_cli.errors import ConfigError
from paac_cli.runs.arrays import Arrays
from paac_cli.runs.checkpoint import PolicyArrays
from paac_cli.runs.run_directory import find_policy_arrays
from paac_cli.text import counted

_TARGET = "target/"  # prefix of the arrays of target networks, which begin as copies
_MAX_NAMES = 6  # in one message


class WarmStart(NamedTuple):
    """What a run has taken from a trained policy."""

    path: str
    taken: Sequence[str]  #: names of arrays
    new: Sequence[str]  #: names of those that begin as in any other run

    def __str__(self) -> str:
        new = f"; as in any new run: {_listed(self.new)}" if self.new else ""
        return f"Beginning with {counted(len(self.taken), 'array')} of the policy in {self.path}{new}"


def find_initial_policy(init_from: InitFrom) -> PolicyArrays:
    """The policy that `init_from` describes. Raises ConfigError and CheckpointError."""
    wanted = init_from.sha256
    for found in find_policy_arrays(Path(init_from.path)):
        if wanted in (None, found.sha256):
            return found
    raise ConfigError(
        f"init_from: {init_from.path} holds no policy with SHA-256 {wanted} any more; only a new run can begin with "
        "another one"
    )


def begin_with(agent: Agent, policy: Arrays, path: str) -> WarmStart:
    """Give `agent` every array of `policy` that its own policy has with the same shape; target networks, too.

    path: of the policy, for messages. Raises ConfigError if no weights fit.
    """
    own, learner = agent.policy.to_arrays(), agent.learner.to_arrays()
    taken = {
        name: policy[name]
        for name, array in own.items()
        if name in policy and (policy[name].shape, policy[name].dtype) == (array.shape, array.dtype)
    }
    if not any(name.endswith("kernel") for name in taken):
        raise ConfigError(
            f"init_from: no weights of the policy in {path} fit this network, which has {_listed(list(own))}; are "
            "network.torso and the shape of the observations the same?"
        )
    agent.policy.assign(own | taken)
    agent.learner.assign(
        learner | {name: taken[name.removeprefix(_TARGET)] for name in learner if _names_copy(name, taken)}
    )
    return WarmStart(path, [*taken], [name for name in own if name not in taken])


def _names_copy(name: str, taken: Arrays) -> bool:
    return name.startswith(_TARGET) and name.removeprefix(_TARGET) in taken


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more
