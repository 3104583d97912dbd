"""SAC: its equations against NumPy in float64, its gradients, and what it refuses."""

import math

import numpy as np
import pytest
import tensorflow as tf

from corridor import SPEC, corridor_for, make_config, run, state_of
from paac_cli.algorithms.agent import make_agent
from paac_cli.algorithms.replay import ReplayBatch
from paac_cli.algorithms.sac import sac_losses
from paac_cli.errors import ConfigError
from paac_cli.networks.soft_actor_critic import (
    ContinuousActions,
    DiscreteActions,
    SoftActorCritic,
    min_q_of,
    with_fixed_weights,
)
from paac_cli.seeding import weights_generator
from paac_cli.spec import ActionSpec, EnvSpec, ObsPart, discrete_action

SEED = tf.constant([3, 4], tf.int64)
CONTINUOUS = SPEC._replace(action=ActionSpec((2,), ()))


def float32(*numbers):
    return tf.constant(numbers, tf.float32)


def constant_critic(values):
    """A critic of continuous actions whose value is `values` plus the sum of the squared action."""
    return lambda obs, action: float32(*values) + tf.reduce_sum(tf.square(action), axis=1)


def test_losses_worked_by_hand():
    """Two transitions. Errors of the critics: 1, -1 and 0, 2. Entropies 0.5 and 1.5 are 2 above the target of -1."""
    loss, metrics = sac_losses(
        [float32(2.0, 4.0), float32(1.0, 7.0)],
        target=float32(1.0, 5.0),
        value=float32(3.0, 5.0),
        entropy=float32(0.5, 1.5),
        log_alpha=tf.constant(-0.5),
        target_entropy=-1.0,
    )
    assert float(metrics["train/critic_loss"]) == pytest.approx((1 + 1) / 2 + (0 + 4) / 2)
    assert float(metrics["train/policy_loss"]) == pytest.approx(-4.0)
    assert float(metrics["train/entropy"]) == pytest.approx(1.0)
    assert float(metrics["train/q_mean"]) == pytest.approx(3.0)
    assert float(metrics["train/ent_coef"]) == pytest.approx(math.exp(-0.5))
    assert float(loss) == pytest.approx(3.0 - 4.0 + -0.5 * 2.0)


def test_the_temperature_rises_if_the_entropy_is_too_low():
    log_alpha = tf.Variable(0.0)
    zero = float32(0.0)
    with tf.GradientTape() as tape:
        loss, _ = sac_losses([zero, zero], zero, zero, float32(-3.0), log_alpha, target_entropy=-1.0)
    assert tape.gradient(loss, log_alpha) == -2.0


def test_log_probabilities_of_squashed_actions_match_numpy():
    parameters = np.array([[0.3, -1.2, -0.5, 0.4], [9.0, 0.0, 0.1, -25.0]])  # 9: tanh is nearly 1; -25: below the bound
    action, log_prob = ContinuousActions(2).sample_with_log_prob(tf.constant(parameters, tf.float32), SEED)
    noise = tf.random.stateless_normal([2, 2], SEED, alg="philox").numpy().astype(np.float64)
    mean, log_std = parameters[:, :2], np.maximum(parameters[:, 2:], -20.0)
    u = mean + np.exp(log_std) * noise
    np.testing.assert_allclose(action, np.tanh(u), rtol=1e-5)
    density = -0.5 * noise**2 - log_std - 0.5 * np.log(2 * np.pi)
    slope = np.log(4.0) - 2 * np.logaddexp(u, -u)  # log(1 - tanh(u)^2) = log(1 / cosh(u)^2)
    np.testing.assert_allclose(log_prob, (density - slope).sum(axis=1), rtol=1e-5)


