"""PAAC: parallel advantage actor-critic (Clemente, Castejon, Chandra 2017, arXiv 1705.04862).

Every `T` steps, one gradient over all `N * T` of them (algorithm 1 of the paper):

    loss = scale * mean( -log pi(a_t|s_t) * A_t  -  ent_coef * H(pi(.|s_t))  +  vf_coef * (R_t - V(s_t))^2 )

with `A_t = R_t - V(s_t)` held constant and `R_t` the n-step return (or, with gae_lambda < 1, the
lambda-return), bootstrapped from `V(s_T)` under the same parameters that chose the actions.
"""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics, Predictor
from paac_cli.config.algorithms import PaacConfig
from paac_cli.config.schema import RunConfig
from paac_cli.learning.aliases import TensorAliases
from paac_cli.learning.graphs import compiled
from paac_cli.learning.minibatches import weights_generator
from paac_cli.learning.optimizers import Descent, linear_schedule
from paac_cli.learning.returns import advantages, explained_variance, normalized
from paac_cli.learning.rollout_memory import Acted, FinalValues, merged
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.distributions import Distribution
from paac_cli.networks.normalizer import RewardNormalizer
from paac_cli.networks.recall import recalling, remembering
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep


def paac_loss(
    config: PaacConfig,
    ent_coef: tf.Tensor | float,
    distribution: Distribution,
    parameters: tf.Tensor,
    value: tf.Tensor,
    action: tf.Tensor,
    advantage: tf.Tensor,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss [] of a batch, and its parts.

    ent_coef: [], the weight of the entropy by now.
    parameters: [B, P] of the policy; value: [B]; action: [B, ...]; advantage: [B],
    estimated with `value` before the update.
    """
    target = tf.stop_gradient(value + advantage)
    explained = explained_variance(advantage, target)
    if config.normalize_advantage:
        advantage = normalized(advantage)
    entropy = tf.reduce_mean(distribution.entropy(parameters))
    policy_loss = -tf.reduce_mean(distribution.log_prob(parameters, action) * advantage)
    value_loss = tf.reduce_mean(tf.square(target - value))
    loss = config.loss_scale * (policy_loss - ent_coef * entropy + config.vf_coef * value_loss)
    return loss, {
        "train/policy_loss": policy_loss,
        "train/value_loss": value_loss,
        "train/entropy": entropy,
        "train/explained_variance": explained,
    }


class Paac:
    """The agent: see the module's docstring, and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec) -> None:
        assert isinstance(config.algorithm, PaacConfig)
        self._config = config.algorithm
        num_steps, num_envs = self._config.num_steps, config.sampling.num_envs
        self._network = ActorCritic(config.network, spec, weights_generator(config.seed))
        self._descent = Descent(self._config.optimizer, self._network.trainable_variables, self._config.max_grad_norm)
        self._steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")
        self.policy = Variables(self._network.variables)
        self._rewards = RewardNormalizer(num_envs, self._config.gamma, enabled=self._config.normalize_reward)
        self.learner = Variables([*self._descent.slots, self._steps, *self._rewards.variables])
        self._seed = tf.constant(config.seed, tf.int64)
        self._tensor = TensorAliases()
        self._actions = np.zeros((num_steps, num_envs, *spec.action.shape), spec.action.dtype)
        self._products = Acted(num_steps)
        self._final_values = FinalValues(num_steps, num_envs, self._network.values)
        self._act = compiled(self._act_graph, config)
        self.predict = Predictor(self._network.play)
        self._update = compiled(self._update_graph, config)

    def act(self, step: TimeStep) -> NDArray:
        row = step.slot % len(self._actions)
        actions, products = self._act(self._tensor(step.obs))
        self._products.note(step, products)
        self._actions[row, step.envs] = actions.numpy()
        return self._actions[row, step.envs]

    def learn(self, step: TimeStep) -> Metrics | None:
        self._final_values.note(step)
        if step.slot < len(self._actions):
            return None
        rollout = step.rollout
        return self._update(
            self._tensor(rollout.obs),
            self._actions,
            rollout.reward,
            rollout.terminated,
            rollout.truncated,
            self._final_values.values,
            self._products.merged(),
        )

    def rewind(self, steps: int) -> None:
        self._steps.assign(steps)

    def evidence(self) -> dict[str, NDArray]:
        return {"action": self._actions, "final_value": self._final_values.values}

    def _act_graph(self, obs: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with remembering() as products:
            parameters, _ = self._network(obs)
        actions = self._network.distribution.sample(parameters, tf.stack([self._seed, self._steps]))
        self._steps.assign_add(obs.shape[0])
        return actions, products

    def _update_graph(
        self,
        obs: tf.Tensor,
        action: tf.Tensor,
        reward: tf.Tensor,
        terminated: tf.Tensor,
        truncated: tf.Tensor,
        final_value: tf.Tensor,
        products: list[tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """obs: [T+1, N, ...]; action: [T, N, ...]; products: [T * N, ...] each; the others: [T, N]."""
        config = self._config
        ent_coef = linear_schedule(config.ent_coef, config.ent_anneal_steps, self._steps)
        reward = self._rewards(reward, terminated | truncated)
        bootstrap = self._network.values(obs[-1])
        with tf.GradientTape() as tape, recalling(products):
            parameters, value = self._network(merged(obs[:-1]))
            advantage = advantages(
                reward=reward,
                value=tf.reshape(tf.stop_gradient(value), reward.shape),
                bootstrap=bootstrap,
                final_value=final_value,
                terminated=terminated,
                truncated=truncated,
                gamma=config.gamma,
                gae_lambda=config.gae_lambda,
            )
            loss, metrics = paac_loss(
                config, ent_coef, self._network.distribution, parameters, value, merged(action), merged(advantage)
            )
        learning_rate = linear_schedule(config.learning_rate, config.lr_anneal_steps, self._steps)
        norm = self._descent.step(tape, loss, learning_rate)
        self._network.observe(obs[-1])  # one screen in T: those between are much alike
        return {**metrics, "train/grad_norm": norm, "train/learning_rate": learning_rate}
