"""Torsos: from observations to features."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.initializers import Initializer
from paac_cli.networks.keras_torso import KerasTorso
from paac_cli.networks.layers import ConvLayer, ConvSpec, DenseLayer, DenseSpec, ResidualSection, ResidualSpec
from paac_cli.networks.normalizer import MomentsFunction, ObsNormalizer
from paac_cli.spec import EnvSpec
from paac_cli.text import nearest

_TORSOS: dict[str, Sequence[ConvSpec | ResidualSpec | DenseSpec]] = {
    # Mnih et al. 2013; arch_nips of the PAAC paper
    "nips": (ConvSpec(16, 8, 4), ConvSpec(32, 4, 2), DenseSpec(256)),
    # Mnih et al. 2015; arch_nature of the PAAC paper
    "nature": (ConvSpec(32, 8, 4), ConvSpec(64, 4, 2), ConvSpec(64, 3, 1), DenseSpec(512)),
    # The encoder "Gamma" of Aftab (arXiv 2608.07335), which has LayerNorm (network.layer_norm) after each convolution
    "gamma": (
        ConvSpec(32, 3, 2, "SAME"),
        ConvSpec(48, 3, 2, "SAME"),
        ConvSpec(64, 3, 1),
        ConvSpec(64, 3, 2),
        ConvSpec(64, 3, 1),
        DenseSpec(512),
    ),
    # The large network of Espeholt et al. 2018 (arXiv 1802.01561, fig. 3), without its LSTM
    "impala": (ResidualSpec(16), ResidualSpec(32), ResidualSpec(32, "relu"), DenseSpec(256)),
}

#: (inputs [B, ...], input_scale) -> outputs [B, ...]; see `layers.py`
_Layer = Callable[[tf.Tensor, float], tf.Tensor]


class Torso(tf.Module):
    """`obs [B, ...] -> features [B, num_features]`: one branch per torso, whose features are concatenated.

    Each part of an observation that `network.torsos` names has its own torso, in the order of the observation. Last
    comes `network.torso`, for all other parts together. Raises ConfigError if a torso does not fit its input.
    """

    def __init__(
        self,
        config: NetworkConfig,
        spec: EnvSpec,
        initializer: Initializer,
        rng: np.random.Generator,
        name: str = "torso",
    ) -> None:
        """name: prefix of the names of its variables."""
        super().__init__()
        self._normalizer = ObsNormalizer(spec.obs_shape) if config.normalize_obs else None
        self._part_scales = _part_scales(spec)
        self._branches = [_Branch(config, inputs, initializer, rng) for inputs in _branch_inputs(config, spec, name)]
        self.num_features = sum(branch.num_features for branch in self._branches)

    def __call__(self, obs: tf.Tensor) -> tf.Tensor:
        """obs: [B, ...] of any numeric dtype; bytes are scaled to [0, 1]. Returns features as float32."""
        features = [branch(*self._scaled(obs, branch.dtype)) for branch in self._branches]
        return tf.concat([tf.cast(part, tf.float32) for part in features], axis=1)

    def scaled(self, obs: tf.Tensor) -> tf.Tensor:
        """Observations [B, ...] as the layers compute with them, in float32: bytes scaled, or all normalised."""
        inputs, input_scale = self._scaled(obs, tf.float32)
        return inputs if input_scale == 1.0 else inputs * input_scale

    def observe(self, obs: tf.Tensor, moments: MomentsFunction) -> None:
        """Update the running statistics with `obs` [B, ...], if observations are normalised."""
        if self._normalizer is not None:
            self._normalizer.update(tf.cast(obs, tf.float32) * self._scale(obs), moments)

    def _scaled(self, obs: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, float]:
        """Observations [B, ...] in `dtype`, and the `input_scale` that the first layer has to apply to them."""
        scale = self._scale(obs)
        if self._normalizer is not None:
            return self._normalizer(obs, scale, dtype), 1.0
        if isinstance(scale, float):
            return tf.cast(obs, dtype), scale
        return tf.cast(tf.cast(obs, tf.float32) * scale, dtype), 1.0

    def _scale(self, obs: tf.Tensor) -> float | NDArray:
        """Factor that maps bytes to [0, 1] and is 1 for other numbers: one for all elements, or one for each [D]."""
        return 1.0 / 255.0 if obs.dtype == tf.uint8 else self._part_scales


class _BranchInput(NamedTuple):
    """A torso, and the part of an observation that is its input."""

    torso: str  #: name of a built-in torso, or `module:function` of a Keras model
    key: str  #: config key of `torso`, for errors
    name: str  #: prefix of its variables' names
    shape: tuple[int, ...]  #: of the input, without the batch
    columns: tuple[range, ...] = ()  #: its elements in a flattened observation; () = the whole observation, unchanged


class _Branch(tf.Module):
    """One torso with its variables. Takes its input from whole observations [B, ...]."""

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
            obs, input_scale = layer(_flat(obs) if isinstance(layer, DenseLayer) else obs, input_scale), 1.0
        return obs


def _branch_inputs(config: NetworkConfig, spec: EnvSpec, prefix: str) -> list[_BranchInput]:
    """The input of each torso. prefix: of the names of their variables.

    Raises ConfigError if `network.torsos` names an unknown part.
    """
    if not config.torsos:
        return [_BranchInput(config.torso, "network.torso", prefix, spec.obs_shape)]
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
            inputs.append(_BranchInput(torso, key, f"{prefix}/{part.name}", part.shape, (columns,)))
        else:
            rest.append(columns)
    if rest:
        inputs.append(_BranchInput(config.torso, "network.torso", prefix, (sum(map(len, rest)),), tuple(rest)))
    return inputs


def _build(
    config: NetworkConfig, inputs: _BranchInput, initializer: Initializer, rng: np.random.Generator
) -> tuple[list[_Layer], int]:
    """The layers of a built-in torso and its number of features. Raises ConfigError if it does not fit its input."""
    mlp = [DenseSpec(units, config.activation or "tanh") for units in config.hidden_sizes]
    layers: list[_Layer] = []
    shape, layer_norm = inputs.shape, config.layer_norm
    for index, spec in enumerate(_TORSOS.get(inputs.torso, mlp)):
        name = f"{inputs.name}/{index}"
        if isinstance(spec, DenseSpec):
            layers.append(DenseLayer(int(np.prod(shape)), spec, initializer, rng, name, layer_norm=layer_norm))
            shape = (spec.units,)
            continue
        smallest = spec.size if isinstance(spec, ConvSpec) and spec.padding == "VALID" else 1
        if len(shape) != 3 or min(shape[:2]) < smallest:
            small = "impala, which takes images of any size, or " if len(inputs.shape) == 3 else ""
            raise ConfigError(
                f"{inputs.key} = {inputs.torso!r} does not fit: layer {index} takes images [height, width, channels] "
                f"of at least {smallest}x{smallest} pixels, not inputs of shape {list(shape)}; use {small}mlp, which "
                "takes any shape"
            )
        if isinstance(spec, ConvSpec):
            layers.append(ConvLayer(shape[2], spec, initializer, rng, name, layer_norm=layer_norm))
            lost = spec.size - 1 if spec.padding == "VALID" else 0
            sides = [-(-(side - lost) // spec.stride) for side in shape[:2]]
        else:
            layers.append(ResidualSection(shape[2], spec, initializer, rng, name, layer_norm=layer_norm))
            sides = [(side + 1) // 2 for side in shape[:2]]
        shape = (*sides, spec.filters)
    return layers, int(np.prod(shape))


def _part_scales(spec: EnvSpec) -> float | NDArray:
    """`Torso._scale` of observations that are not bytes: 1/255 for each element of a part that was bytes, else 1."""
    if not spec.parts:
        return 1.0
    scales = [np.full(int(np.prod(part.shape)), 1.0 / 255.0 if part.is_bytes else 1.0) for part in spec.parts]
    return np.concatenate(scales).astype(np.float32)


def _flat(tensor: tf.Tensor) -> tf.Tensor:
    """[B, ...] -> [B, D]. The static shape is kept."""
    return tf.reshape(tensor, [-1, int(np.prod(tensor.shape[1:]))])