def test_the_density_of_squashed_actions_integrates_to_one():
    actions, parameters = ContinuousActions(1), tf.tile(float32(0.4, -0.2)[None], [200_000, 1])
    sampled, log_prob = actions.sample_with_log_prob(parameters, SEED)
    assert np.abs(sampled).max() <= 1.0
    inside = np.abs(sampled[:, 0]) < 0.5  # the mean of 1/density over samples in a region is the size of that region
    assert np.mean(np.where(inside, np.exp(-log_prob), 0.0)) == pytest.approx(1.0, rel=0.01)


def test_the_soft_value_of_continuous_actions_is_the_smaller_value_and_the_entropy_bonus():
    actions, parameters = ContinuousActions(2), tf.constant([[0.1, 0.2, -1.0, -2.0]] * 2)
    critics = [constant_critic([1.0, 5.0]), constant_critic([3.0, 4.0])]
    min_q = min_q_of(critics, tf.zeros([2, 1]))
    found = actions.soft_value(parameters, min_q, tf.constant(0.3), SEED)
    action, log_prob = actions.sample_with_log_prob(parameters, SEED)
    expected = np.array([1.0, 4.0]) + np.square(action).sum(axis=1) - 0.3 * log_prob
    np.testing.assert_allclose(found.value, expected, rtol=1e-6)
    np.testing.assert_allclose(found.entropy, -log_prob)
    with_gradient = actions.soft_value(parameters, with_fixed_weights(min_q), tf.constant(0.3), SEED)
    np.testing.assert_array_equal(with_gradient, found)


def test_the_gradient_of_the_soft_value_goes_through_the_action_and_the_entropy():
    """It is compared with differences of the value, in which the noise stays the same."""
    actions, critics = ContinuousActions(2), [constant_critic([1.0]), constant_critic([2.0])]
    parameters = tf.Variable([[0.3, -0.4, -0.5, 0.1]])

    def value(numbers):
        min_q = with_fixed_weights(min_q_of(critics, tf.zeros([1, 1])))
        return actions.soft_value(numbers, min_q, tf.constant(0.3), SEED).value

    with tf.GradientTape() as tape:
        result = value(parameters)
    step = 1e-2
    differences = [
        (value(parameters + step * one)[0] - value(parameters - step * one)[0]) / (2 * step)
        for one in np.eye(4, dtype=np.float32)[:, None]
    ]
    np.testing.assert_allclose(tape.gradient(result, parameters)[0], differences, rtol=2e-3, atol=2e-3)


def test_the_soft_value_of_a_choice_is_the_exact_expectation():
    logits, q = np.array([[0.5, -1.0, 0.2]]), np.array([[[1.0, 2.0, -3.0]], [[2.0, 1.0, -2.0]]])
    critics = [lambda obs, one=one: tf.constant(one, tf.float32) for one in q]
    found = DiscreteActions(3).soft_value(
        tf.constant(logits, tf.float32), min_q_of(critics, None), tf.constant(0.3), SEED
    )
    p = np.exp(logits) / np.exp(logits).sum()
    entropy = -(p * np.log(p)).sum()
    assert float(found.entropy[0]) == pytest.approx(entropy)
    assert float(found.value[0]) == pytest.approx((p * q.min(axis=0)).sum() + 0.3 * entropy)


@pytest.mark.parametrize("spec", [SPEC, CONTINUOUS])
def test_the_value_of_the_policy_changes_the_policy_only_and_the_error_of_the_critics_the_critics_only(spec):
    is_discrete = spec.action.num_actions is not None
    actions = DiscreteActions(2) if is_discrete else ContinuousActions(2)
    config = make_config("sac").network
    network = SoftActorCritic(config, spec, actions, weights_generator(1), critic_layer_norm=True)
    obs = tf.ones([5, 1])
    weights = network.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        min_q = with_fixed_weights(min_q_of(network.critics, obs))
        value = actions.soft_value(network.parameters(obs), min_q, tf.constant(0.1), SEED).value
        action = tf.zeros([5], tf.int32) if is_discrete else tf.zeros([5, 2])
        q = [actions.q(critic, obs, action) for critic in network.critics]
    by_value, by_q = (
        {
            weight.name
            for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True)
            if gradient is not None
        }
        for loss in (value, q)
    )
    assert by_value == {weight.name for weight in weights if not weight.name.startswith("critic")} != set()
    assert by_q == {weight.name for weight in weights if weight.name.startswith("critic")} != set()


