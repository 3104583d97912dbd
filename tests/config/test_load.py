"""Loading a preset with overrides: spellings of values, error messages, and writing it back."""

import re
from datetime import date

import pytest
from pydantic import ValidationError

from minimal_config import MINIMAL, error_message, load, load_set
from paac_cli.config import yaml_io
from paac_cli.config.load import changed_settings, load_config, parse_assignments, read_config, to_yaml
from paac_cli.config.optimizers import AdamConfig
from paac_cli.config.presets import find_preset, preset_names
from paac_cli.config.schema import RunConfig
from paac_cli.errors import ConfigError

# --- spellings of numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("7e-4", 7e-4), ("1E-4", 1e-4), ("0.0007", 7e-4), (".5e-3", 5e-4), ("+7e-4", 7e-4), ("1", 1.0)],
)
def test_a_float_may_be_written_in_any_notation(text, value):
    assert load_set(f"algorithm.learning_rate={text}").algorithm.learning_rate == value


@pytest.mark.parametrize(
    ("text", "value"), [("80_000_000", 80_000_000), ("1e6", 1_000_000), ("2.5e6", 2_500_000), ("250000", 250_000)]
)
def test_an_integer_may_be_written_in_any_notation(text, value):
    total_steps = load_set(f"training.total_steps={text}").training.total_steps
    assert total_steps == value
    assert isinstance(total_steps, int)


def test_a_fraction_is_not_an_integer():
    assert "training.total_steps = 1.5" in error_message(load_set, "training.total_steps=1.5")


@pytest.mark.parametrize("text", [".nan", ".inf", "1e999"])
def test_nan_and_infinity_are_rejected(text):
    assert "algorithm.learning_rate" in error_message(load_set, f"algorithm.learning_rate={text}")


@pytest.mark.parametrize(
    "key", ["seed", "sampling.num_envs", "sampling.num_workers", "training.total_steps", "algorithm.learning_rate"]
)
def test_true_is_not_a_number(key):
    assert key in error_message(load_set, f"{key}=true")


# --- error messages


@pytest.mark.parametrize(
    ("assignment", "key", "near"),
    [
        ("algorithm.gama=0.9", "algorithm.gama", "gamma"),
        ("algorithm.learning_rte=1", "algorithm.learning_rte", "learning_rate"),
        ("sampling.num_env=4", "sampling.num_env", "num_envs"),
        ("samplin.num_envs=4", "samplin", "sampling"),
        ("training.stop_when={mean_retrn: 1}", "training.stop_when.mean_retrn", "mean_return"),
        ("algorithm.optimizer={name: rmsprop, decai: 0.9}", "algorithm.optimizer.decai", "decay"),
        ("algorithm.optimizer={name: adam, beta1: 0.9}", "algorithm.optimizer.beta1", "beta_1"),
    ],
)
def test_the_error_of_an_unknown_key_names_its_source_and_the_nearest_key(assignment, key, near):
    text = error_message(load_set, assignment)
    assert f"--set {assignment.partition('=')[0]}: unknown key {key};" in text
    assert near in text.partition("did you mean")[2]


