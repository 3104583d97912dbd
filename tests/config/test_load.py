"""From text and overrides to a checked config: what people write is understood, what cannot run is named."""

import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from paac_cli.config import yaml_io
from paac_cli.config.algorithms import AdamConfig, RmsPropConfig
from paac_cli.config.base import ConfigModel
from paac_cli.config.load import changed_settings, load_config, parse_assignments, read_config, to_yaml
from paac_cli.config.presets import find_preset, preset_names
from paac_cli.config.schema import FREE_ON_RESUME, RunConfig
from paac_cli.errors import ConfigError

MINIMAL = {"env": {"id": "CartPole-v1"}, "network": {"torso": "mlp"}, "training": {"total_steps": 100}}


def load(**overrides):
    """The minimal config with overrides, `__` for the dot."""
    return load_config(MINIMAL, "here.yaml", {key.replace("__", "."): value for key, value in overrides.items()})


def load_set(*assignments):
    """The minimal config with `--set` assignments."""
    return load_config(MINIMAL, "here.yaml", parse_assignments(assignments))


def message(function, *args, **kwargs):
    """What the ConfigError says that `function` raises."""
    with pytest.raises(ConfigError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


# --- numbers as people write them


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("7e-4", 7e-4), ("1E-4", 1e-4), ("0.0007", 7e-4), (".5e-3", 5e-4), ("+7e-4", 7e-4), ("1", 1.0)],
)
def test_floats_are_numbers_in_every_spelling(text, value):
    assert load_set(f"algorithm.learning_rate={text}").algorithm.learning_rate == value


@pytest.mark.parametrize(
    ("text", "value"), [("80_000_000", 80_000_000), ("1e6", 1_000_000), ("2.5e6", 2_500_000), ("250000", 250_000)]
)
def test_integers_are_numbers_in_every_spelling(text, value):
    total_steps = load_set(f"training.total_steps={text}").training.total_steps
    assert total_steps == value
    assert isinstance(total_steps, int)


def test_a_fraction_is_no_integer():
    assert "training.total_steps = 1.5" in message(load_set, "training.total_steps=1.5")


@pytest.mark.parametrize("text", [".nan", ".inf", "1e999"])
def test_only_finite_numbers_are_taken(text):
    assert "algorithm.learning_rate" in message(load_set, f"algorithm.learning_rate={text}")


@pytest.mark.parametrize(
    "key", ["seed", "sampling.num_envs", "sampling.num_workers", "training.total_steps", "algorithm.learning_rate"]
)
def test_true_is_no_number(key):
    assert key in message(load_set, f"{key}=true")


# --- errors name the source, the key, the value, what is allowed, and the nearest


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
def test_an_unknown_key_is_named_with_its_source_and_the_nearest(assignment, key, near):
    text = message(load_set, assignment)
    assert f"--set {assignment.partition('=')[0]}: unknown key {key};" in text
    assert near in text.partition("did you mean")[2]


def test_the_nearest_key_is_one_that_would_be_taken():
    """`decay` belongs to rmsprop, so it is no advice to someone who wrote it under adam."""
    text = message(load_set, "algorithm.optimizer={name: adam, decay: 0.9}")
    assert "unknown key algorithm.optimizer.decay" in text
    assert "decay" not in text.partition("did you mean")[2]


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("sampling.num_envs=0", "sampling.num_envs = 0: "),
        ("sampling.num_envs=many", "sampling.num_envs = 'many': "),
        ("sampling.num_workers=0", "sampling.num_workers = 0: "),
        ("sampling.num_workers=all", "sampling.num_workers = 'all': "),
        ("algorithm.gamma=1.5", "algorithm.gamma = 1.5: "),
        ("algorithm.num_steps=-1", "algorithm.num_steps = -1: "),
        ("algorithm.optimizer={name: adam, beta_1: 1}", "algorithm.optimizer.beta_1 = 1"),
        ("algorithm.optimizer=adam", "algorithm.optimizer = 'adam': "),
        ("algorithm.optimizer={name: sgd}", "algorithm.optimizer: "),
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
def test_a_wrong_value_is_named_in_one_line_with_its_source_and_key(assignment, said):
    text = message(load_set, assignment)
    assert text.startswith(f"--set {assignment.partition('=')[0]}: {said}")
    assert "\n" not in text