def two_transitions(*, reward):
    frames = np.zeros((2, 1, 1), np.float32)
    return ReplayBatch(
        frames=frames,
        action=np.array([0, 1], np.int32),
        reward=np.array(reward, np.float32),
        discount=np.array([0.5, 0.0], np.float32),
        next_frames=frames,
        indices=np.array([0, 1]),
        weight=np.ones(2, np.float32),
    )


@pytest.mark.parametrize("normalize_reward", [False, True])
def test_the_error_of_the_critics_by_hand(normalize_reward):
    """The target is that of the smaller target critic, with the entropy of a uniform policy: log 2.

    Normalised rewards are half of the rewards: the variance of the returns is 4, to which 1e-5 is added.
    """
    options = {"ent_coef": 0.5, "normalize_reward": normalize_reward}
    agent = make_agent(make_config("sac", batch_size=2, buffer_size=100, **options), SPEC)
    if normalize_reward:
        agent.learner.assign(agent.learner.to_arrays() | {"reward_normalizer/variance": np.float32(4 - 1e-5)})
    heads = [*agent._network.variables, *(variable for critic in agent._targets for variable in critic.variables)]
    biases = iter([1.0, 2.0, 30.0, 20.0])  # of both critics, then of both target critics
    for variable in heads:
        if "q/kernel" in variable.name or variable.name.startswith("policy/"):
            variable.assign(tf.zeros_like(variable))
        elif "q/bias" in variable.name:
            variable.assign(tf.fill(variable.shape, next(biases)))
    metrics = agent._update_graph(
        ReplayBatch(*map(tf.constant, two_transitions(reward=[5, 6]))), tf.stack([SEED, SEED])
    )
    first, second = (2.5, 3) if normalize_reward else (5, 6)
    targets = np.array([first + 0.5 * (20 + 0.5 * math.log(2)), second])
    expected = ((1 - targets) ** 2).mean() + ((2 - targets) ** 2).mean()
    assert float(metrics["train/critic_loss"]) == pytest.approx(expected)
    assert float(metrics["train/policy_loss"]) == pytest.approx(-(1 + 0.5 * math.log(2)))


def test_the_next_actions_and_those_of_now_have_noise_of_their_own():
    config = make_config("sac", batch_size=2, buffer_size=100)
    batch = ReplayBatch(*map(tf.constant, two_transitions(reward=[5, 6])._replace(action=np.zeros((2, 2), np.float32))))

    def losses(next_seed, seed):
        metrics = make_agent(config, CONTINUOUS)._update_graph(batch, tf.constant([next_seed, seed], tf.int64))
        return [float(metrics[f"train/{name}_loss"]) for name in ("critic", "policy")]

    critic_loss, policy_loss = losses([1, 2], [3, 4])
    other_critic_loss, same_policy_loss = losses([5, 6], [3, 4])
    assert same_policy_loss == policy_loss and other_critic_loss != critic_loss
    same_critic_loss, other_policy_loss = losses([1, 2], [5, 6])
    assert same_critic_loss == critic_loss and other_policy_loss != policy_loss


def test_every_update_has_new_noise():
    config = make_config("sac", learning_starts=0, batch_size=4, buffer_size=1000)
    agent, seeds = make_agent(config, CONTINUOUS), []
    agent._update = lambda batch, pair, update=agent._update: seeds.extend(map(tuple, pair)) or update(batch, pair)
    run(agent, corridor_for(config, truncates=False), 5)
    assert len(seeds) >= 20 and len(set(seeds)) == len(seeds)