def test_the_suggested_key_is_valid_in_that_section():
    """`decay` is a key of rmsprop, so it is not suggested under adam."""
    text = error_message(load_set, "algorithm.optimizer={name: adam, decay: 0.9}")
    assert "unknown key algorithm.optimizer.decay" in text
    assert "decay" not in text.partition("did you mean")[2]
    assert text.endswith("; valid keys: name, beta_1, beta_2, epsilon")


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("sampling.num_envs=0", "sampling.num_envs = 0: "),
        ("sampling.num_envs=many", "sampling.num_envs = 'many': "),
        ("sampling.num_workers=0", "sampling.num_workers = 0: "),
        ("sampling.num_workers=all", "sampling.num_workers = 'all': "),
        ("algorithm.gamma=1.5", "algorithm.gamma = 1.5: "),
        ("algorithm.num_steps=-1", "algorithm.num_steps = -1: "),
        ("algorithm.optimizer={name: adam, beta_1: 1}", "algorithm.optimizer.beta_1 = 1"),
        ("algorithm.optimizer=adam", "algorithm.optimizer = 'adam': "),
        ("algorithm.optimizer={name: sgd}", "algorithm.optimizer.name = 'sgd': "),
        ("algorithm.name=pqn", "algorithm.name = 'pqn': "),
        ("network.hidden_sizes=[64, 0]", "network.hidden_sizes.1 = 0: "),
        ("network.hidden_sizes=[]", "network.hidden_sizes = []: "),
        ("network.hidden_sizes=64", "network.hidden_sizes = 64: "),
        ("network.torso='toy_models:'", "network.torso = 'toy_models:': "),
        ("network.torso=':make'", "network.torso = ':make': "),
        ("network.torso=.models:make", "network.torso = '.models:make': "),
        ("network.torsos=mlp", "network.torsos = 'mlp': "),
        ("network.torsos={camera: 3}", "network.torsos.camera = 3: "),
        ("network.layer_norm=1", "network.layer_norm = 1: "),
        ("seed=-1", "seed = -1: "),
        ("seed=9223372036854775808", "seed = 9223372036854775808: "),
        ("env.id=3", "env.id = 3: "),
        ("env.id=''", "env.id = '': "),
        ("env=3", "env = 3: "),
        ("training=", "training = None: "),
        ("training.device=cuda", "training.device = 'cuda': "),
    ],
)
def test_the_error_of_an_invalid_value_is_one_line_with_source_key_and_value(assignment, expected):
    text = error_message(load_set, assignment)
    assert text.startswith(f"--set {assignment.partition('=')[0]}: {expected}")
    assert "\n" not in text


def test_an_error_names_the_file_or_the_flag_that_gave_the_value():
    data = MINIMAL | {"sampling": {"num_envs": 0}}
    assert error_message(load_config, data, "here.yaml").startswith("here.yaml: sampling.num_envs = 0")
    text = error_message(
        load_config, MINIMAL, "here.yaml", {"sampling.num_envs": 0}, {"sampling.num_envs": "--num-envs"}
    )
    assert text.startswith("--num-envs: sampling.num_envs = 0")
    of_section, flags = {"algorithm": {"name": "ppo"}, "algorithm.gamma": 2}, {"algorithm": "--algorithm"}
    text = error_message(load_config, MINIMAL, "here.yaml", of_section, flags)
    assert text.startswith("--set algorithm.gamma: algorithm.gamma = 2")


def test_the_error_of_an_unknown_algorithm_says_how_one_of_your_own_is_written():
    assert "'sac', or module:Class of your own" in error_message(load_set, "algorithm.name=my_algorithm")


@pytest.mark.parametrize(
    ("key", "wrong", "right"),
    [
        ("network.torso", "natur", "nature"),
        ("network.torso", "mpl", "mlp"),
        ("network.torsos.camera", "natur", "nature"),
        ("network.activation", "rlu", "relu"),
        ("network.initializer", "ortogonal", "orthogonal"),
        ("env.protocol", "baselins", "baselines"),
        ("training.device", "cpus", "cpu"),
    ],
)
def test_the_error_of_an_unknown_choice_suggests_the_nearest(key, wrong, right):
    text = error_message(load_set, f"{key}={wrong}")
    assert f"{key} = {wrong!r}" in text
    assert right in text.partition("did you mean")[2]


@pytest.mark.parametrize("section", ["env", "network", "training"])
def test_the_error_of_a_missing_setting_describes_it(section):
    text = error_message(load_config, {**MINIMAL, section: {}}, "here.yaml")
    assert re.fullmatch(rf"here\.yaml: {section}\.\w+ is missing \(.+\)", text)
    data = {name: value for name, value in MINIMAL.items() if name != section}
    description = RunConfig.model_fields[section].description
    assert error_message(load_config, data, "here.yaml") == f"here.yaml: {section} is missing ({description})"


def test_all_errors_are_reported_at_once():
    text = error_message(load, sampling__num_envs=0, algorithm__gamma=2)
    assert "sampling.num_envs" in text
    assert "algorithm.gamma" in text


@pytest.mark.parametrize("data", [None, 3, "text", [], [MINIMAL]])
def test_a_preset_must_be_a_mapping(data):
    assert "here.yaml: a preset must be a mapping" in error_message(load_config, data, "here.yaml")