def test_what_the_file_says_is_blamed_on_the_file_and_what_a_flag_says_on_the_flag():
    wrong = MINIMAL | {"sampling": {"num_envs": 0}}
    assert message(load_config, wrong, "here.yaml").startswith("here.yaml: sampling.num_envs = 0")
    text = message(load_config, MINIMAL, "here.yaml", {"sampling.num_envs": 0}, {"sampling.num_envs": "--num-envs"})
    assert text.startswith("--num-envs: sampling.num_envs = 0")


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
def test_an_unknown_name_is_answered_with_all_names_and_the_nearest(key, wrong, right):
    text = message(load_set, f"{key}={wrong}")
    assert f"{key} = {wrong!r}" in text
    assert right in text.partition("did you mean")[2]


@pytest.mark.parametrize("section", ["env", "network", "training"])
def test_a_missing_section_is_named(section):
    assert message(load_config, {**MINIMAL, section: {}}, "here.yaml").endswith(" is missing")
    data = {name: value for name, value in MINIMAL.items() if name != section}
    assert message(load_config, data, "here.yaml") == f"here.yaml: {section} is missing"


def test_all_that_is_wrong_is_said_at_once():
    text = message(load, sampling__num_envs=0, algorithm__gamma=2)
    assert "sampling.num_envs" in text
    assert "algorithm.gamma" in text


@pytest.mark.parametrize("data", [None, 3, "text", [], [MINIMAL]])
def test_a_preset_must_be_a_mapping(data):
    assert "here.yaml: a preset is a mapping" in message(load_config, data, "here.yaml")


# --- combinations that cannot be


def test_more_workers_than_environments_are_refused():
    text = message(load, sampling__num_envs=2, sampling__num_workers=3)
    assert "num_workers (3) must not exceed num_envs (2)" in text
    assert load(sampling__num_envs=3, sampling__num_workers=3).sampling.num_workers == 3


def test_a_protocol_is_for_atari_only():
    text = message(load, env__protocol="baselines")
    assert "baselines" in text
    assert "CartPole-v1" in text


def test_kwargs_are_not_for_atari():
    assert "kwargs" in message(load, env__id="ALE/Pong-v5", env__kwargs={"mode": 1})


def test_hidden_sizes_are_for_mlp_only():
    text = message(load, network__torso="nips", network__hidden_sizes=[32])
    assert "hidden_sizes is for torso mlp, and torso is nips" in text


@pytest.mark.parametrize(("name", "value"), [("hidden_sizes", [32]), ("activation", "relu")])
def test_what_is_for_mlp_only_is_taken_where_any_torso_is_one(name, value):
    network = {"torso": "a.b:make", name: value}
    text = message(load_config, {**MINIMAL, "network": network}, "here.yaml")
    assert text == f"here.yaml: network: {name} is for torso mlp, and torso is a.b:make"
    network["torsos"] = {"camera": "impala"}
    text = message(load_config, {**MINIMAL, "network": network}, "here.yaml")
    assert text == f"here.yaml: network: {name} is for torso mlp, and torso is a.b:make and impala"
    assert load(network={**network, "torsos": {"camera": "mlp"}}).network.torsos == {"camera": "mlp"}


def test_layer_norm_is_not_for_a_model_from_outside():
    text = message(load, network={"torso": "a:make", "layer_norm": True})
    assert "layer_norm is for the torsos of this project, and torso is a:make" in text
    assert load(network={"torso": "a:make", "torsos": {"camera": "nips"}, "layer_norm": True}).network.layer_norm


