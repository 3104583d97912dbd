"""What all heads of a network share: a torso and, with `network.recurrent`, a cell."""

import numpy as np
import tensorflow as tf

from paac_cli.config.schema import NetworkConfig
from paac_cli.networks.action_mask import ActionMask
from paac_cli.networks.initializers import INITIALIZERS
from paac_cli.networks.normalizer import MomentsFunction
from paac_cli.networks.recurrent import Sequences, States, make_cell
from paac_cli.networks.torsos import Torso
from paac_cli.spec import EnvSpec


class Trunk(tf.Module):
    """From observations [B, ...] to features [B, num_features], float32. A state has `state_size` (S) numbers."""

    def __init__(self, config: NetworkConfig, spec: EnvSpec, rng: np.random.Generator) -> None:
        super().__init__()
        initializer = INITIALIZERS[config.initializer]
        self.mask = ActionMask(spec)  #: for the heads, whose outputs for illegal actions it excludes
        self._torso = Torso(config, spec.without_mask(), initializer, rng)
        self._cell = make_cell(config.recurrent, self._torso.num_features, initializer, rng)
        self.num_features, self.state_size = self._cell.num_features, self._cell.state_size

    def __call__(self, obs: tf.Tensor, state: States) -> tuple[tf.Tensor, States]:
        """One step: features [B, num_features], and the states [B, S] after it. obs: [B, ...]; state: [B, S]."""
        return self._cell(self._torso(self.mask.split(obs)), state)

    def unroll(self, sequences: Sequences) -> tf.Tensor:
        """Features [T * N, num_features] of `T` steps of `N` environments."""
        return self._cell.unroll(self._torso(self.mask.split(sequences.obs)), sequences.episode_starts, sequences.state)

    def scaled(self, obs: tf.Tensor) -> tf.Tensor:
        """Observations [B, ...] as the torso computes with them: without masks, float32, scaled or normalised."""
        return self._torso.scaled(self.mask.split(obs))

    def observe(self, obs: tf.Tensor, moments: MomentsFunction) -> None:
        """Update the running statistics with `obs` [B, ...], if observations are normalised."""
        self._torso.observe(self.mask.split(obs), moments)
