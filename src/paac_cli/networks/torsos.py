"""Torsos: from observations to features."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.config.load import nearest
from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.initializers import Initializer
from paac_cli.networks.keras_torso import KerasTorso
from paac_cli.networks.layers import Conv, Convolution, Dense, Linear, Residual, ResidualSection
from paac_cli.networks.normalizer import ObsNormalizer
from paac_cli.spec import EnvSpec

_LAYERS: dict[str, Sequence[Conv | Residual | Dense]] = {
    # arch_nips of the PAAC paper: the network of Mnih et al. 2013
    "nips": (Conv(16, 8, 4), Conv(32, 4, 2), Dense(256)),
    # arch_nature of the PAAC paper: the network of Mnih et al. 2015
    "nature": (Conv(32, 8, 4), Conv(64, 4, 2), Conv(64, 3, 1), Dense(512)),
    # the large network of Espeholt et al. 2018 (arXiv 1802.01561, fig. 3), without its LSTM
    "impala": (Residual(16), Residual(32), Residual(32, "relu"), Dense(256)),
}

#: (inputs [B, ...], number to multiply them by) -> outputs [B, ...]
_Layer = Callable[[tf.Tensor, float], tf.Tensor]


class Torso(tf.Module):
    """The torsos of `network.torso` and `network.torsos`, concatenated: `obs [B, ...] -> features [B, num_features]`.

    Each part of an observation that `network.torsos` names has a torso of its own, in the order of the observation;
    `network.torso` takes all other parts together, last. Raises ConfigError if a torso does not fit its input.
    """

    def __init__(
        self, config: NetworkConfig, spec: EnvSpec, initializer: Initializer, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self._normalizer = ObsNormalizer(spec.obs_shape) if config.normalize_obs else None
        self._part_scales = _part_scales(spec)
        self._branches = [_Branch(config, inputs, initializer, rng) for inputs in _branch_inputs(config, spec)]
        self.num_features = sum(branch.num_features for branch in self._branches)

    def __call__(self, obs: tf.Tensor) -> tf.Tensor:
        """obs: [B, ...] of any numeric dtype; bytes are scaled to [0, 1]. Returns [B, F] float32."""
        features = [branch(*self._scaled(obs, branch.dtype)) for branch in self._branches]
        return tf.concat([tf.cast(part, tf.float32) for part in features], axis=1)

    def observe(self, obs: tf.Tensor) -> None:
        """Update the running statistics with `obs` [B, ...], if observations are normalised."""
        if self._normalizer is not None:
            self._normalizer.update(tf.cast(obs, tf.float32) * self._scale(obs))

    def _scaled(self, obs: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, float]:
        """Observations [B, ...] in `dtype`, and the number by which the first layer still has to multiply them."""
        scale = self._scale(obs)
        if self._normalizer is not None:
            return self._normalizer(obs, scale, dtype), 1.0
        if isinstance(scale, float):
            return tf.cast(obs, dtype), scale
        return tf.cast(tf.cast(obs, tf.float32) * scale, dtype), 1.0

    def _scale(self, obs: tf.Tensor) -> float | NDArray:
        """What maps bytes to [0, 1] and leaves other numbers as they are: one factor, or one for each element."""
        return 1.0 / 255.0 if obs.dtype == tf.uint8 else self._part_scales


class _BranchInput(NamedTuple):
    """Which part of an observation one torso takes."""

    torso: str
    key: str  #: the config key that names the torso
    name: str  #: prefix of its variables' names
    shape: tuple[int, ...]
    columns: tuple[range, ...] = ()  #: of the vector that holds all parts; () = the whole observation, unchanged


class _Branch(tf.Module):
    """One torso and the part of observations [B, ...] that it takes."""

    def __init__(
        self, config: NetworkConfig, inputs: _BranchInput, initializer: Initializer, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self._columns, self._shape = inputs.columns, inputs.shape
        self._layers: list[_Layer]
        if ":" in inputs.torso:
            torso = KerasTorso(inputs.torso, inputs.shape, rng, inputs.name, inputs.key)
            self._layers, self.num_features = [torso], torso.num_features
            self.dtype = tf.float32
        else:
            self._layers, self.num_features = _build(config, inputs, initializer, rng)
            self.dtype = tf.as_dtype(config.precision)

    def __call__(self, obs: tf.Tensor, input_scale: float) -> tf.Tensor:
        """Features [B, num_features] of `obs * input_scale`, in the dtype of `obs` [B, ...]."""
        if self._columns:
            part = tf.concat([obs[:, columns.start : columns.stop] for columns in self._columns], axis=1)
            obs = tf.reshape(part, [-1, *self._shape])
        for layer in self._layers:
            obs, input_scale = layer(_flat(obs) if isinstance(layer, Linear) else obs, input_scale), 1.0
        return obs


def _branch_inputs(config: NetworkConfig, spec: EnvSpec) -> list[_BranchInput]:
    """Which torso takes which part. Raises ConfigError if the config names an unknown part."""
    if not config.torsos:
        return [_BranchInput(config.torso, "network.torso", "torso", spec.obs_shape)]
    names = [part.name for part in spec.parts]
    if not names:
        raise ConfigError(
            "network.torsos needs observations with several parts (a Dict or Tuple space), which this environment "
            "does not have; set network.torso instead"
        )
    for name in config.torsos:
        if name not in names:
            known = ", ".join(names)
            raise ConfigError(f"network.torsos: unknown part {name!r}; observations have {known}{nearest(name, names)}")
    inputs: list[_BranchInput] = []
    rest: list[range] = []
    start = 0
    for part in spec.parts:
        columns = range(start, start + int(np.prod(part.shape)))
        start = columns.stop
        if part.name in config.torsos:
            torso, key = config.torsos[part.name], f"network.torsos.{part.name}"
            inputs.append(_BranchInput(torso, key, f"torso/{part.name}", part.shape, (columns,)))
        else:
            rest.append(columns)
    if rest:
        inputs.append(_BranchInput(config.torso, "network.torso", "torso", (sum(map(len, rest)),), tuple(rest)))
    return inputs


def _build(
    config: NetworkConfig, inputs: _BranchInput, initializer: Initializer, rng: np.random.Generator
) -> tuple[list[_Layer], int]:
    """The layers of a built-in torso and its number of features. Raises ConfigError if it does not fit its input."""
    layers = _LAYERS.get(inputs.torso) or [Dense(units, config.activation or "tanh") for units in config.hidden_sizes]
    built: list[_Layer] = []
    shape, layer_norm = inputs.shape, config.layer_norm
    for index, layer in enumerate(layers):
        name = f"{inputs.name}/{index}"
        if isinstance(layer, Dense):
            built.append(Linear(int(np.prod(shape)), layer, initializer, rng, name, layer_norm=layer_norm))
            shape = (layer.units,)
            continue
        smallest = layer.size if isinstance(layer, Conv) else 1
        if len(shape) != 3 or min(shape[:2]) < smallest:
            raise ConfigError(
                f"{inputs.key} = {inputs.torso!r} does not fit: layer {index} takes images [height, width, channels] "
                f"of at least {smallest}x{smallest} pixels, not inputs of shape {list(shape)}; use mlp, which takes "
                "any shape"
            )
        if isinstance(layer, Conv):
            built.append(Convolution(shape[2], layer, initializer, rng, name, layer_norm=layer_norm))
            sides = [(side - layer.size) // layer.stride + 1 for side in shape[:2]]
        else:
            built.append(ResidualSection(shape[2], layer, initializer, rng, name, layer_norm=layer_norm))
            sides = [(side + 1) // 2 for side in shape[:2]]
        shape = (*sides, layer.filters)
    return built, int(np.prod(shape))


def _part_scales(spec: EnvSpec) -> float | NDArray:
    """For each element of an observation [D] with several parts: 1/255 where the part holds bytes, else 1."""
    if not spec.parts:
        return 1.0
    scales = [np.full(int(np.prod(part.shape)), 1.0 / 255.0 if part.is_bytes else 1.0) for part in spec.parts]
    return np.concatenate(scales).astype(np.float32)


def _flat(tensor: tf.Tensor) -> tf.Tensor:
    """[B, ...] -> [B, D]. The static shape is kept."""
    return tf.reshape(tensor, [-1, int(np.prod(tensor.shape[1:]))])
