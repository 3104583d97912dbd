"""REINFORCE (Williams 1992), written as a third party would write it: `--algorithm reinforce:Reinforce`."""

import numpy as np
import tensorflow as tf

from paac_cli.config.algorithms import AlgorithmConfig
from paac_cli.learning.noise import noise_seed
from paac_cli.learning.predictor import Predictor
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.rollout_memory import RolloutMemory, merge_time
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.recurrent import NO_STATE
from paac_cli.seeding import weights_generator


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
        self._gamma, self._seed = config.algorithm.gamma, config.seed
        self._network = network = ActorCritic(config.network, spec, weights_generator(config.seed))
        self._optimizer = tf.keras.optimizers.Adam(config.algorithm.learning_rate, name="adam")
        self._optimizer.build(network.trainable_variables)
        self.memory = RolloutMemory(
            config.algorithm.num_steps, ProcessGroup(config.sampling.num_envs), spec.action, network.values
        )
        self.policy = Variables(network.variables)
        self.learner = Variables([self.memory.steps, *(slot.value for slot in self._optimizer.variables)])
        self.predict = Predictor(network.play)

    @tf.function(autograph=False)
    def _sample(self, obs):
        parameters, *_ = self._network.step(obs, NO_STATE)
        return self._network.distribution.sample(parameters, noise_seed(self._seed, self.memory.steps))

    def act(self, step):
        actions = self._sample(self.memory.obs(step))
        self.memory.steps.assign_add(len(step.obs))
        return self.memory.record(step, actions)

    def learn(self, step):
        batch = self.memory.add(step)
        if batch is None:
            return None
        returns, next_return = np.zeros_like(batch.reward), np.zeros_like(batch.reward[0])
        for t in reversed(range(len(returns))):
            next_return = np.where(batch.terminated[t] | batch.truncated[t], 0.0, next_return)
            returns[t] = next_return = batch.reward[t] + self._gamma * next_return
        weight = ((returns - returns.mean()) / (returns.std() + 1e-8)).ravel()
        with tf.GradientTape() as tape:
            parameters, *_ = self._network.step(merge_time(batch.obs[:-1]), NO_STATE)
            loss = -tf.reduce_mean(self._network.distribution.log_prob(parameters, batch.action.ravel()) * weight)
        weights = self._network.trainable_variables
        gradients = zip(tape.gradient(loss, weights), weights, strict=True)
        self._optimizer.apply_gradients(pair for pair in gradients if pair[0] is not None)  # not of the value's head
        return {"train/loss": loss}
