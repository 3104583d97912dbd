"""The search space of a study, and the settings that are proposed from it."""

import math

import pytest

from paac_cli.config.load import read_config
from paac_cli.config.presets import find_preset
from paac_cli.errors import ConfigError
from paac_cli.tuning.sampler import is_hopeless, propose
from paac_cli.tuning.space import Choices, Range, parse_space, read_space, to_data
from paac_cli.tuning.trial import PARTS, Trial, TrialStatus

LEARNING_RATE, HIDDEN = "algorithm.learning_rate", "network.hidden_sizes"
SPACE = {LEARNING_RATE: Range(1e-4, 1e-1, True, False), HIDDEN: Choices(([32], [64, 64]))}


def make_config(settings):
    return read_config(find_preset("ppo/cartpole"), settings, dict.fromkeys(settings, "space.yaml"))


def finished(number, settings, score):
    progress = [score * part / PARTS for part in range(1, PARTS + 1)]
    return Trial(number=number, settings=settings, outcome=TrialStatus.FINISHED, progress=progress, score=score)


def test_a_file_is_read_as_ranges_and_choices(tmp_path):
    (tmp_path / "space.yaml").write_text(
        f"{LEARNING_RATE}: {{low: 1e-4, high: 1e-1, log: true}}\n"
        "algorithm.num_steps: {low: 8, high: 64}\n"
        "algorithm.ent_coef: {low: 0, high: 1}\n"
        f"{HIDDEN}: [[32], [64, 64]]\n"
    )
    space = read_space(tmp_path / "space.yaml", make_config)
    assert space == {
        LEARNING_RATE: Range(1e-4, 1e-1, True, False),
        "algorithm.num_steps": Range(8, 64, False, True),
        "algorithm.ent_coef": Range(0, 1, False, False),  # takes fractions, although both ends are integers
        HIDDEN: Choices(([32], [64, 64])),
    }
    assert parse_space(to_data(space), "itself", make_config) == space


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "is a mapping of dotted keys"),
        ([1], "is a mapping of dotted keys"),
        ({"algorithm.gamma": 0.9}, "expected a list of values, or a range such as {low: 1e-4"),
        ({"algorithm.gamma": {"low": 0.9}}, "expected a list of values, or a range"),
        ({"algorithm.gamma": {"low": 0.9, "high": 0.99, "step": 0.01}}, "expected a list of values, or a range"),
        ({"algorithm.gamma": {"low": 0.99, "high": 0.9}}, "low less than high"),
        ({"algorithm.gamma": {"low": True, "high": 2}}, "low and high must be finite numbers"),
        ({"algorithm.gamma": {"low": 0, "high": 0.9, "log": True}}, "low positive"),
        ({"algorithm.gamma": {"low": 0.9, "high": 1.5}}, "space.yaml: algorithm.gamma = 1.5: must be less"),
        ({"algorithm.gama": [0.9, 0.99]}, "space.yaml: unknown key algorithm.gama; did you mean algorithm.gamma"),
        ({"algorithm.max_grad_norm": {"low": 1, "high": math.inf}}, "low and high must be finite numbers"),
        ({"algorithm.max_grad_norm": [1.0, math.inf]}, "a choice is not finite"),
        ({"algorithm.gamma": [0.9]}, "1 choice; expected 2 to 50"),
        ({"algorithm.gamma": [0.9, 0.9]}, "a choice appears twice"),
        ({"training.total_steps": [100, 200]}, "space.yaml: training.total_steps: cannot vary"),
        ({"seed": [1, 2]}, "space.yaml: seed: cannot vary"),
    ],
)
def test_a_wrong_space_is_explained(data, message):
    with pytest.raises(ConfigError, match=r"space\.yaml") as error:
        parse_space(data, "space.yaml", make_config)
    assert message in str(error.value)


def test_a_proposal_depends_on_seed_number_and_earlier_trials_alone():
    def propose_30(seed):
        trials = []
        for number in range(1, 31):
            settings = propose(SPACE, seed, number, trials)
            trials.append(finished(number, settings, -abs(math.log(settings[LEARNING_RATE] / 1e-3))))
        return trials

    trials = propose_30(seed=1)
    assert propose_30(seed=1) == trials
    assert propose(SPACE, 1, 21, trials[:20]) == trials[20].settings
    assert propose(SPACE, 1, 21, trials[:19]) != trials[20].settings
    assert propose(SPACE, 2, 21, trials[:20]) != trials[20].settings
    assert propose(SPACE, 1, 22, trials[:20]) != trials[20].settings
    assert all(1e-4 <= trial.settings[LEARNING_RATE] <= 1e-1 for trial in trials)
    assert all(trial.settings[HIDDEN] in ([32], [64, 64]) for trial in trials)
    scores = [trial.score for trial in trials]
    assert sum(scores[20:]) > sum(scores[:10])  # the first ten are random


@pytest.mark.parametrize(("low", "high"), [(0.999, 0.9999), (1000.2, 1010.7), (-0.5, 0.5), (1e-4, 1e-1)])
def test_rounding_leaves_a_narrow_range_its_numbers(low, high):
    space = {LEARNING_RATE: Range(low, high, False, False)}
    numbers = {propose(space, seed, 1, [])[LEARNING_RATE] for seed in range(40)}
    assert len(numbers) > 20
    assert all(low <= number <= high for number in numbers)


def test_settings_with_which_training_fails_are_avoided():
    trials = []
    for number in range(1, 61):
        settings = propose({LEARNING_RATE: SPACE[LEARNING_RATE]}, 1, number, trials)
        if settings[LEARNING_RATE] > 2e-3:
            trials.append(Trial(number=number, settings=settings, outcome=TrialStatus.FAILED))
        else:
            trials.append(finished(number, settings, -abs(math.log(settings[LEARNING_RATE] / 1e-3))))
    outcomes = [trial.outcome for trial in trials]
    assert outcomes.count(TrialStatus.FAILED) < 20  # of random settings 57 % fail: 34


def test_a_trial_is_pruned_that_is_below_the_median_of_five():
    settings = {LEARNING_RATE: 1e-3, HIDDEN: [32]}
    others = [finished(number, settings, 20.0 * number) for number in range(1, 6)]  # after part 10: 10, 20, 30, 40, 50

    def is_pruned(value, parts=10, others=others):
        trial = Trial(number=6, settings=settings, progress=[None] * (parts - 1) + [value])
        return is_hopeless(SPACE, trial, others)

    assert is_pruned(29.0)
    assert not is_pruned(31.0)
    assert not is_pruned(None)
    assert not is_pruned(29.0, others=others[:4])
    without_games = [other.model_copy(update={"progress": [None] * PARTS}) for other in others[:4]]
    assert not is_pruned(29.0, others=[*without_games, others[4]])
    assert not is_pruned(0.0, parts=PARTS // 4 - 1)  # too early
    assert is_pruned(0.0, parts=PARTS // 4)
