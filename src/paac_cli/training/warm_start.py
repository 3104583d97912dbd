"""Begins a run with the weights of a trained policy (`init_from`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from paac_cli.algorithms.agent import Agent
from paac_cli.config.load import flatten
from paac_cli.config.schema import RunConfig
from paac_cli.errors import ConfigError
from paac_cli.events import Warn
from paac_cli.runs.arrays import Arrays
from paac_cli.runs.checkpoint import PolicyArrays
from paac_cli.runs.find import find_policy_arrays
from paac_cli.text import counted

_TARGET = "target/"  # prefix of the arrays of target networks, which begin as copies
_NORMALIZER = "normalizer/"  # of the statistics of observations
_VALUE_NORMALIZER = "value_normalizer"  # first word of the statistics that a value head is normalised with
_VALUE_HEADS = ("q", "value", "value_torso")  # the last: with network.separate_value
_HEADS = (("policy",), _VALUE_HEADS)  # first words of arrays that mean something only together
_CELL = "recurrent"  # first word of the arrays of a recurrent cell
_TORSO = "network.torso"
#: Settings on which it depends what weights of the same shapes mean -> what null stands for.
_MEANINGS = {"network.activation": "tanh", "algorithm.hl_gauss.v_min": None, "algorithm.hl_gauss.v_max": None}
_MAX_NAMES = 6  # in one message


class WarmStart(NamedTuple):
    """What a run has taken from a trained policy."""

    path: str  #: of the policy
    taken: Arrays
    new: Arrays  #: those that begin as in any other run
    unused: Arrays  #: those of the policy that were not taken

    def __str__(self) -> str:
        new = f"; new: {_listed(self.new)}" if self.new else ""
        unused = f"; unused: {_listed(self.unused)}" if self.unused else ""
        return f"Beginning with {counted(len(self.taken), 'array')} of the policy in {self.path}{new}{unused}"


def find_initial_policy(config: RunConfig, warn: Warn) -> PolicyArrays:
    """The policy that `config.init_from` describes. Warns of damaged ones.

    Raises CheckpointError, and ConfigError if no policy is found or its weights mean something else with `config`.
    """
    init_from = config.init_from
    assert init_from is not None
    for found in find_policy_arrays(Path(init_from.path), warn, count=None if init_from.sha256 else 1):
        if init_from.sha256 in (None, found.sha256):
            _require_same_meaning(found.config, config.model_dump(mode="json"), init_from.path)
            return found
    raise ConfigError(
        f"init_from: {init_from.path} holds no policy with SHA-256 {init_from.sha256} any more; only a new run can "
        "begin with another one"
    )


def begin_with(agent: Agent, policy: Arrays, path: str) -> WarmStart:
    """Give `agent` every array of `policy` that its own policy has with the same shape; target networks, too.

    Heads are taken only if both policies have the same ones, and a recurrent cell only as a whole. Heads have learned
    from the outputs of their cell, so they are taken with it, or if neither policy has one. Heads of values are also
    taken only if both policies normalise values, or neither does.

    path: of the policy, for messages. Raises ConfigError if no weights fit, or if only one of the policies normalises
    observations.
    """
    own, learner = agent.policy.to_arrays(), agent.learner.to_arrays()
    if _has(own, _NORMALIZER) != _has(policy, _NORMALIZER):
        wanted = str(_has(policy, _NORMALIZER)).lower()
        raise ConfigError(
            f"init_from: the policy in {path} was trained with network.normalize_obs = {wanted}, so its weights fit "
            f"only such observations; use --set network.normalize_obs={wanted}"
        )
    others = {word for heads in _HEADS if _of_heads(own, heads) != _of_heads(policy, heads) for word in heads}
    if _cell_shapes(own) != _cell_shapes(policy):
        others |= {_CELL, *(word for heads in _HEADS for word in heads)}
    if _has(own, _VALUE_NORMALIZER) != _has(policy, _VALUE_NORMALIZER):
        others |= {*_VALUE_HEADS}
    taken = {
        name: policy[name]
        for name, array in own.items()
        if name in policy
        and (policy[name].shape, policy[name].dtype) == (array.shape, array.dtype)
        and name.partition("/")[0] not in others
    }
    if "value/kernel" not in taken:  # the statistics mean nothing to a head that starts from random weights
        taken = {name: array for name, array in taken.items() if not name.startswith(_VALUE_NORMALIZER)}
    if not any(name.endswith("kernel") for name in taken):
        raise ConfigError(
            f"init_from: no weights of the policy in {path} fit this network, which has {_listed(own)}; are "
            "network.torso and the shape of the observations the same?"
        )
    agent.policy.assign(own | taken)
    copies = {f"{_TARGET}{name}": array for name, array in taken.items() if f"{_TARGET}{name}" in learner}
    agent.learner.assign(learner | copies)
    new, unused = ({name: arrays[name] for name in arrays if name not in taken} for arrays in (own, policy))
    return WarmStart(path, taken, new, unused)


def _require_same_meaning(trained: Mapping[str, Any], config: Mapping[str, Any], path: str) -> None:
    """Raises ConfigError if weights of the config `trained`, whose shapes fit, mean something else with `config`."""
    before, after = ({".".join(path): value for path, value in flatten(data)} for data in (trained, config))
    if before.get(_TORSO) != after.get(_TORSO):
        return  # then hardly any fit
    for key, null in _MEANINGS.items():
        then, now = (null if (value := settings.get(key)) is None else value for settings in (before, after))
        if None not in (then, now) and then != now:
            raise ConfigError(
                f"init_from: the policy in {path} was trained with {key} = {then}, and its weights mean something else "
                f"with {now}; use --set {key}={then}"
            )


def _has(arrays: Mapping[str, object], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in arrays)


def _of_heads(arrays: Mapping[str, object], heads: Sequence[str]) -> set[str]:
    return {name for name in arrays if name.partition("/")[0] in heads}


def _cell_shapes(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items() if name.partition("/")[0] == _CELL}


def _listed(arrays: Arrays) -> str:
    """The names and shapes of `arrays`: the same name may be in two lists, with another shape."""
    listed = [f"{name} {[*array.shape]}" for name, array in arrays.items()]
    more = f" and {len(listed) - _MAX_NAMES} more" if len(listed) > _MAX_NAMES else ""
    return ", ".join(listed[:_MAX_NAMES]) + more
