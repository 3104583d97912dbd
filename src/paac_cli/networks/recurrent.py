"""Recurrent cells, the memory of a policy: between the torso and the heads (`network.recurrent`).

Legend: `T` steps, `N` environments, time-major; `S` numbers in the state of one environment. A state is 0 where an
episode begins.

    gru     r_t = sigmoid(W_r x_t + b_r + U_r h_{t-1} + c_r)
            z_t = sigmoid(W_z x_t + b_z + U_z h_{t-1} + c_z)
            n_t = tanh(W_n x_t + b_n + r_t * (U_n h_{t-1} + c_n))
            h_t = (1 - z_t) * n_t + z_t * h_{t-1}                       state: h

    lstm    i_t, f_t, o_t = sigmoid(W_i x_t + U_i h_{t-1} + b_i), ...
            g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)
            c_t = f_t * c_{t-1} + i_t * g_t
            h_t = o_t * tanh(c_t)                                       state: h, then c

GRU: Cho et al. 2014, arXiv 1406.1078, with the reset gate after the product, as in cuDNN. LSTM: Hochreiter and
Schmidhuber 1997, with the forget gate of Gers et al. 2000, whose bias is 1 at first, so that the cell remembers.
"""

import math
from typing import NamedTuple, Protocol, TypeAlias, TypeGuard

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.config.schema import RecurrentConfig
from paac_cli.networks.cached_products import cached_product
from paac_cli.networks.expected_shapes import check_shape
from paac_cli.networks.initializers import Initializer
from paac_cli.networks.layers import biased_product

#: The states of a policy without a cell: nothing, because every argument and result of a graph takes microseconds.
NO_STATE: tuple[()] = ()

States: TypeAlias = tf.Tensor | tuple[()]  #: [N, S] float32, or `NO_STATE`


def is_state(states: States) -> TypeGuard[tf.Tensor]:
    """Whether there is a state, and so a recurrent cell: whether `states` is not `NO_STATE`."""
    return not isinstance(states, tuple)


class Sequences(NamedTuple):
    """The observations of `N` environments in `T` consecutive steps, from which a network computes in order."""

    obs: tf.Tensor  #: [T * N, ...]
    episode_starts: States  #: [T, N] bool, not read for the first step; without a cell `NO_STATE`
    state: States  #: with which the first observation is taken

    def gather(self, rows: tf.Tensor) -> "Sequences":
        """The observations with indices `rows`: [T * n], all of `n` environments, time-major; without a cell any."""
        obs = _gather_rows(self.obs, rows)
        if not is_state(self.state) or not is_state(self.episode_starts):
            return self._replace(obs=obs)
        num_steps = self.episode_starts.shape[0]
        envs = tf.reshape(rows, [num_steps, -1])[0]
        return Sequences(obs, tf.gather(self.episode_starts, envs, axis=1), tf.gather(self.state, envs))