# --- settings that contradict each other


def test_there_must_not_be_more_workers_than_environments():
    text = error_message(load, sampling__num_envs=2, sampling__num_workers=3)
    assert "num_workers (3) must not exceed num_envs (2)" in text
    assert load(sampling__num_envs=3, sampling__num_workers=3).sampling.num_workers == 3


def test_a_rule_set_is_for_atari_only():
    text = error_message(load, env__protocol="baselines")
    assert "baselines" in text
    assert "CartPole-v1" in text


def test_an_atari_preset_with_another_environment_says_how_atari_games_are_written_and_what_else_to_do():
    text = error_message(load, env__protocol="baselines", env__id="Acrobot-v1")
    for part in ("written ALE/Name-v5, e.g. ALE/Pong-v5", "such as cartpole", "--set env.protocol=null"):
        assert part in text


@pytest.mark.parametrize("env_id", ["BreakoutNoFrameskip-v4", "Breakout-v5"])
def test_an_atari_preset_suggests_the_game_that_an_id_of_another_library_means(env_id):
    assert "did you mean ALE/Breakout-v5?" in error_message(load, env__protocol="baselines", env__id=env_id)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("gamma=0.9", "unknown key gamma; did you mean algorithm.gamma?"),
        ("batch_size=5", "unknown key batch_size; did you mean algorithm.batch_size (of dqn, sac)?"),
        ("num_envs=3", "unknown key num_envs; did you mean sampling.num_envs"),
        ("algorithm=ppo", "--set algorithm: algorithm = 'ppo': must be a mapping, e.g. {name: ppo}"),
        ("algorithm=A2C", "algorithm = 'A2C': must be a mapping, e.g. {name: paac}"),
        ("algorithm=name:ppo", "algorithm = 'name:ppo': must be a mapping; write a space after the colon: name: ppo"),
        ("algorithm.optimizer=adam", "algorithm.optimizer = 'adam': must be a mapping, e.g. {name: adam}"),
        ("env=id:CartPole-v1", "env = 'id:CartPole-v1': must be a mapping; write a space after the colon: id: Cart"),
        ("network.recurrent=lstm", "must be a mapping with the keys cell, size, e.g. {cell: lstm}"),
        ("training.stop_when=400", "training.stop_when = 400: must be a mapping with the keys mean_return, episodes"),
        (
            "network.recurrent=gru",
            "network.recurrent = 'gru': must be a mapping with the keys cell, size, e.g. {cell: gru}",
        ),
        ("env.wrappers=TimeLimit", "env.wrappers = 'TimeLimit': must be a list, e.g. [TimeLimit]"),
        ("env.resize=84", "env.resize = 84: must be a list, e.g. [84, 84]"),
        ("network.hidden_sizes=128", "network.hidden_sizes = 128: must be a list, e.g. [128]"),
        ("lr=0.1", "unknown key lr; did you mean algorithm.learning_rate"),
        ("algorithm.lr=0.1", "unknown key algorithm.lr; did you mean algorithm.learning_rate?"),
        ("algorithm.update_epochs=4", "; num_epochs is a setting of ppo or nstep_q, not of paac"),
        ("algorithm.net_arch=[64]", "unknown key algorithm.net_arch; did you mean network.hidden_sizes?"),
        ("algorithm.policy_kwargs={}", "the network has a section of its own, e.g. network.hidden_sizes"),
        ("training.eval_freq=5", "unknown key training.eval_freq; did you mean training.evaluate_every?"),
        ("training.seed=5", "unknown key training.seed; did you mean seed?"),
        ("env.name=CartPole-v1", "unknown key env.name; valid keys: id"),
        ("training=1000", "training = 1000: must be a mapping with the keys total_steps, log_every"),
        ("training=1000", ", e.g. {total_steps: 1000}"),
        ("training.stop_when=400", "must be a mapping with the keys mean_return, episodes, e.g. {mean_return: 400}"),
        ("training.device=cuda:0", "must be 'auto', 'cpu' or 'gpu'; did you mean gpu?"),
        ("env.wrappers=[{nam: TimeLimit}]", "unknown key env.wrappers.0.nam; did you mean env.wrappers.0.name?"),
        ("env.wrappers=[3]", "env.wrappers.0 = 3: must be a mapping"),
    ],
)
def test_a_setting_in_another_place_or_form_is_explained(assignment, message):
    overrides = parse_assignments([assignment])
    assert message in error_message(load_config, MINIMAL, "here.yaml", overrides)


