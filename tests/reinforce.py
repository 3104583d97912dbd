"""REINFORCE (Williams 1992), as somebody outside of the project would add it."""

import numpy as np
import tensorflow as tf

from paac_cli.algorithms.agent import Prediction
from paac_cli.config.algorithms import AlgorithmConfig
from paac_cli.learning.minibatches import weights_generator
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic


class ReinforceConfig(AlgorithmConfig):
    num_steps: int = 64
    learning_rate: float = 3e-3
    gamma: float = 0.97

    @property
    def rollout_length(self):
        return self.num_steps


class Reinforce:
    Config = ReinforceConfig

    def __init__(self, config, spec):
        self._config, self._seed = config.algorithm, config.seed
        self._network = ActorCritic(config.network, spec, weights_generator(config.seed))
        self._optimizer = tf.keras.optimizers.Adam(self._config.learning_rate)
        self._optimizer.build(self._network.trainable_variables)
        self._steps = tf.Variable(0, dtype=tf.int64, name="steps", trainable=False)
        self._actions = np.zeros((self._config.num_steps, config.sampling.num_envs), np.int32)
        self.policy = Variables(self._network.variables)
        self.learner = Variables([self._steps, *(slot.value for slot in self._optimizer.variables)])

    def act(self, step):
        seed = tf.stack([tf.constant(self._seed, tf.int64), self._steps])
        parameters, _ = self._network(tf.constant(step.obs))
        self._steps.assign_add(len(step.obs))
        row = step.slot % len(self._actions)
        self._actions[row] = self._network.distribution.sample(parameters, seed).numpy()
        return self._actions[row]

    def learn(self, step):
        if step.slot < len(self._actions):
            return None
        rollout, returns = step.rollout, np.zeros_like(step.rollout.reward)
        following = np.zeros_like(returns[0])
        for t in reversed(range(len(returns))):
            following = np.where(rollout.terminated[t] | rollout.truncated[t], 0.0, following)
            returns[t] = following = rollout.reward[t] + self._config.gamma * following
        weight = ((returns - returns.mean()) / (returns.std() + 1e-8)).ravel()
        obs = tf.constant(rollout.obs[:-1].reshape(-1, *rollout.obs.shape[2:]))
        with tf.GradientTape() as tape:
            parameters, _ = self._network(obs)
            log_prob = self._network.distribution.log_prob(parameters, self._actions.ravel())
            loss = -tf.reduce_mean(log_prob * weight)
        weights = self._network.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"train/loss": loss}

    def rewind(self, steps):
        self._steps.assign(steps)

    def predict(self, obs, *, seed, step, greedy):
        key = tf.constant([seed, step], tf.int64)
        return Prediction(*(part.numpy() for part in self._network.play(tf.constant(obs), key, tf.constant(greedy))))
