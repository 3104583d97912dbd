"""Signs that learning has stalled: each appears where it should, and none in runs that learned."""

import dataclasses
import math
from functools import cache
from pathlib import Path

import ale_py
import gymnasium
import pytest
from gymnasium.spaces import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_rows import METRICS, history_of, rows

from paac_cli.config.load import load_config, read_config
from paac_cli.reporting.learning_history import LearningHistory, Row, rows_before
from paac_cli.reporting.stall import RunFacts, StallWatch, facts, find_sign, latest_rows
from paac_cli.spec import ActionSpec, discrete_action

RESULTS = Path(__file__).parents[2] / "results"
CURVES = sorted(RESULTS.glob("*/*/metrics.csv"))
CONTINUOUS = ActionSpec((1,), ())
OTHERS = {"network": {"torso": "mlp"}, "training": {"total_steps": 100_000}}  # sections
ABOUT = RunFacts(
    total_steps=100_000,
    max_entropy=math.log(2),
    gamma=0.99,
    clips_rewards=False,
    normalizes=False,
    can_normalize=True,
    explore="explore",
)
CLIPPED = dataclasses.replace(ABOUT, max_entropy=math.log(6), clips_rewards=True)


def about_run(run_dir):
    config = read_config(run_dir / "config.yaml")
    return facts(config, action_spec(config.env.id, **config.env.kwargs))


@cache
def action_spec(env_id, **kwargs):
    gymnasium.register_envs(ale_py)
    env = gymnasium.make(env_id, **kwargs)
    env.close()
    space = env.action_space
    return CONTINUOUS if isinstance(space, Box) else discrete_action(tuple(map(str, range(space.n))))


def sign_of(rows, about=ABOUT):
    sign = find_sign(rows, about)
    return sign and sign.sign


# --- runs that learned


def test_there_are_curves_of_all_kinds_of_algorithms():
    assert len(CURVES) >= 40
    assert {read_config(curve.parent / "config.yaml").algorithm.name for curve in CURVES} >= {
        "paac",
        "ppo",
        "nstep_q",
        "dqn",
    }


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: "/".join(curve.parts[-3:-1]))
def test_no_sign_appears_at_any_time_in_a_run_that_learned(curve):
    """Nor, at any fifth row, in the same run with a goal ten times as far away, or with no planned end at all."""
    found, about = list(rows_before(curve, 10**18)), about_run(curve.parent)
    assert found
    for total_steps, every in ((about.total_steps, 1), (10 * about.total_steps, 5), (10**15, 5)):
        planned = dataclasses.replace(about, total_steps=total_steps)
        signs = {count: find_sign(found[:count], planned) for count in range(1, len(found) + 1, every)}
        assert not any(signs.values()), {count: str(sign) for count, sign in signs.items() if sign}


# --- each sign


def test_values_that_are_wrong_by_more_than_any_return():
    exploded = rows(30, value_loss=lambda index: 0.1 if index < 15 else 1e6)
    sign = find_sign(exploded, ABOUT)
    assert sign.sign == "value_loss"
    # A game has 20 steps with rewards of at most 1.
    assert "wrong by 1e+03 (train/value_loss is 1e+06)" in sign.symptom
    assert "discounted returns are at most about 20" in sign.symptom
    assert "algorithm.learning_rate" in sign.advice


@pytest.mark.parametrize("loss", [100.0, 39_000.0, math.nan, math.inf])
def test_values_that_are_wrong_by_less_or_not_known(loss):
    """20 x 10 is the bound of the error: 40,000 of the mean square."""
    assert sign_of(rows(30, value_loss=lambda index: loss)) is None


def test_one_bad_update_is_no_sign():
    assert sign_of(rows(30, value_loss=lambda index: 1e9 if index % 3 == 0 else 0.1)) is None


def test_values_in_units_of_their_deviation():
    normalised = dataclasses.replace(ABOUT, normalizes=True)
    sign = find_sign(rows(30, value_loss=lambda index: 20_000.0), normalised)
    assert sign.sign == "value_loss"
    assert "normalize_reward" not in sign.advice
    assert sign_of(rows(30, value_loss=lambda index: 9_000.0), normalised) is None


@pytest.mark.parametrize(("algorithm", "can"), [("paac", True), ("sac", True), ("dqn", False)])
def test_rewards_are_to_be_normalised_where_the_algorithm_can(algorithm, can):
    env = "Pendulum-v1" if algorithm == "sac" else "CartPole-v1"
    about = facts(load_config({"env": {"id": env}, "algorithm": {"name": algorithm}} | OTHERS, "test"), CONTINUOUS)
    sign = find_sign(rows(30, value_loss=lambda index: 1e9), about)
    assert ("algorithm.normalize_reward=true" in sign.advice) == can


def test_all_rewards_are_clipped_to_the_same_number():
    """As in ALE/Skiing-v5, where every step costs time."""
    lost = {"reward_min": lambda index: -1.0, "reward_max": lambda index: -1.0}
    scores = rows(30, **lost, ep_rew_mean=lambda index: -9_000.0 - index)
    sign = find_sign(scores, CLIPPED)
    assert sign.sign == "clipped_rewards"
    assert "since step 1,000 every reward that the agent learns from is -1" in sign.symptom
    assert "mean scores range from -9,029 to -9,000" in sign.symptom
    assert sign_of(scores, ABOUT) is None  # CartPole rewards every step with 1, too
    assert sign_of(rows(30, **lost), CLIPPED) is None  # scores do not differ, so nothing is lost
    rare = {"reward_min": lambda index: 0.0, "reward_max": lambda index: 0.0}
    assert sign_of(rows(30, **rare, ep_rew_mean=lambda index: float(index)), CLIPPED) is None