@pytest.mark.parametrize(
    ("name", "meant"), [("a2c", "paac"), ("A3C", "paac"), ("pqn", "nstep_q"), ("q-learning", "nstep_q")]
)
def test_the_usual_name_of_an_algorithm_suggests_its_name_here(name, meant):
    assert error_message(load, algorithm={"name": name}).endswith(f"; did you mean {meant}?")


def test_a_batch_size_is_explained_for_algorithms_without_one():
    for key in ("batch_size", "minibatch_size"):
        for algorithm in ("ppo", "nstep_q"):
            assert error_message(load, algorithm={"name": algorithm, key: 64}) == (
                f"--set algorithm: unknown key algorithm.{key}; {algorithm} has no batch_size: set "
                "algorithm.num_minibatches = num_envs x num_steps / 64"
            )
        assert error_message(load, algorithm={"name": "paac", key: 64}).endswith(
            "paac has no batch_size: it learns from whole rollouts of num_envs x num_steps"
        )
    text = error_message(load, algorithm={"name": "dqn", "minibatch_size": 64})
    assert text.endswith("did you mean algorithm.batch_size?")


def test_a_name_that_leaves_the_settings_of_another_section_says_how_to_replace_the_section():
    data = MINIMAL | {"algorithm": {"name": "ppo", "num_steps": 64, "clip_coef": 0.2, "gamma": 0.9}}
    overrides = {"algorithm.name": "dqn", "algorithm.gama": 1}
    left_over, typo = error_message(load_config, data, "my.yaml", overrides).splitlines()
    assert left_over == (
        "--set algorithm.name: dqn has no num_steps, clip_coef, which my.yaml sets for another algorithm; use "
        "--algorithm dqn, or --set 'algorithm={name: dqn}': this replaces the whole section"
    )
    assert typo == "--set algorithm.gama: unknown key algorithm.gama; did you mean algorithm.gamma?"
    data = MINIMAL | {"algorithm": {"name": "paac", "optimizer": {"name": "rmsprop", "decay": 0.9}}}
    text = error_message(load_config, data, "my.yaml", {"algorithm.optimizer.name": "adam"})
    assert text == (
        "--set algorithm.optimizer.name: adam has no decay, which my.yaml sets for another algorithm.optimizer; use "
        "--set 'algorithm.optimizer={name: adam}': this replaces the whole section"
    )


@pytest.mark.parametrize(
    ("assignment", "corrected"),
    [
        ("network.torsos={image:impala}", "network.torsos={image: impala}"),
        ("env.kwargs={size:5}", "env.kwargs={size: 5}"),
        ("training.stop_when={mean_return:5 , episodes: 3}", "training.stop_when={mean_return: 5 , episodes: 3}"),
        ("env.wrappers=[{name: A, kwargs: {a:1,b:http://c}}]", "env.wrappers=[{name: A, kwargs: {a: 1,b: http://c}}]"),
    ],
)
def test_a_missing_space_after_a_colon_is_named(assignment, corrected):
    assert error_message(parse_assignments, [assignment]) == (
        f"--set {assignment}: write a space after the colon: --set '{corrected}'"
    )


def test_a_key_with_a_colon_may_be_null():
    for value in ("{'a:1'}", "{'a:1': null}", "{a:1: null}", "{a:1: }"):
        assert parse_assignments([f"env.kwargs={value}"]) == {"env.kwargs": {"a:1": None}}


def test_kwargs_are_not_for_atari():
    assert "kwargs" in error_message(load, env__id="ALE/Pong-v5", env__kwargs={"mode": 1})


def test_hidden_sizes_are_for_mlp_only():
    text = error_message(load, network__torso="nips", network__hidden_sizes=[32])
    assert "hidden_sizes is for torso mlp, but torso is nips; remove hidden_sizes" in text


