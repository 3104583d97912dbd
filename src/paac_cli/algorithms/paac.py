"""PAAC: parallel advantage actor-critic (Clemente, Castejon, Chandra 2017, arXiv 1705.04862).

After every `T` steps of `N` environments, one gradient step on all `T * N` transitions (algorithm 1 of the paper):

    loss = loss_scale * mean( -log pi(a_t|s_t) * A_t  -  ent_coef * H(pi(.|s_t))  +  vf_coef * (R_t - V(s_t))^2 )

`R_t` is the n-step return (or, with gae_lambda < 1, the lambda-return), bootstrapped from `V(s_T)`. All values are
computed with the weights that chose the actions. `A_t = R_t - V(s_t)` is held constant in the gradient.
"""

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.algorithms.agent import Metrics
from paac_cli.config.algorithms import PaacConfig
from paac_cli.config.schema import RunConfig
from paac_cli.learning.graphs import compile_graph
from paac_cli.learning.noise import noise_seed
from paac_cli.learning.obs_statistics import ObsStatistics
from paac_cli.learning.optimizers import CheckedOptimizer
from paac_cli.learning.predictor import Predictor
from paac_cli.learning.process_group import ProcessGroup
from paac_cli.learning.returns import AdvantageEstimator, explained_variance, normalized
from paac_cli.learning.rollout_memory import RolloutBatch, RolloutMemory, merge_time
from paac_cli.learning.schedules import linear_decay
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.cached_products import collecting_products, reusing_products
from paac_cli.networks.distributions import Distribution
from paac_cli.networks.recurrent import States
from paac_cli.seeding import weights_generator
from paac_cli.spec import EnvSpec
from paac_cli.timestep import TimeStep


def paac_loss(
    distribution: Distribution,
    parameters: tf.Tensor,
    value: tf.Tensor,
    action: tf.Tensor,
    advantage: tf.Tensor,
    target: tf.Tensor,
    *,
    ent_coef: tf.Tensor | float,
    vf_coef: float,
    loss_scale: float,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss [] of a batch, and its diagnostics.

    parameters: [B, P] of the policy; value: [B], V(s); action: [B, ...]; advantage: [B], A; target: [B], R.
    """
    entropy = tf.reduce_mean(distribution.entropy(parameters))
    policy_loss = -tf.reduce_mean(distribution.log_prob(parameters, action) * advantage)
    value_loss = tf.reduce_mean(tf.square(target - value))
    loss = loss_scale * (policy_loss - ent_coef * entropy + vf_coef * value_loss)
    return loss, {
        "train/policy_loss": policy_loss,
        "train/value_loss": value_loss,
        "train/entropy": entropy,
    }


class Paac:
    """The PAAC agent. See the module's docstring for the algorithm and `Agent` for the contract."""

    def __init__(self, config: RunConfig, spec: EnvSpec, group: ProcessGroup | None = None) -> None:
        assert isinstance(config.algorithm, PaacConfig)
        self._settings = settings = config.algorithm
        group = group or ProcessGroup(config.sampling.num_envs)
        self._seed, self._group = config.seed, group
        self._network = ActorCritic(config.network, spec, weights_generator(config.seed))
        self._optimizer = CheckedOptimizer(
            settings.optimizer, self._network.trainable_variables, settings.max_grad_norm, group
        )
        self._estimator = AdvantageEstimator(
            group, gamma=settings.gamma, gae_lambda=settings.gae_lambda, normalize_reward=settings.normalize_reward
        )
        self._obs_statistics = ObsStatistics(self._network, group, enabled=config.network.normalize_obs)
        self.memory = RolloutMemory(
            settings.num_steps, group, spec.action, self._network.values, self._network.state_size
        )
        self.policy = Variables(self._network.variables)
        self.learner = Variables([*self._optimizer.slots, *self.memory.variables, *self._estimator.variables])
        self._act = compile_graph(self._act_graph, config)
        self._update = compile_graph(self._update_graph, config)
        self.predict = Predictor(self._network.play, self._network.state_size)

    def act(self, step: TimeStep) -> NDArray:
        actions, products, state = self._act(self.memory.obs(step), self.memory.state(step))
        return self.memory.record(step, actions, products, state)

    def learn(self, step: TimeStep) -> Metrics | None:
        batch = self.memory.add(step)
        return None if batch is None else self._update(batch)

    def _act_graph(self, obs: tf.Tensor, state: States) -> tuple[tf.Tensor, list[tf.Tensor], States]:
        """Actions [N, ...], the products that the update reuses, and the next states [N, S].

        obs: [N, ...]; state: [N, S].
        """
        with collecting_products() as products:
            parameters, _, state = self._network.step(obs, state)
        seed = noise_seed(self._seed, self.memory.steps)
        actions = self._group.sample(lambda rows: self._network.distribution.sample(rows, seed), parameters)
        self.memory.steps.assign_add(self._group.count(obs.shape[0]))
        return actions, products, state

    def _update_graph(self, batch: RolloutBatch) -> dict[str, tf.Tensor]:
        """One optimiser step on a rollout. Returns the metrics."""
        settings, steps, group = self._settings, self.memory.steps, self._group
        bootstrap = self._network.values(batch.obs[-1], batch.last_state)
        with tf.GradientTape() as tape, reusing_products(batch.kept):
            parameters, value = self._network.unroll(batch.sequences)
            advantage, old_value = self._estimator(batch, tf.stop_gradient(value), bootstrap)
            target = old_value + advantage
            explained = explained_variance(advantage, target)
            if settings.normalize_advantage:
                advantage = normalized(advantage)
            loss, metrics = paac_loss(
                self._network.distribution,
                parameters,
                value,
                merge_time(batch.action),
                merge_time(group.own_envs(advantage)),
                merge_time(group.own_envs(target)),
                ent_coef=linear_decay(settings.ent_coef, settings.ent_anneal_steps, steps),
                vf_coef=settings.vf_coef,
                loss_scale=settings.loss_scale,
            )
        learning_rate = linear_decay(settings.learning_rate, settings.lr_anneal_steps, steps)
        metrics["train/explained_variance"] = explained
        metrics = self._optimizer.step(tape, loss, learning_rate, metrics, len(group.envs) / group.num_envs)
        self._obs_statistics.add_rollout(batch.obs)
        return metrics
