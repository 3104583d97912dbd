"""Warnings about settings that are valid but probably not intended."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from paac_cli.config.algorithms import DqnConfig, SacConfig
from paac_cli.config.schema import RunConfig
from paac_cli.spec import EnvSpec, ImageSpec
from paac_cli.text import shell_quoted

#: Section, setting, another one on which it depends, and the values of that with which it has no effect.
_DEPENDENT: tuple[tuple[str, str, str, Callable[[Any], bool]], ...] = (
    ("training", "evaluate_episodes", "evaluate_every", lambda every: every is None),
    ("training", "evaluate_greedy", "evaluate_every", lambda every: every is None),
    ("training", "evaluate_max_steps", "evaluate_every", lambda every: every is None),
    ("algorithm", "on_kl", "target_kl", lambda target: target is None),
    ("algorithm", "max_learning_rate", "on_kl", lambda on_kl: on_kl != "adapt"),
    ("algorithm", "ent_anneal_steps", "ent_coef", lambda coefficient: coefficient == 0.0),
    ("algorithm", "epsilon_start", "epsilon_anneal_steps", lambda steps: steps == 0),
    ("algorithm", "prioritized_beta", "prioritized_alpha", lambda alpha: alpha == 0.0),
    ("algorithm", "prioritized_beta_steps", "prioritized_alpha", lambda alpha: alpha == 0.0),
    ("algorithm", "initial_ent_coef", "ent_coef", lambda coefficient: coefficient != "auto"),
    ("algorithm", "target_entropy", "ent_coef", lambda coefficient: coefficient != "auto"),
)

_SMALLEST_FOR_NATURE = 36  # pixels; the torso `impala` takes images of any size
_LARGE_FLOAT, _LARGE_INTEGER = 2.0, 100.0  # upper bounds of pixels from which on they should be scaled


def advice(config: RunConfig, spec: EnvSpec | None = None) -> list[str]:
    """One sentence per setting of `config` that deserves a warning.

    spec: of the environment; None if it is not known, and then some checks are skipped.
    """
    of_spec = [] if spec is None else [*_on_ignored_mask(spec), *_on_images(config, spec)]
    return [
        *_on_learning_rate(config),
        *_on_learning_starts(config),
        *_on_evaluations(config),
        *_on_settings_without_effect(config),
        *_on_hidden_motion(config),
        *of_spec,
    ]


def _on_learning_rate(config: RunConfig) -> Iterator[str]:
    anneal_steps, total_steps = getattr(config.algorithm, "lr_anneal_steps", 0), config.training.total_steps
    if 0 < anneal_steps < total_steps:
        yield (
            f"the learning rate reaches 0 at step {anneal_steps:,}, and training.total_steps is {total_steps:,}: "
            "nothing is learned after that step; to learn until the end, start a new run with "
            f"--set algorithm.lr_anneal_steps={total_steps}"
        )


def _on_learning_starts(config: RunConfig) -> Iterator[str]:
    if not isinstance(config.algorithm, DqnConfig | SacConfig):
        return
    starts, total_steps = config.algorithm.learning_starts, config.training.total_steps
    if total_steps <= starts:
        yield (
            f"algorithm.learning_starts is {starts:,}, and training.total_steps is {total_steps:,}: nothing is "
            f"learned; raise total_steps, or use --set algorithm.learning_starts={total_steps // 10}"
        )


def _on_evaluations(config: RunConfig) -> Iterator[str]:
    every, total_steps = config.training.evaluate_every, config.training.total_steps
    if every is not None and every > total_steps:
        yield (
            f"training.evaluate_every is {every:,}, and training.total_steps is {total_steps:,}: the policy is never "
            "evaluated, and no best policy is kept"
        )


def _on_settings_without_effect(config: RunConfig) -> Iterator[str]:
    for section, name, other, has_no_effect in _DEPENDENT:
        settings = getattr(config, section)
        fields = type(settings).model_fields
        if not {name, other} <= fields.keys() or getattr(settings, name) == fields[name].default:
            continue
        if has_no_effect(value := getattr(settings, other)):
            yield f"{section}.{name} has no effect, because {section}.{other} is {json.dumps(value)}"


def _on_hidden_motion(config: RunConfig) -> Iterator[str]:
    if config.env.is_atari and config.env.frame_stack == 1 and config.network.recurrent is None:
        yield (
            "with env.frame_stack=1 an observation shows no motion, and the policy does not remember earlier ones; use "
            "--set network.recurrent={}, or a larger frame_stack"
        )


def _on_ignored_mask(spec: EnvSpec) -> Iterator[str]:
    if spec.ignores_mask and spec.action.num_actions is not None:
        yield (
            "the environment reports its legal actions in info['action_mask'], which env.action_mask=false ignores; to "
            "choose among legal actions only, use --set env.action_mask=true"
        )


def _on_images(config: RunConfig, spec: EnvSpec) -> Iterator[str]:
    shape = spec.without_mask().obs_shape
    if config.network.torso == "mlp" and len(shape) == 3:
        or_nips = ", or nips" if _torso_for(shape) == "nature" else ""
        yield f"torso 'mlp' flattens images {list(shape)}; use --set network.torso={_torso_for(shape)}{or_nips}"
    yield from _on_images_in_vectors(config, spec.images)
    for image in spec.images:
        subject = f"the part {image.name!r} of observations has" if image.name else "observations have"
        if image.is_ambiguous and _is_read_as_image(config, image):
            yield (
                f"{subject} the shape {list(image.shape)}, which is read as [height, width, channels]; if it is "
                "[channels, height, width], use --set env.channels=first, otherwise --set env.channels=last"
            )
        if _is_unscaled(image) and not config.network.normalize_obs:
            yield (
                f"{subject} {image.dtype} pixels up to {image.high:g}, and only bytes (uint8) are scaled to [0, 1]: "
                f"return uint8 from the environment, divide by {image.high:g} in it, or use "
                "--set network.normalize_obs=true"
            )


def _on_images_in_vectors(config: RunConfig, images: Sequence[ImageSpec]) -> Iterator[str]:
    torsos = {one.name: _torso_for(one.shape) for one in images if one.name and one.name not in config.network.torsos}
    if torsos:
        parts = ", ".join(map(repr, torsos))
        setting = shell_quoted(f"network.torsos={json.dumps({**config.network.torsos, **torsos})}")
        yield f"images in observations ({parts}) become parts of one vector; use --set {setting}"


def _torso_for(shape: tuple[int, ...]) -> str:
    """A torso for images of `shape` [H, W, C] or [C, H, W]."""
    return "nature" if sorted(shape)[-2] >= _SMALLEST_FOR_NATURE else "impala"


def _is_read_as_image(config: RunConfig, image: ImageSpec) -> bool:
    """Whether it matters which axis of `image` holds the channels: not where it is only flattened."""
    if image.name:
        return config.network.torsos.get(image.name, "mlp") != "mlp"
    return config.network.torso != "mlp" or config.env.grayscale or config.env.resize is not None


def _is_unscaled(image: ImageSpec) -> bool:
    largest = _LARGE_FLOAT if np.issubdtype(image.dtype, np.floating) else _LARGE_INTEGER
    return image.dtype != np.uint8 and image.high is not None and image.high >= largest