def _gather_rows(obs: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """`tf.gather(obs, rows)`; bytes as integers of four bytes, if they fit: TensorFlow gathers no bytes on a GPU."""
    size = math.prod(obs.shape[1:])
    if obs.dtype not in (tf.uint8, tf.int8) or size % 4:
        return tf.gather(obs, rows)
    words = tf.bitcast(tf.reshape(obs, [-1, size // 4, 4]), tf.int32)
    return tf.reshape(tf.bitcast(tf.gather(words, rows), obs.dtype), [-1, *obs.shape[1:]])


class Cell(Protocol):
    """What stands between the torso and the heads."""

    num_features: int  #: of its outputs
    state_size: int  #: S; 0 = no memory

    def __call__(self, features: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One step: outputs [B, num_features] and the new states. features: [B, F]; state: [B, S]; all float32."""

    def unroll(self, features: tf.Tensor, episode_starts: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """`T` steps: outputs [T * N, num_features]. features: [T * N, F]; episode_starts, state: as of `Sequences`."""


class NoCell:
    """Passes the features on: a policy without memory. A `Cell`."""

    state_size = 0

    def __init__(self, num_features: int) -> None:
        self.num_features = num_features

    def __call__(self, features: tf.Tensor, state: States) -> tuple[tf.Tensor, States]:
        return features, state

    def unroll(self, features: tf.Tensor, episode_starts: States, state: States) -> tf.Tensor:
        return features


class _Equations(Protocol):
    """What distinguishes the kinds of cells."""

    num_gates: int
    num_states: int  #: vectors in a state
    bias: tuple[float, ...]  #: [num_gates], added to the initial biases
    has_recurrent_bias: bool  #: whether the products of the last output have biases of their own

    def __call__(self, x: tf.Tensor, h: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """The new states [B, S]. x, h: [B, num_gates * size], the products of the input and of the last output."""


class _Gru:
    num_gates, num_states = 3, 1
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)
    has_recurrent_bias = True

    def __call__(self, x: tf.Tensor, h: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        (x_r, x_z, x_n), (h_r, h_z, h_n) = tf.split(x, 3, axis=1), tf.split(h, 3, axis=1)
        candidate = tf.tanh(x_n + tf.sigmoid(x_r + h_r) * h_n)
        return candidate + tf.sigmoid(x_z + h_z) * (state - candidate)


class _Lstm:
    num_gates, num_states = 4, 2
    bias: tuple[float, ...] = (0.0, 1.0, 0.0, 0.0)  # i, f, g, o
    has_recurrent_bias = False

    def __call__(self, x: tf.Tensor, h: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        i, f, g, o = tf.split(x + h, 4, axis=1)
        memory = tf.sigmoid(f) * tf.split(state, 2, axis=1)[1] + tf.sigmoid(i) * tf.tanh(g)
        return tf.concat([tf.sigmoid(o) * tf.tanh(memory), memory], axis=1)


_EQUATIONS: dict[str, _Equations] = {"gru": _Gru(), "lstm": _Lstm()}


class RecurrentCell(tf.Module):
    """A GRU or an LSTM, computed in float32. A `Cell`."""

    def __init__(
        self, config: RecurrentConfig, inputs: int, initializer: Initializer, rng: np.random.Generator
    ) -> None:
        """inputs: number of features of the torso."""
        super().__init__()
        self._equations = equations = _EQUATIONS[config.cell]
        self.num_features, self.state_size = config.size, equations.num_states * config.size
        gates, size = equations.num_gates, config.size

        def weights(name: str, rows: int) -> tuple[tf.Variable, NDArray]:
            """The kernel [rows, gates * size], and initial biases. Each gate is initialised for itself."""
            check_shape(f"recurrent/{name}", (rows, gates * size))
            kernels, biases = zip(*(initializer((rows, size), 1.0, rng) for _ in range(gates)), strict=True)
            return tf.Variable(np.concatenate(kernels, axis=1), name=f"recurrent/{name}"), np.concatenate(biases)

        self._kernel, bias = weights("kernel", inputs)
        self._bias = tf.Variable(bias + np.repeat(np.array(equations.bias, np.float32), size), name="recurrent/bias")
        self._recurrent_kernel, bias = weights("recurrent_kernel", size)
        self._recurrent_bias = (
            tf.Variable(bias, name="recurrent/recurrent_bias") if equations.has_recurrent_bias else None
        )

    def __call__(self, features: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._step(self._product(features), state)

    def unroll(self, features: tf.Tensor, episode_starts: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        num_steps, width = episode_starts.shape[0], self._bias.shape[0]
        products = tf.unstack(tf.reshape(self._product(features), [num_steps, -1, width]))
        outputs = []
        for t, product in enumerate(products):
            if t > 0:
                state = tf.where(episode_starts[t][:, tf.newaxis], 0.0, state)
            output, state = self._step(product, state)
            outputs.append(output)
        return tf.concat(outputs, axis=0)

    def _product(self, features: tf.Tensor) -> tf.Tensor:
        """[B, num_gates * size]: in `unroll`, one product for all steps."""
        kernel, bias = tf.convert_to_tensor(self._kernel), tf.convert_to_tensor(self._bias)
        return cached_product(biased_product, features, kernel, bias)

    def _step(self, product: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        last = tf.matmul(state[:, : self.num_features], self._recurrent_kernel)
        if self._recurrent_bias is not None:
            last = tf.nn.bias_add(last, self._recurrent_bias)
        state = self._equations(product, last, state)
        return state[:, : self.num_features], state


def make_cell(config: RecurrentConfig | None, inputs: int, initializer: Initializer, rng: np.random.Generator) -> Cell:
    """The cell for `network.recurrent`. inputs: number of features of the torso."""
    return NoCell(inputs) if config is None else RecurrentCell(config, inputs, initializer, rng)