def test_torsos_of_parts_survive_being_written_and_read():
    config = load(network__torsos={"arm.angles": "mlp", "0": "a.b:make"}, network__activation="relu")
    assert load_config(yaml_io.parse(to_yaml(config), "dumped"), "dumped") == config
    assert changed_settings(load(), config) == {
        "network.torsos": ({}, None),
        "network.torsos.arm.angles": (None, "mlp"),
        "network.torsos.0": (None, "a.b:make"),
        "network.activation": (None, "relu"),
    }


def test_an_atari_id_gets_the_protocol_that_is_the_default():
    assert load(env__id="ALE/Pong-v5").env.protocol == "baselines"
    assert load().env.protocol is None


# --- overrides


def test_assignments_are_dotted_keys_and_yaml_values():
    assert parse_assignments(["a.b=1", "c=[1, 2e-3]", "d={e: x=y}", "f=", "g=null"]) == {
        "a.b": 1,
        "c": [1, 2e-3],
        "d": {"e": "x=y"},
        "f": None,
        "g": None,
    }


def test_the_last_assignment_of_a_key_wins():
    assert load_set("seed=2", "seed=3").seed == 3


def test_a_whole_section_can_be_set():
    assert load_set("algorithm.optimizer={name: adam}").algorithm.optimizer == AdamConfig()


def test_a_key_of_an_absent_section_can_be_set():
    assert load_set("training.stop_when.mean_return=5").training.stop_when.mean_return == 5
    assert load_set("sampling.num_envs=5").sampling.num_envs == 5


def test_a_section_can_be_set_to_nothing():
    with_stop = load_set("training.stop_when.mean_return=5")
    data = yaml_io.parse(to_yaml(with_stop), "dumped")
    assert load_config(data, "dumped", parse_assignments(["training.stop_when=null"])).training.stop_when is None


def test_overrides_leave_the_given_data_alone():
    data = {**MINIMAL, "sampling": {"num_envs": 4}}
    load_config(data, "here.yaml", {"sampling.num_envs": 5, "training.total_steps": 7})
    assert data == {**MINIMAL, "sampling": {"num_envs": 4}}
    assert MINIMAL["training"] == {"total_steps": 100}


@pytest.mark.parametrize("assignment", ["seed", "", "=1", " =1", "env.id.x=1", "network.torso.x=1"])
def test_a_bad_assignment_is_quoted(assignment):
    text = message(load_set, assignment)
    assert f"--set {assignment.strip().partition('=')[0]}" in text


@pytest.mark.parametrize("value", ["[1", "{a: 1, a: 2}", "*x", "!!python/name:os.system", "'", "\t- x", "a: b: c"])
def test_a_value_that_is_no_yaml_is_quoted(value):
    assert f"--set seed={value}" in message(parse_assignments, [f"seed={value}"])


# --- frozen


def test_configs_cannot_be_changed():
    config = load()
    for model, field in [(config, "seed"), (config.training, "total_steps"), (config.algorithm.optimizer, "decay")]:
        with pytest.raises(ValidationError):
            setattr(model, field, 1)


# --- out and in again


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_survives_being_written_and_read(name):
    config = read_config(find_preset(name))
    text = to_yaml(config)
    again = load_config(yaml_io.parse(text, "dumped"), "dumped")
    assert again == config
    assert to_yaml(again) == text


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"a": [1, {"b": None}]}, {"a": "1e-4", "b": "null", "c": "2020-01-01", "d": "é: #"}, {"a": 0.1 + 0.2}],
)
def test_kwargs_survive_being_written_and_read(kwargs):
    config = load(env__kwargs=kwargs)
    assert load_config(yaml_io.parse(to_yaml(config), "dumped"), "dumped") == config


@pytest.mark.parametrize("value", [date(2020, 1, 1), {"a"}, b"\xff", float("inf")], ids=lambda v: type(v).__name__)
def test_a_value_survives_or_is_refused(value):
    """YAML can say more than a checkpoint's JSON can hold; a run must not come back as another one."""
    try:
        config = load(env__kwargs={"a": value})
    except ConfigError as error:
        assert "env.kwargs" in str(error)
    else:
        assert load_config(yaml_io.parse(to_yaml(config), "dumped"), "dumped") == config