@pytest.mark.parametrize(("name", "value"), [("hidden_sizes", [32]), ("activation", "relu")])
def test_settings_of_mlp_are_valid_if_any_torso_is_mlp(name, value):
    network = {"torso": "a.b:make", name: value}
    text = error_message(load_config, {**MINIMAL, "network": network}, "here.yaml")
    remedy = f"remove {name}, or replace the section by --set 'network={{torso: a.b:make}}'"
    assert text == f"here.yaml: network: {name} is for torso mlp, but torso is a.b:make; {remedy}"
    network["torsos"] = {"camera": "impala"}
    text = error_message(load_config, {**MINIMAL, "network": network}, "here.yaml")
    assert text == f"here.yaml: network: {name} is for torso mlp, but torso is a.b:make and impala; remove {name}"
    assert load(network={**network, "torsos": {"camera": "mlp"}}).network.torsos == {"camera": "mlp"}


def test_a_separate_value_is_for_policies_with_a_value_and_without_a_cell():
    network = {"torso": "mlp", "separate_value": True}
    assert load(network=network, algorithm={"name": "ppo"}).network.separate_value
    text = error_message(load, network=network, algorithm={"name": "dqn"})
    assert "network.separate_value is for algorithms with a policy and a value, paac and ppo, not for dqn" in text
    text = error_message(load, network=network | {"recurrent": {"cell": "gru"}})
    assert "separate_value is not for recurrent networks; set separate_value to false" in text


def test_layer_norm_is_not_for_a_keras_model():
    text = error_message(load, network={"torso": "a:make", "layer_norm": True})
    assert "layer_norm is for built-in torsos, but torso is a:make" in text
    assert load(network={"torso": "a:make", "torsos": {"camera": "nips"}, "layer_norm": True}).network.layer_norm
    text = error_message(load, network={"torso": "a:make"}, algorithm={"name": "sac", "critic_layer_norm": True})
    assert "algorithm.critic_layer_norm is for built-in torsos, but network.torso is a:make" in text


def test_torsos_of_entries_are_unchanged_after_writing_and_reading():
    config = load(network__torsos={"arm.angles": "mlp", "0": "a.b:make"}, network__activation="relu")
    assert load_config(yaml_io.parse(to_yaml(config), "dumped"), "dumped") == config
    assert changed_settings(load(), config) == {
        "network.torsos.arm.angles": (None, "mlp"),
        "network.torsos.0": (None, "a.b:make"),
        "network.activation": (None, "relu"),
    }


@pytest.mark.parametrize("algorithm", ["paac", "ppo"])
def test_a_single_advantage_cannot_be_normalized(algorithm):
    """It would be 0, and nothing would be learned."""
    one = {"name": algorithm, "num_steps": 1, "normalize_advantage": True}
    one |= {"num_minibatches": 1} if algorithm == "ppo" else {}
    text = error_message(load, sampling__num_envs=1, algorithm=one)
    assert "normalize_advantage makes every advantage 0" in text
    assert text.endswith("or set normalize_advantage to false")
    for num_envs, settings in [(1, {"num_steps": 2}), (2, {}), (1, {"normalize_advantage": False})]:
        assert load(sampling__num_envs=num_envs, algorithm=one | settings)


def test_the_default_rule_set_of_atari_is_baselines():
    assert load(env__id="ALE/Pong-v5").env.protocol == "baselines"
    assert load().env.protocol is None


# --- overrides


def test_assignments_are_parsed_into_dotted_keys_and_yaml_values():
    assert parse_assignments(["a.b=1", "c=[1, 2e-3]", "d={e: x=y}", "f=", "g=null"]) == {
        "a.b": 1,
        "c": [1, 2e-3],
        "d": {"e": "x=y"},
        "f": None,
        "g": None,
    }


def test_the_last_assignment_of_a_key_wins():
    assert load_set("seed=2", "seed=3").seed == 3


def test_a_whole_section_of_an_algorithm_needs_its_name():
    """Otherwise it would be the default algorithm, whatever the preset has."""
    data = MINIMAL | {"algorithm": {"name": "ppo"}}
    text = error_message(load_config, data, "my.yaml", {"algorithm": {"learning_rate": 1e-3}})
    assert text.startswith("--set algorithm: replaces the whole section, so it needs a name, e.g. {name: ppo, gamma: ")


