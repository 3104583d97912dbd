"""Complete training: a plain A2C in one file, with AtariVectorEnv and Keras.

5 steps per update, Pong with the rule set `baselines`. It runs in this project's virtual environment, so that it uses
the same versions of TensorFlow and ale-py as paac.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import ale_py.vector_env
import keras
import numpy as np
import tensorflow as tf
from gymnasium.vector import AutoresetMode
from measuring import Windows, cores, parse_arguments, print_result

NUM_STEPS, GAMMA, ENT_COEF, VF_COEF, MAX_GRAD_NORM = 5, 0.99, 0.01, 0.5, 0.5
#: (filters, size, stride) of the convolutions, then the units of the dense layer.
NETWORKS = {
    "nips": ([(16, 8, 4), (32, 4, 2)], 256),
    "nature": ([(32, 8, 4), (64, 4, 2), (64, 3, 1)], 512),
}


def make_model(network: str, num_actions: int) -> keras.Model:
    convolutions, units = NETWORKS[network]
    frames = keras.Input((4, 84, 84), dtype="uint8")
    x = keras.layers.Permute((2, 3, 1))(frames)  # convolutions on the CPU need channels last
    x = keras.layers.Rescaling(1 / 255)(x)
    for filters, size, stride in convolutions:
        x = keras.layers.Conv2D(filters, size, stride, activation="relu", kernel_initializer="orthogonal")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(units, activation="relu", kernel_initializer="orthogonal")(x)
    return keras.Model(frames, [keras.layers.Dense(num_actions)(x), keras.layers.Dense(1)(x)])


class A2C:
    def __init__(self, network: str, num_actions: int) -> None:
        self.model = make_model(network, num_actions)
        self.optimizer = keras.optimizers.RMSprop(7e-4, rho=0.99, epsilon=1e-5, global_clipnorm=MAX_GRAD_NORM)

    @tf.function
    def act(self, obs: tf.Tensor) -> tf.Tensor:
        """obs: [N, 4, 84, 84] uint8. Returns actions [N] int64."""
        logits, _ = self.model(obs)
        return tf.random.categorical(logits, 1)[:, 0]

    @tf.function
    def value(self, obs: tf.Tensor) -> tf.Tensor:
        """obs: [N, 4, 84, 84] uint8. Returns values [N] float32."""
        return self.model(obs)[1][:, 0]

    @tf.function
    def update(self, obs: tf.Tensor, actions: tf.Tensor, returns: tf.Tensor) -> tf.Tensor:
        """obs: [T*N, 4, 84, 84] uint8; actions: [T*N] int64; returns: [T*N] float32. Returns the loss."""
        with tf.GradientTape() as tape:
            logits, values = self.model(obs)
            log_probs = tf.nn.log_softmax(logits)
            advantages = returns - values[:, 0]
            chosen = tf.gather(log_probs, actions, batch_dims=1)
            policy_loss = -tf.reduce_mean(chosen * tf.stop_gradient(advantages))
            entropy = -tf.reduce_mean(tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=1))
            loss = policy_loss - ENT_COEF * entropy + VF_COEF * tf.reduce_mean(advantages**2)
        weights = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss


def main() -> None:
    arguments = parse_arguments(__doc__, network=("nips", "nature"))
    n = arguments.num_envs
    envs = ale_py.vector_env.AtariVectorEnv(
        "pong", n, num_threads=cores(), episodic_life=True, autoreset_mode=AutoresetMode.SAME_STEP
    )
    agent = A2C(arguments.network, int(envs.single_action_space.n))
    rollout = np.zeros((NUM_STEPS, n, 4, 84, 84), np.uint8)
    actions = np.zeros((NUM_STEPS, n), np.int64)
    rewards = np.zeros((NUM_STEPS, n), np.float32)
    ended = np.zeros((NUM_STEPS, n), bool)
    obs, _ = envs.reset(seed=0)
    windows, more = Windows(arguments.seconds, arguments.warm_up), True
    while more:
        for t in range(NUM_STEPS):
            rollout[t] = obs
            actions[t] = agent.act(obs).numpy()
            obs, rewards[t], terminated, truncated, _ = envs.step(actions[t])
            ended[t] = terminated | truncated
        returns, next_return = np.zeros((NUM_STEPS, n), np.float32), agent.value(obs).numpy()
        for t in reversed(range(NUM_STEPS)):
            returns[t] = next_return = rewards[t] + GAMMA * next_return * ~ended[t]
        agent.update(rollout.reshape(-1, 4, 84, 84), actions.reshape(-1), returns.reshape(-1))
        more = windows.add(NUM_STEPS * n)
    packages = ["tensorflow", "keras", "ale-py", "gymnasium", "numpy"]
    print_result(f"Keras A2C, {arguments.network}", windows.measured, packages)


if __name__ == "__main__":
    main()