# --- what may change on resume


def test_equal_configs_do_not_differ():
    assert changed_settings(load(), load()) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sampling.num_workers", 2),
        ("training.total_steps", 200),
        ("training.log_every", 1),
        ("training.checkpoint_every", 1),
        ("training.keep_checkpoints", 1),
        ("training.stop_when", {"mean_return": 1.0}),
        ("training.device", "cpu"),
        ("training.deterministic", False),
    ],
)
def test_what_does_not_shape_learning_may_change(key, value):
    assert key in FREE_ON_RESUME
    changed = load_config(MINIMAL, "here.yaml", {key: value})
    assert changed != load()
    assert changed_settings(load(), changed) == {}


def test_every_free_key_exists():
    for key in FREE_ON_RESUME:
        section, _, name = key.partition(".")
        assert name in RunConfig.model_fields[section].annotation.model_fields


def test_what_shapes_learning_is_reported_with_both_values():
    changed = load(seed=2, sampling__num_envs=8, training__log_every=3, network__hidden_sizes=[32])
    assert changed_settings(load(), changed) == {
        "seed": (1, 2),
        "sampling.num_envs": (32, 8),
        "network.hidden_sizes": ([64, 64], [32]),
    }


def test_another_optimizer_is_reported_key_by_key():
    found = changed_settings(load(), load(algorithm__optimizer={"name": "adam"}))
    assert found["algorithm.optimizer.name"] == ("rmsprop", "adam")
    assert found["algorithm.optimizer.beta_1"] == (None, 0.9)
    assert found["algorithm.optimizer.decay"] == (RmsPropConfig().decay, None)
    assert all(key.startswith("algorithm.optimizer.") for key in found)


@pytest.mark.parametrize("kwargs", [{"a": 1}, {"a": None}, {"a": {"b": 1}}])
def test_other_kwargs_are_reported(kwargs):
    assert changed_settings(load(), load(env__kwargs=kwargs))
    assert changed_settings(load(env__kwargs={"z": 1, **kwargs}), load(env__kwargs={"z": 1}))


# --- files that are no presets

