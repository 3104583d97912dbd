"""What is meant by a key that the config does not have: it may be in another section, or another project's name."""

from collections.abc import Collection, Container, Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from paac_cli.config.algorithms import ALGORITHM_CONFIGS
from paac_cli.config.schema import RunConfig
from paac_cli.text import either, nearest, one_line

#: Name of a setting in Stable-Baselines3, CleanRL and others -> its name here.
_USUAL_NAMES = {
    "activation_fn": "activation",
    "anneal_lr": "lr_anneal_steps",
    "checkpoint_freq": "checkpoint_every",
    "clip_range": "clip_coef",
    "clip_range_vf": "clip_value",
    "env_id": "id",
    "env_name": "id",
    "epochs": "num_epochs",
    "eval_every": "evaluate_every",
    "eval_freq": "evaluate_every",
    "eval_interval": "evaluate_every",
    "exploration_final_eps": "epsilon_end",
    "exploration_initial_eps": "epsilon_start",
    "features_extractor_class": "torso",
    "hidden_size": "hidden_sizes",
    "log_freq": "log_every",
    "log_interval": "log_every",
    "lr": "learning_rate",
    "minibatch_size": "batch_size",
    "n_envs": "num_envs",
    "n_epochs": "num_epochs",
    "n_eval_episodes": "evaluate_episodes",
    "n_steps": "num_steps",
    "n_timesteps": "total_steps",
    "net_arch": "hidden_sizes",
    "norm_obs": "normalize_obs",
    "norm_reward": "normalize_reward",
    "save_every": "checkpoint_every",
    "save_freq": "checkpoint_every",
    "save_interval": "checkpoint_every",
    "steps": "total_steps",
    "target_update_interval": "target_update_steps",
    "timesteps": "total_steps",
    "total_timesteps": "total_steps",
    "update_epochs": "num_epochs",
}

#: Value of a setting elsewhere -> the value here. PAAC is A2C with other settings.
_USUAL_VALUES = {
    "a2c": "paac",
    "a3c": "paac",
    "cuda": "gpu",
    "double_dqn": "dqn",
    "pqn": "nstep_q",
    "q-learning": "nstep_q",
    "q_learning": "nstep_q",
}


def hint_for_key(keys: Sequence[str], value: Any, known: Iterable[str], algorithm: str = "") -> str:
    """The end of a message that a config has no such key: what may be meant, or else the `known` keys of its section.

    keys: the path of the key. algorithm: the built-in one that is selected, if the key is directly in its section.
    """
    known = list(known)
    *section, given = keys
    name = _USUAL_NAMES.get(given, given)

    def dotted(key: str) -> str:
        return one_line(".".join([*section, key]))

    if name in known:
        return f"; did you mean {dotted(name)}?"
    if given == "policy_kwargs":
        return "; the network has a section of its own, e.g. network.hidden_sizes, network.activation, network.torso"
    found = keys_called(given) if len(keys) <= 2 else []
    if algorithm and found == [f"algorithm.{name}"]:
        return _in_other_algorithms(algorithm, name, value, known)
    if found:
        names = ", ".join(algorithms_with(found[0]))
        return f"; did you mean {found[0]}{f' (of {names})' if names else ''}?"
    return nearest(given, known, shown=dotted, cutoff=0.6) or f"; valid keys: {', '.join(known)}"


def _in_other_algorithms(algorithm: str, name: str, value: Any, known: Container[str]) -> str:
    """As `hint_for_key`, for a setting `name` that `algorithm` does not have and others have."""
    if name != "batch_size":
        names = algorithms_with(f"algorithm.{name}")
        return f"; {name} is a setting of {either(names)}, not of {algorithm}"
    if "num_minibatches" not in known:
        return f"; {algorithm} has no batch_size: it learns from whole rollouts of num_envs x num_steps"
    size = value if isinstance(value, int) else "batch_size"
    return f"; {algorithm} has no batch_size: set algorithm.num_minibatches = num_envs x num_steps / {size}"


def hint_for_value(value: str, allowed: Collection[str]) -> str:
    """The end of a message that `value` is not one of those `allowed`: what may be meant; empty if that is unclear."""
    usual = usual_value(value, allowed)
    return f"; did you mean {usual}?" if usual else nearest(value, allowed)


def usual_value(value: Any, allowed: Collection[str]) -> str | None:
    """The value in `allowed` that `value` stands for in other projects."""
    usual = _USUAL_VALUES.get(str(value).lower().partition(":")[0])  # of e.g. cuda:0
    return usual if usual in allowed else None


def keys_called(name: str) -> list[str]:
    """The dotted keys of settings that are called `name`, here or in other projects; `name` has no section."""
    key = _USUAL_NAMES.get(name, name)
    sections = {name: models_in(field.annotation) for name, field in RunConfig.model_fields.items()}
    if key == "name":  # of an algorithm, but also of much else
        return []
    if key in sections and not sections[key]:
        return [key]
    return [f"{name}.{key}" for name, models in sections.items() if any(key in model.model_fields for model in models)]


def algorithms_with(key: str) -> list[str]:
    """The built-in algorithms that have the setting `key`, dotted; empty if all or none have it."""
    section, _, setting = key.partition(".")
    having = [name for name, model in ALGORITHM_CONFIGS.items() if setting in model.model_fields]
    return having if section == "algorithm" and len(having) < len(ALGORITHM_CONFIGS) else []


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The config classes in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]