def test_an_update_that_is_not_finite_changes_nothing():
    agent = make_agent(make_config("sac", batch_size=2, buffer_size=100), SPEC)
    seeds = np.ones((2, 2), np.int64)
    agent._update(two_transitions(reward=[5, 6]), seeds)
    before = state_of(agent)
    metrics = agent._update(two_transitions(reward=[5, math.nan]), seeds)
    assert math.isnan(metrics["train/grad_norm"])
    for name, array in state_of(agent).items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_target_critics_move_by_tau_towards_the_critics():
    config = make_config("sac", learning_starts=0, batch_size=4, utd_ratio=0.25, buffer_size=1000, tau=0.25)
    agent = make_agent(config, SPEC)
    name = "critic_1/q/kernel"
    run(agent, corridor_for(config), 2)
    before = agent.learner.to_arrays()[f"target/{name}"]
    run(agent, corridor_for(config), 1)
    now, after = agent.policy.to_arrays()[name], agent.learner.to_arrays()[f"target/{name}"]
    assert (now != before).any()
    np.testing.assert_allclose(after, before + 0.25 * (now - before), rtol=1e-6)


@pytest.mark.parametrize("spec", [SPEC, CONTINUOUS], ids=["discrete", "continuous"])
def test_updates_are_the_same_bits_with_one_core_and_with_several(monkeypatch, spec):
    config = make_config("sac", learning_starts=8, batch_size=64, network={"hidden_sizes": [256, 256]})
    states = []
    for cores in (1, 2):
        monkeypatch.setattr("paac_cli.learning.graphs.available_cores", lambda cores=cores: cores)
        agent = make_agent(config, spec)
        metrics = run(agent, corridor_for(config, truncates=False), steps=40)
        assert metrics
        assert [traced.is_parallel for traced in agent._update._traced.values()] == [cores > 1]
        states.append(state_of(agent))
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name], err_msg=name)


@pytest.mark.parametrize(("ratio", "steps", "updates"), [(0.3, 40, 12), (0.29, 100, 29)])
def test_updates_follow_the_ratio_and_begin_after_learning_starts(ratio, steps, updates):
    config = make_config("sac", num_envs=4, learning_starts=20, batch_size=4, utd_ratio=ratio, buffer_size=1000)
    agent = make_agent(config, SPEC)
    made = []
    agent._update = lambda batch, seeds, update=agent._update: made.append(1) or update(batch, seeds)
    run(agent, corridor_for(config), 5)
    assert made == []
    run(agent, corridor_for(config), steps // 4)
    assert len(made) == updates  # 100 steps * 0.29: a little less than 29 in binary


def test_actions_are_uniform_before_learning_starts_and_follow_the_policy_afterwards():
    config = make_config("sac", num_envs=500, learning_starts=1000, buffer_size=10_000)
    agent, step = make_agent(config, CONTINUOUS), corridor_for(config).timestep()
    random = np.concatenate([agent.act(step).copy() for _ in range(2)])
    assert np.abs(random).max() <= 1.0
    np.testing.assert_allclose(np.histogram(random, 4, (-1.0, 1.0))[0] / random.size, 0.25, atol=0.03)
    assert abs(np.corrcoef(random.T)[0, 1]) < 0.1
    policy = agent.policy.to_arrays()
    policy["policy/squashed_gaussian/bias"][:] = [0.5, 0.5, -3.0, -3.0]  # means, log standard deviations
    agent.policy.assign(policy)
    np.testing.assert_allclose(agent.act(step).mean(axis=0), np.tanh(0.5), atol=0.02)


IMAGES = EnvSpec((16, 16, 4), np.dtype(np.uint8), ActionSpec((2,), ()), 30.0, frame_stack=4)
PARTS = (ObsPart("camera", (12, 12, 1), True), ObsPart("speed", (3,), False))
DICT = EnvSpec((147,), np.dtype(np.float32), ActionSpec((2,), ()), 30.0, parts=PARTS)


@pytest.mark.parametrize(
    ("spec", "network"),
    [
        (CONTINUOUS, {"torso": "mlp"}),
        (IMAGES, {"torso": "mlp"}),
        (IMAGES, {"torso": "impala", "hidden_sizes": [64, 64]}),
        (DICT, {"torso": "mlp"}),
        (DICT, {"torso": "mlp", "torsos": {"camera": "impala"}}),
    ],
)
@pytest.mark.parametrize("normalize_obs", [False, True])
def test_every_kind_of_observation_can_be_played_and_valued(spec, network, normalize_obs):
    config = make_config("sac", network=network | {"normalize_obs": normalize_obs})
    obs = np.random.default_rng(0).integers(0, 255, (3, *spec.obs_shape)).astype(spec.obs_dtype)
    prediction = make_agent(config, spec).predict(obs, seed=0, step=0, greedy=False)
    assert prediction.action.shape == (3, 2)
    assert prediction.value.shape == (3,)
    assert prediction.probability.shape == (3, 0)
    assert np.abs(prediction.value).max() < 100.0  # bytes are scaled for the critics, too


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (ActionSpec((2,), (3, 4)), "sac takes continuous or Discrete actions"),
        (
            ActionSpec((2,), (), unbounded=("element [1] is between 0.0 and inf",)),
            "element \\[1\\] is between 0.0 and inf",
        ),
    ],
)
def test_other_actions_are_refused(action, message):
    with pytest.raises(ConfigError, match=message):
        make_agent(make_config("sac"), SPEC._replace(action=action))


