"""PAAC: parallel advantage actor-critic (Clemente, Castejon, Chandra 2017, arXiv 1705.04862).

After every `T` steps of `N` environments, one gradient step on all `T * N` transitions (algorithm 1 of the paper):

    loss = loss_scale * mean( -log pi(a_t|s_t) * A_t  -  ent_coef * H(pi(.|s_t))  +  vf_coef * (R_t - V(s_t))^2 )

`R_t` is the n-step return (or, with gae_lambda < 1, the lambda-return), bootstrapped from `V(s_T)`. All values are
computed with the parameters that chose the actions. `A_t = R_t - V(s_t)` is held constant in the gradient.
"""

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics
from paac_cli.config.algorithms import PaacConfig
from paac_cli.config.schema import RunConfig
from paac_cli.learning.graphs import graph_function
from paac_cli.learning.noise import noise_seed
from paac_cli.learning.obs_statistics import ObsStatistics
from paac_cli.learning.optimizers import CheckedOptimizer
from paac_cli.learning.predictor import Predictor
from paac_cli.learning.returns import advantages, explained_variance, normalized
from paac_cli.learning.reward_normalizer import RewardNormalizer
from paac_cli.learning.rollout_memory import RolloutBatch, RolloutMemory, merge_time
from paac_cli.learning.schedules import linear_schedule
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.cached_products import collecting_products, reusing_products
from paac_cli.networks.distributions import Distribution
from paac_cli.seeding import weights_generator
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep


def paac_loss(
    distribution: Distribution,
    parameters: tf.Tensor,
    value: tf.Tensor,
    action: tf.Tensor,
    advantage: tf.Tensor,
    *,
    ent_coef: tf.Tensor | float,
    vf_coef: float,
    loss_scale: float,
    normalize_advantage: bool,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss [] of a batch, and its diagnostics.

    parameters: [B, P] of the policy; value: [B], V(s); action: [B, ...]; advantage: [B], A, estimated with `value`.
    """
    target = tf.stop_gradient(value + advantage)
    explained = explained_variance(advantage, target)
    if normalize_advantage:
        advantage = normalized(advantage)
    entropy = tf.reduce_mean(distribution.entropy(parameters))
    policy_loss = -tf.reduce_mean(distribution.log_prob(parameters, action) * advantage)
    value_loss = tf.reduce_mean(tf.square(target - value))
    loss = loss_scale * (policy_loss - ent_coef * entropy + vf_coef * value_loss)
    return loss, {
        "train/policy_loss": policy_loss,
        "train/value_loss": value_loss,
        "train/entropy": entropy,
        "train/explained_variance": explained,
    }


class Paac:
    """The PAAC agent. See the module's docstring for the algorithm and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec) -> None:
        assert isinstance(config.algorithm, PaacConfig)
        self._settings = settings = config.algorithm
        self._seed, num_envs = config.seed, config.sampling.num_envs
        self._network = ActorCritic(config.network, spec, weights_generator(config.seed))
        self._optimizer = CheckedOptimizer(
            settings.optimizer, self._network.trainable_variables, settings.max_grad_norm
        )
        self._rewards = RewardNormalizer(num_envs, settings.gamma, enabled=settings.normalize_reward)
        self._obs_statistics = ObsStatistics(self._network, enabled=config.network.normalize_obs)
        self.memory = RolloutMemory(settings.num_steps, num_envs, spec.action, self._network.values)
        self.policy = Variables(self._network.variables)
        self.learner = Variables([*self._optimizer.slots, self.memory.steps, *self._rewards.variables])
        self._act = graph_function(self._act_graph, config)
        self._update = graph_function(self._update_graph, config)
        self.predict = Predictor(self._network.play)

    def act(self, step: TimeStep) -> NDArray:
        actions, products = self._act(self.memory.obs(step))
        return self.memory.record(step, actions, products)

    def learn(self, step: TimeStep) -> Metrics | None:
        batch = self.memory.add(step)
        return None if batch is None else self._update(batch)

    def _act_graph(self, obs: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Actions [N, ...], and the products that the update reuses. obs: [N, ...]."""
        with collecting_products() as products:
            parameters, _ = self._network(obs)
        actions = self._network.distribution.sample(parameters, noise_seed(self._seed, self.memory.steps))
        self.memory.steps.assign_add(obs.shape[0])
        return actions, products

    def _update_graph(self, batch: RolloutBatch) -> dict[str, tf.Tensor]:
        """One optimiser step on a rollout. Returns the metrics."""
        settings, steps = self._settings, self.memory.steps
        reward = self._rewards(batch.reward, batch.terminated | batch.truncated)
        bootstrap = self._network.values(batch.obs[-1])
        with tf.GradientTape() as tape, reusing_products(batch.kept):
            parameters, value = self._network(merge_time(batch.obs[:-1]))
            advantage = advantages(
                reward=reward,
                value=tf.reshape(tf.stop_gradient(value), reward.shape),
                bootstrap=bootstrap,
                final_value=batch.final_value,
                terminated=batch.terminated,
                truncated=batch.truncated,
                gamma=settings.gamma,
                gae_lambda=settings.gae_lambda,
            )
            loss, metrics = paac_loss(
                self._network.distribution,
                parameters,
                value,
                merge_time(batch.action),
                merge_time(advantage),
                ent_coef=linear_schedule(settings.ent_coef, settings.ent_anneal_steps, steps),
                vf_coef=settings.vf_coef,
                loss_scale=settings.loss_scale,
                normalize_advantage=settings.normalize_advantage,
            )
        learning_rate = linear_schedule(settings.learning_rate, settings.lr_anneal_steps, steps)
        grad_norm = self._optimizer.step(tape, loss, learning_rate)
        self._obs_statistics.update(batch.obs)
        return {**metrics, "train/grad_norm": grad_norm, "train/learning_rate": learning_rate}