def test_a_policy_that_no_longer_explores():
    collapsed = rows(30, entropy=lambda index: 0.5 / (1 + 100 * index), ep_rew_mean=lambda index: 9.0 - index % 2)
    sign = find_sign(collapsed, ABOUT)
    assert sign.sign == "entropy"
    assert "since step 2,000 " in sign.symptom
    assert "its entropy is 0.00017, and that of random actions 0.693" in sign.symptom
    assert sign.advice.startswith("explore, ")


def test_a_deterministic_policy_that_plays_well_is_no_sign():
    solved = rows(30, entropy=lambda index: 1e-4, ep_rew_mean=lambda index: min(10.0 * index, 200.0))
    assert sign_of(solved) is None


def test_entropies_of_continuous_actions_have_no_bound():
    continuous = dataclasses.replace(ABOUT, max_entropy=None)
    assert sign_of(rows(30, entropy=lambda index: -3.0, ep_rew_mean=lambda index: index % 2), continuous) is None


def test_returns_that_never_change():
    """As in MountainCar-v0, where a game that is not won ends after 200 steps."""
    equal = rows(60, ep_rew_mean=lambda index: -200.0)
    sign = find_sign(equal, ABOUT)
    assert sign.sign == "returns"
    assert "since step 1,000 the mean return is -200 without any change, over 590 games" in sign.symptom
    assert sign_of(equal[:20]) is None  # fewer than 300 games
    assert sign_of([*equal, *rows(61, ep_rew_mean=lambda index: -199.99)[60:]]) is None


def test_the_best_possible_return_is_no_sign():
    """As 500 in CartPole."""
    assert sign_of(rows(90, ep_rew_mean=lambda index: min(10.0 * index, 500.0))) is None


def test_a_return_that_has_fallen_to_a_constant_is_a_sign():
    assert sign_of(rows(90, ep_rew_mean=lambda index: max(100.0 - 10 * index, 9.0))) == "returns"


# --- for how long


def test_a_sign_must_hold_for_a_twentieth_of_the_run_and_ten_rows():
    steps = [row.steps for row in latest_rows(rows(90), 100_000)]
    assert steps == list(range(81_000, 91_000, 1_000))  # 5,000 steps would be five rows
    assert len(latest_rows(rows(90, every=100), 100_000)) == 46  # half of 9,000 steps is less than 5,000
    assert len(latest_rows(rows(300, every=100), 100_000)) == 51
    assert len(latest_rows(rows(10), 100_000)) == 10
    assert len(latest_rows(rows(9), 100_000)) == 0
    assert len(latest_rows([], 100_000)) == 0


def test_a_kind_of_sign_is_logged_once_and_kept_while_it_holds():
    logged, history = [], LearningHistory()
    watch = StallWatch(history, ABOUT, logged.append)
    changing = rows(
        80, value_loss=lambda index: 0.1 if 30 <= index < 50 else 1e6, ep_rew_mean=lambda index: float(index % 2)
    )
    for index, row in enumerate(changing):
        history.write(row.steps, row.metrics)
        watch.write(row.steps, row.metrics)
        assert (watch.sign is not None) == (9 <= index < 35 or index >= 54), index
    assert [event.sign for event in logged] == ["value_loss"]
    assert str(logged[0]).startswith("Hint: the values are wrong by 1e+03")


# --- robustness


numbers = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, -1.0, math.nan]))


@settings(max_examples=200)
@given(
    st.lists(st.dictionaries(st.sampled_from([*METRICS, "train/loss", "train/ent_coef"]), numbers), max_size=30),
    st.sampled_from(
        [ABOUT, CLIPPED, RunFacts(1, None, None, False, False, False, ""), RunFacts(9, 0.1, 1.0, True, True, True, "")]
    ),
)
def test_no_metrics_of_any_algorithm_raise_an_error(metrics, about):
    history = history_of([Row(100 * index, each) for index, each in enumerate(metrics)])
    find_sign(history.rows, about)


# --- facts


@pytest.mark.parametrize(
    ("algorithm", "advice"),
    [
        ({"name": "paac", "ent_coef": 0.02}, "algorithm.ent_coef=0.04 instead of 0.02"),
        ({"name": "ppo", "ent_coef": 0.0}, "algorithm.ent_coef=0.01 instead of 0"),
        ({"name": "sac"}, "algorithm.target_entropy"),
        ({"name": "dqn"}, "algorithm.epsilon_anneal_steps"),
        ({"name": "nstep_q"}, "algorithm.epsilon_anneal_steps"),
    ],
)
def test_the_advice_names_keys_of_the_algorithm(algorithm, advice):
    data = {"env": {"id": "CartPole-v1"}, "network": {"torso": "mlp"}, "training": {"total_steps": 1_000}}
    config = load_config(data | {"algorithm": algorithm}, "test")
    assert advice in facts(config, discrete_action(("left", "right"))).explore


def test_facts_of_atari_and_of_several_choices():
    about = about_run(RESULTS / "pong" / "seed1")
    assert (about.clips_rewards, about.max_entropy) == (True, pytest.approx(math.log(6)))
    config = read_config(RESULTS / "learning" / "cartpole-seed1" / "config.yaml")
    assert facts(config, ActionSpec((2,), (3, 4))).max_entropy == pytest.approx(math.log(12))
    assert facts(config, CONTINUOUS).max_entropy is None
    assert not facts(config, CONTINUOUS).clips_rewards
    masked = config.with_settings("env", action_mask=True)  # random play has a lower entropy, which is not known
    assert facts(masked, ActionSpec((), (6,))).max_entropy is None