@pytest.mark.parametrize(
    ("action", "expected"),
    [(ActionSpec((3,), ()), -3.0), (discrete_action(("a", "b", "c", "d")), 0.98 * math.log(4.0))],
)
def test_the_target_entropy_follows_from_the_actions(action, expected):
    agent = make_agent(make_config("sac"), SPEC._replace(action=action))
    assert agent._target_entropy == pytest.approx(expected)
    agent = make_agent(make_config("sac", target_entropy=-0.5), SPEC._replace(action=action))
    assert agent._target_entropy == -0.5


def test_with_masks_the_target_entropy_is_below_that_of_uniform_legal_actions():
    """So the temperature of a uniform policy falls; its entropy is far below that of all four actions."""
    spec = SPEC._replace(action=discrete_action(tuple("abcd"))).with_mask()
    agent = make_agent(make_config("sac", batch_size=2, buffer_size=100), spec)
    policy = agent.policy.to_arrays()
    agent.policy.assign(policy | {name: np.zeros_like(policy[name]) for name in ("policy/kernel", "policy/bias")})
    obs = np.array([[[1, 1, 1, 0, 0]], [[1, 0, 1, 1, 0]]], np.float32)  # two legal actions each
    before = agent.learner.to_arrays()["log_ent_coef"]
    agent._update(two_transitions(reward=[5, 6])._replace(frames=obs, next_frames=obs), np.ones((2, 2), np.int64))
    assert agent.learner.to_arrays()["log_ent_coef"] < before


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("critic_layer_norm", [False, True])
def test_layer_normalisation_is_chosen_for_the_critics_and_for_all_torsos(layer_norm, critic_layer_norm):
    config = make_config("sac", critic_layer_norm=critic_layer_norm, network={"layer_norm": layer_norm})
    names = make_agent(config, SPEC).policy.to_arrays()
    assert ("torso/0/scale" in names) == layer_norm
    for critic in ("critic_1", "critic_2"):
        assert (f"{critic}/torso/0/scale" in names) == (layer_norm or critic_layer_norm)


@pytest.mark.parametrize("ent_coef", ["auto", 0.2])
def test_the_entropy_coefficient_is_learned_or_stays(ent_coef):
    config = make_config("sac", learning_starts=0, batch_size=4, buffer_size=1000, ent_coef=ent_coef)
    metrics = run(make_agent(config, SPEC), corridor_for(config), 10)
    found = {row["train/ent_coef"] for row in metrics}
    assert (len(found) > 1) == (ent_coef == "auto")
    assert ent_coef == "auto" or max(found) == pytest.approx(0.2)