BAD_FILES = {
    "empty": b"",
    "only a comment": b"# nothing\n",
    "a list": b"- seed: 1\n",
    "a word": b"pong\n",
    "a tab for indentation": b"env:\n\tid: x\n",
    "a key twice": b"seed: 1\nseed: 2\n",
    "a key twice, one quoted": b"seed: 1\n'seed': 2\n",
    "an alias": b"a: &x {b: 1}\nc: *x\n",
    "an alias of itself": b"&x [*x]\n",
    "a billion laughs": b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n",
    "deep flow": b"[" * 5_000,
    "deep mappings": b"{a: " * 5_000,
    "deep blocks": b"- " * 5_000,
    "an unknown tag": b"seed: !thing 1\n",
    "a python tag": b"seed: !!python/object/apply:os.system ['true']\n",
    "two documents": b"seed: 1\n---\nseed: 2\n",
    "not UTF-8": b"seed: \xff\xfe\n",
    "a null byte": b"seed: \x00\n",
    "too large": b"#" * 1_000_001,
    "a long number": b"seed: " + b"1" * 5_000 + b"\n",
    "no such day": b"seed: 2001-02-30\n",
    "an unhashable key": b"? [a]\n: b\n",
    "a mapping tag on a list": b"!!map [a, b]\n",
    "a set tag on a list": b"seed: !!set [a]\n",
    "an integer tag on nothing": b"seed: !!int ''\n",
    "a float tag on nothing": b"seed: !!float ''\n",
    "a key twice, written differently": b"env: {1: a, 0x1: b}\n",
    "a merge": b"<<: {seed: 1}\n",
    "a long number of sixtieths": b"seed: 1" + b":59" * 5_000 + b"\n",
    "a long number in hexadecimal": b"seed: 0x" + b"f" * 5_000 + b"\n",
    "ten megabytes": b"seed: 1\n" * 1_300_000,
    "a thousand lists": b"[" + b"[]," * 15_000 + b"]\n",
    "a thousand mappings": b"[" + b"{a: 1}," * 7_000 + b"]\n",
    "a thousand keys": b"".join(b"k%d: 1\n" % number for number in range(1_900)),
    "a thousand layers": b"network: {torso: mlp, hidden_sizes: [" + b"9," * 3_500 + b"]}\n",
    "a thousand wrong layers": b"network: {torso: mlp, hidden_sizes: [" + b"x," * 3_500 + b"]}\n",
    "a thousand torsos": b"network: {torso: mlp, torsos: {%s}}\n" % b",".join(b"a%d: x" % n for n in range(1_900)),
    "a long word": b"network: {torso: " + b"mlp" * 15_000 + b"}\n",
    "a bool tag on a word": b"seed: !!bool maybe\n",
    "a timestamp tag on a word": b"seed: !!timestamp now\n",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_preset_is_refused_by_name_and_quickly(name, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_bytes(BAD_FILES[name])
    start = time.process_time()
    told = message(read_config, path)
    assert time.process_time() - start < 1.0
    assert told.startswith(str(path))
    assert len(told) < 20_000


def test_a_yaml_error_says_the_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("seed: 1\nenv: [\n")
    assert message(read_config, path).startswith(f"{path}:3: ")
    path.write_text("seed: 1\nenv: {}\nseed: 2\n")
    assert message(read_config, path) == f"{path}:3: not readable as YAML: key 'seed' appears twice"


def test_a_file_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "missing.yaml", tmp_path):
        assert message(read_config, path).startswith(f"{path}: cannot be read: ")


# --- every field explains itself


def config_classes(base=ConfigModel):
    for model in base.__subclasses__():
        yield model
        yield from config_classes(model)


@pytest.mark.parametrize("model", list(config_classes()), ids=lambda model: model.__name__)
def test_every_class_and_every_field_has_a_description(model):
    assert model.__doc__
    for name, field in model.model_fields.items():
        annotation = field.annotation
        is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)  # its class describes it
        assert field.description or is_section, f"{model.__name__}.{name} has no description"


# --- whatever comes, only ConfigError goes

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = sorted({name for model in config_classes() for name in model.model_fields})
SECTIONS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), PLAIN, max_size=5)
NEARLY = st.fixed_dictionaries(
    {}, optional={name: SECTIONS | PLAIN for name in RunConfig.model_fields} | {"other": PLAIN}
)


@settings(max_examples=300, deadline=None)
@given(PLAIN | SECTIONS | NEARLY)
def test_any_plain_data_loads_or_raises_config_error(data):
    try:
        load_config(data, "any")
    except ConfigError as error:
        assert str(error).startswith("any: ")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(KEYS), st.sampled_from(sorted(RunConfig.model_fields)), PLAIN)
def test_any_value_of_any_key_loads_or_raises_config_error(key, section, value):
    try:
        load_config(MINIMAL, "any", {f"{section}.{key}": value})
    except ConfigError as error:
        assert str(error)


YAMLISH = st.text(st.sampled_from(list("ab1_.e+-:,[]{}&*!|>%@`'\"#?= \t\n~<")), max_size=40)
TAGGED = st.builds(
    "!!{} {}".format,
    st.sampled_from(["map", "seq", "set", "omap", "pairs", "str", "int", "float", "bool", "null", "binary"]),
    st.text(st.sampled_from(list("ab1_.e+-:,[]{}'\" ")), max_size=8),
)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60) | YAMLISH | TAGGED)
def test_any_text_parses_or_raises_config_error(text):
    try:
        yaml_io.parse(text, "any")
    except ConfigError as error:
        assert str(error).startswith("any")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=20) | st.builds("{}={}".format, st.sampled_from(KEYS), YAMLISH), max_size=3))
def test_any_assignments_load_or_raise_config_error(assignments):
    try:
        load_set(*assignments)
    except ConfigError as error:
        assert str(error)
