"""From observations to features."""

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
    # arch_nips of the paper: the network of Mnih et al. 2013
    "nips": (Conv(16, 8, 4), Conv(32, 4, 2), Dense(256)),
    # arch_nature of the paper: the network of Mnih et al. 2015
    "nature": (Conv(32, 8, 4), Conv(64, 4, 2), Conv(64, 3, 1), Dense(512)),
    # the large one of Espeholt et al. 2018 (arXiv 1802.01561, fig. 3), without its LSTM
    "impala": (Residual(16), Residual(32), Residual(32, "relu"), Dense(256)),
}

#: (inputs [B, ...], what one step of their scale counts) -> outputs [B, ...]
_Layer = Callable[[tf.Tensor, float], tf.Tensor]


class Torso(tf.Module):
    """The torsos that `config` names, each on its part of the observation: `obs [B, ...] -> [B, num_features]`.

    Named parts come first, in the order of the observation, then all others together.
    Raises ConfigError where the observations do not fit the torsos.
    """

    def __init__(
        self, config: NetworkConfig, spec: EnvSpec, initializer: Initializer, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self._normalizer = ObsNormalizer(spec.obs_shape) if config.normalize_obs else None
        self._part_units = _part_units(spec)
        self._branches = [_Branch(config, view, initializer, rng) for view in _views(config, spec)]
        self.num_features = sum(branch.num_features for branch in self._branches)

    def __call__(self, obs: tf.Tensor) -> tf.Tensor:
        """obs: [B, ...] of any numeric dtype; bytes are scaled to [0, 1]. Returns [B, F] float32."""
        features = [branch(*self._seen(obs, branch.dtype)) for branch in self._branches]
        return tf.concat([tf.cast(part, tf.float32) for part in features], axis=1)

    def _seen(self, obs: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, float]:
        """Observations [B, ...] as a branch sees them, and what one step of their scale counts."""
        unit = self._unit(obs)
        if self._normalizer is not None:
            return self._normalizer(obs, unit, dtype), 1.0
        if isinstance(unit, float):
            return tf.cast(obs, dtype), unit
        return tf.cast(tf.cast(obs, tf.float32) * unit, dtype), 1.0

    def observe(self, obs: tf.Tensor) -> None:
        """Take `obs` [B, ...] into the running statistics, if the torso has any."""
        if self._normalizer is not None:
            self._normalizer.update(tf.cast(obs, tf.float32) * self._unit(obs))

    def _unit(self, obs: tf.Tensor) -> float | NDArray:
        """What one step of an observation's scale counts, of all numbers or of each: bytes become [0, 1]."""
        return 1.0 / 255.0 if obs.dtype == tf.uint8 else self._part_units


class _View(NamedTuple):
    """What one torso sees of an observation."""

    torso: str
    key: str  #: where the config names the torso
    name: str  #: what the names of its variables begin with
    shape: tuple[int, ...]
    columns: tuple[range, ...] = ()  #: of the vector that holds all parts; none = the observation as it is


class _Branch(tf.Module):
    """One torso, on what it sees of observations [B, ...]."""

    def __init__(self, config: NetworkConfig, view: _View, initializer: Initializer, rng: np.random.Generator) -> None:
        super().__init__()
        self._columns, self._shape = view.columns, view.shape
        self._layers: list[_Layer]
        if ":" in view.torso:
            torso = KerasTorso(view.torso, view.shape, rng, view.name, view.key)
            self._layers, self.num_features = [torso], torso.num_features
            self.dtype = tf.float32
        else:
            self._layers, self.num_features = _build(config, view, initializer, rng)
            self.dtype = tf.as_dtype(config.precision)

    def __call__(self, obs: tf.Tensor, unit: float) -> tf.Tensor:
        """Features [B, num_features] of observations [B, ...], of which one step counts `unit`, in their dtype."""
        if self._columns:
            seen = tf.concat([obs[:, columns.start : columns.stop] for columns in self._columns], axis=1)
            obs = tf.reshape(seen, [-1, *self._shape])
        for layer in self._layers:
            obs, unit = layer(_flat(obs) if isinstance(layer, Linear) else obs, unit), 1.0
        return obs


def _views(config: NetworkConfig, spec: EnvSpec) -> list[_View]:
    """Which torso sees what. Raises ConfigError where the config names a part that is not there."""
    if not config.torsos:
        return [_View(config.torso, "network.torso", "torso", spec.obs_shape)]
    names = [part.name for part in spec.parts]
    if not names:
        raise ConfigError("network.torsos is for observations of several parts (Dict, Tuple), and these have none")
    for name in config.torsos:
        if name not in names:
            known = ", ".join(names)
            raise ConfigError(f"network.torsos: unknown part {name!r}; observations have {known}{nearest(name, names)}")
    views: list[_View] = []
    rest: list[range] = []
    start = 0
    for part in spec.parts:
        columns = range(start, start + int(np.prod(part.shape)))
        start = columns.stop
        if part.name in config.torsos:
            torso, key = config.torsos[part.name], f"network.torsos.{part.name}"
            views.append(_View(torso, key, f"torso/{part.name}", part.shape, (columns,)))
        else:
            rest.append(columns)
    if rest:
        views.append(_View(config.torso, "network.torso", "torso", (sum(map(len, rest)),), tuple(rest)))
    return views


def _build(
    config: NetworkConfig, view: _View, initializer: Initializer, rng: np.random.Generator
) -> tuple[list[_Layer], int]:
    """The layers of one of our own torsos, and how many features they give."""
    layers = _LAYERS.get(view.torso) or [Dense(units, config.activation or "tanh") for units in config.hidden_sizes]
    built: list[_Layer] = []
    shape, layer_norm = view.shape, config.layer_norm
    for index, layer in enumerate(layers):
        name = f"{view.name}/{index}"
        if isinstance(layer, Dense):
            built.append(Linear(int(np.prod(shape)), layer, initializer, rng, name, layer_norm=layer_norm))
            shape = (layer.units,)
            continue
        if len(shape) != 3 or (isinstance(layer, Conv) and min(shape[:2]) < layer.size):
            raise ConfigError(
                f"{view.key} = {view.torso!r} is for larger images: "
                f"its layer {index} would see {shape} of observations; mlp takes any"
            )
        if isinstance(layer, Conv):
            built.append(Convolution(shape[2], layer, initializer, rng, name, layer_norm=layer_norm))
            sides = [(side - layer.size) // layer.stride + 1 for side in shape[:2]]
        else:
            built.append(ResidualSection(shape[2], layer, initializer, rng, name, layer_norm=layer_norm))
            sides = [(side + 1) // 2 for side in shape[:2]]
        shape = (*sides, layer.filters)
    return built, int(np.prod(shape))


def _part_units(spec: EnvSpec) -> float | NDArray:
    """What one step of each number counts in an observation [D] of several parts: bytes become [0, 1]."""
    if not spec.parts:
        return 1.0
    units = [np.full(int(np.prod(part.shape)), 1.0 / 255.0 if part.is_bytes else 1.0) for part in spec.parts]
    return np.concatenate(units).astype(np.float32)


def _flat(tensor: tf.Tensor) -> tf.Tensor:
    """[B, ...] -> [B, product of the rest], with the static shape kept."""
    return tf.reshape(tensor, [-1, int(np.prod(tensor.shape[1:]))])
