"""Which settings may differ when a run resumes."""

import pytest

from minimal_config import MINIMAL, load
from paac_cli.config.load import changed_settings, load_config
from paac_cli.config.optimizers import RmsPropConfig
from paac_cli.config.schema import FREE_ON_RESUME, RunConfig


def test_keys_that_say_nothing_are_left_out():
    old, new = load(), load(env={"id": "CartPole-v1", "kwargs": {"n": 3}}, init_from={"path": "x"})
    changed = changed_settings(old, new)
    assert changed["env.kwargs.n"] == (None, 3)
    assert changed["init_from.path"] == (None, "x")
    assert not changed.keys() & {"env.kwargs", "init_from", "init_from.sha256"}


def test_equal_configs_have_no_changed_settings():
    assert changed_settings(load(), load()) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sampling.num_workers", 2),
        ("training.total_steps", 200),
        ("training.log_every", 1),
        ("training.checkpoint_every", 1),
        ("training.keep_checkpoints", 1),
        ("training.keep_milestones", False),
        ("training.stop_when", {"mean_return": 1.0}),
        ("training.device", "cpu"),
        ("training.deterministic", False),
    ],
)
def test_settings_that_do_not_affect_learning_may_change_on_resume(key, value):
    assert key in FREE_ON_RESUME
    changed = load_config(MINIMAL, "here.yaml", {key: value})
    assert changed != load()
    assert changed_settings(load(), changed) == {}


def test_every_key_of_free_on_resume_exists():
    for key in FREE_ON_RESUME:
        section, _, name = key.partition(".")
        assert name in RunConfig.model_fields[section].annotation.model_fields


def test_settings_that_affect_learning_are_reported_with_both_values():
    changed = load(seed=2, sampling__num_envs=8, training__log_every=3, network__hidden_sizes=[32])
    assert changed_settings(load(), changed) == {
        "seed": (1, 2),
        "sampling.num_envs": (32, 8),
        "network.hidden_sizes": ([64, 64], [32]),
    }


def test_a_changed_optimizer_is_reported_key_by_key():
    found = changed_settings(load(), load(algorithm__optimizer={"name": "adam"}))
    assert found["algorithm.optimizer.name"] == ("rmsprop", "adam")
    assert found["algorithm.optimizer.beta_1"] == (None, 0.9)
    assert found["algorithm.optimizer.decay"] == (RmsPropConfig().decay, None)
    assert all(key.startswith("algorithm.optimizer.") for key in found)


@pytest.mark.parametrize("kwargs", [{"a": 1}, {"a": None}, {"a": {"b": 1}}])
def test_changed_kwargs_are_reported(kwargs):
    assert changed_settings(load(), load(env__kwargs=kwargs))
    assert changed_settings(load(env__kwargs={"z": 1, **kwargs}), load(env__kwargs={"z": 1}))


@pytest.mark.parametrize("found", [True, False])
def test_a_resumed_run_keeps_what_was_found_for_a_setting_that_is_auto(found):
    """Otherwise a check that finds something else later would change the run."""
    run, again = load(env__fresh_per_episode=found), load()
    assert again.env.fresh_per_episode == "auto"
    assert changed_settings(run, again) == {}
    assert again.resuming(run) == run
    assert load(seed=2).resuming(run) == load(seed=2, env__fresh_per_episode=found)


@pytest.mark.parametrize(("before", "now"), [(True, False), (False, True), ("auto", True), ("auto", False)])
def test_another_value_than_what_was_found_is_reported(before, now):
    run, again = load(env__fresh_per_episode=before), load(env__fresh_per_episode=now)
    assert changed_settings(run, again) == {"env.fresh_per_episode": (before, now)}
    assert again.resuming(run) == again