def test_a_whole_section_can_be_set():
    assert load_set("algorithm.optimizer={name: adam}").algorithm.optimizer == AdamConfig()


def test_a_key_of_an_absent_section_can_be_set():
    assert load_set("training.stop_when.mean_return=5").training.stop_when.mean_return == 5
    assert load_set("sampling.num_envs=5").sampling.num_envs == 5


def test_an_optional_section_can_be_set_to_null():
    with_stop = load_set("training.stop_when.mean_return=5")
    data = yaml_io.parse(to_yaml(with_stop), "dumped")
    assert load_config(data, "dumped", parse_assignments(["training.stop_when=null"])).training.stop_when is None


def test_overrides_do_not_modify_the_given_data():
    data = {**MINIMAL, "sampling": {"num_envs": 4}}
    load_config(data, "here.yaml", {"sampling.num_envs": 5, "training.total_steps": 7})
    assert data == {**MINIMAL, "sampling": {"num_envs": 4}}
    assert MINIMAL["training"] == {"total_steps": 100}


@pytest.mark.parametrize("assignment", ["seed", "", "=1", " =1", "env.id.x=1", "network.torso.x=1"])
def test_the_error_of_an_invalid_assignment_quotes_it(assignment):
    text = error_message(load_set, assignment)
    assert f"--set {assignment.strip().partition('=')[0]}" in text


@pytest.mark.parametrize("value", ["[1", "{a: 1, a: 2}", "*x", "!!python/name:os.system", "'", "\t- x", "a: b: c"])
def test_the_error_of_a_value_that_is_not_yaml_quotes_it(value):
    assert f"--set seed={value}" in error_message(parse_assignments, [f"seed={value}"])


# --- frozen


def test_configs_are_immutable():
    config = load()
    for model, field in [(config, "seed"), (config.training, "total_steps"), (config.algorithm.optimizer, "decay")]:
        with pytest.raises(ValidationError):
            setattr(model, field, 1)


# --- writing and reading


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_unchanged_after_writing_and_reading(name):
    config = read_config(find_preset(name))
    text = to_yaml(config)
    again = load_config(yaml_io.parse(text, "dumped"), "dumped")
    assert again == config
    assert to_yaml(again) == text


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"a": [1, {"b": None}]},
        {"a": "1e-4", "b": "null", "c": "2020-01-01", "d": "é: #"},
        {"a": 0.1 + 0.2},
        {"a": 1e16, "b": -0.0, "c": "Infinity", "d": "NaN"},
        {"next line": "a\x85b", "line": "a\u2028b\u2029", "mark": "\ufeff", "controls": "\x00\x07\x1b[31m\x7f\r\n \t"},
        {"a\x85b": {"": "\n"}},
    ],
)
def test_kwargs_are_unchanged_after_writing_and_reading(kwargs):
    config = load(env__kwargs=kwargs)
    again = load_config(yaml_io.parse(to_yaml(config), "dumped"), "dumped")
    assert again == config
    assert repr(again.env.kwargs) == repr(kwargs)  # 1e16 is no 10000000000000000


@pytest.mark.parametrize("kwargs", [{"a": "\ud800"}, {"\udcff": 1}, {"a": [{"b": "x\udfff"}]}])
def test_text_of_kwargs_that_no_file_can_hold_is_rejected(kwargs):
    """Such characters come from arguments on the command line that are not UTF-8."""
    text = error_message(load, env__kwargs=kwargs)
    assert "kwargs must be text that UTF-8 can represent, which '\\ud" in text


@pytest.mark.parametrize("value", [date(2020, 1, 1), {"a"}, b"\xff", float("inf")], ids=lambda v: type(v).__name__)
def test_a_value_of_kwargs_is_unchanged_after_writing_and_reading_or_rejected(value):
    """YAML has types that the JSON of a checkpoint cannot hold; a resumed run must have the same config."""
    try:
        config = load(env__kwargs={"a": value})
    except ConfigError as error:
        assert "env.kwargs" in str(error)
    else:
        assert load_config(yaml_io.parse(to_yaml(config), "dumped"), "dumped") == config
