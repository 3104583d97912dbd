"""Elements of Gymnasium spaces are converted to arrays, and arrays to valid actions."""

import json
import re
import warnings

import numpy as np
import pytest
from gymnasium import Env, spaces
from gymnasium.wrappers import FilterObservation

from paac_cli.envs.spaces import ActionTranslator, ObservationTranslator
from paac_cli.errors import EnvironmentSpecError
from paac_cli.spec import ActionSpec, ObsPart
from toy_envs import ACTION_SPACES, OBSERVATION_SPACES

FLOAT, BYTE = np.dtype(np.float32), np.dtype(np.uint8)


def observe(space, obs):
    """The array that `obs` is converted to."""
    translator = ObservationTranslator(space, 1, "Toy-v0")
    assert space.contains(obs)
    out = np.full(translator.shape, 99, translator.dtype)
    translator.write(obs, out)
    return out


def act(name, numbers):
    """The element of `ACTION_SPACES[name]` that `numbers` are converted to, as a list."""
    space = ACTION_SPACES[name]
    translator = ActionTranslator(space, "Toy-v0")
    action = np.array(numbers, translator.spec.dtype)
    assert action.shape == translator.spec.shape
    translated = translator.translate(action)
    assert isinstance(translated, np.ndarray)
    assert translated.dtype == space.dtype
    assert space.contains(translated)
    return translated.tolist()


# Observations


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64, np.bool_])
def test_a_box_is_copied(dtype):
    space = spaces.Box(0, 1, (2, 3), dtype)
    translator = ObservationTranslator(space, 1, "Toy-v0")
    assert (translator.shape, translator.dtype, translator.parts) == ((2, 3), np.dtype(dtype), ())
    obs = space.sample()
    assert observe(space, obs).tolist() == obs.tolist()


def test_a_scalar_becomes_a_vector_of_length_1():
    """A row of shared memory needs at least one axis."""
    assert observe(OBSERVATION_SPACES["number"], np.array(0.25, np.float32)).tolist() == [0.25]


def test_a_discrete_value_is_one_hot_relative_to_its_start():
    space = OBSERVATION_SPACES["choice"]  # -1, 0, 1 or 2
    assert observe(space, np.int64(-1)).tolist() == [1, 0, 0, 0]
    assert observe(space, np.int64(2)).tolist() == [0, 0, 0, 1]
    assert ObservationTranslator(space, 1, "Toy-v0").dtype == FLOAT


def test_multi_discrete_values_are_concatenated_one_hot_vectors():
    assert observe(OBSERVATION_SPACES["choices"], np.array([6, 2])).tolist() == [0, 1, 0, 0, 1]
    grid = np.array([[1, 0], [3, 1]])  # of 2, 3, 4 and 2
    assert observe(OBSERVATION_SPACES["grid of choices"], grid).tolist() == [0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1]


def test_multi_binary_values_are_flattened_row_by_row():
    assert observe(OBSERVATION_SPACES["buttons"], np.array([[1, 0], [1, 1]], np.int8)).tolist() == [1, 0, 1, 1]


def test_the_entries_of_a_tuple_are_concatenated():
    space = OBSERVATION_SPACES["pair"]
    assert observe(space, (np.int64(1), np.float32([-0.5, 0.25]))).tolist() == [0, 1, 0, -0.5, 0.25]
    assert ObservationTranslator(space, 1, "Toy-v0").parts == (ObsPart("0", (3,), False), ObsPart("1", (2,), False))


def test_the_entries_of_a_nested_dict_are_concatenated_in_the_order_of_the_keys():
    """uint8 entries beside float entries become floats from 0 to 255; `is_bytes` marks them."""
    space = OBSERVATION_SPACES["robot"]
    translator = ObservationTranslator(space, 1, "Toy-v0")
    assert translator.parts == (
        ObsPart("arm.angles", (3,), False),
        ObsPart("arm.grip", (2,), False),
        ObsPart("camera", (2, 2, 3), True),
        ObsPart("legs.0", (2,), False),
        ObsPart("legs.1", (), False),
        ObsPart("mode", (3,), False),  # uint8 in the space, but written one-hot
    )
    assert (translator.shape, translator.dtype) == ((3 + 2 + 12 + 2 + 1 + 3,), FLOAT)
    obs = {
        "mode": np.uint8(2),
        "legs": (np.int8([0, 1]), np.array(0.5, np.float32)),
        "camera": np.arange(244, 256, dtype=np.uint8).reshape(2, 2, 3),
        "arm": {"grip": np.int64(0), "angles": np.float32([-3, 0, 3])},
    }
    assert observe(space, obs).tolist() == [-3, 0, 3, 1, 0, *range(244, 256), 0, 1, 0.5, 0, 0, 1]


def test_a_vector_of_uint8_entries_alone_is_uint8():
    space = OBSERVATION_SPACES["bytes"]
    translator = ObservationTranslator(space, 1, "Toy-v0")
    assert (translator.shape, translator.dtype) == ((10,), BYTE)
    assert translator.parts == (ObsPart("memory", (4,), True), ObsPart("screen", (2, 3), True))
    obs = {"screen": np.uint8([[5, 6, 7], [8, 9, 255]]), "memory": np.uint8([1, 2, 3, 4])}
    assert observe(space, obs).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 255]


@pytest.mark.parametrize("name", OBSERVATION_SPACES)
def test_the_parts_cover_the_whole_vector(name):
    translator = ObservationTranslator(OBSERVATION_SPACES[name], 1, "Toy-v0")
    if translator.parts:
        assert translator.shape == (sum(int(np.prod(part.shape)) for part in translator.parts),)


@pytest.mark.parametrize(
    ("space", "where"),
    [
        (spaces.Text(5), r"Text\(.*\) is not"),
        (spaces.Tuple([spaces.Discrete(2), spaces.Text(5)]), r"Text\(.*\) \(at 1\)"),
        (spaces.Dict({"a": spaces.Dict({"b": spaces.Sequence(spaces.Discrete(2))})}), r"Sequence\(.*\) \(at a\.b\)"),
    ],
)
def test_the_error_of_an_unsupported_observation_space_names_it(space, where):
    with pytest.raises(EnvironmentSpecError, match=rf"^Toy-v0: observation space {where}"):
        ObservationTranslator(space, 1, "Toy-v0")


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 1, (0,)),
        spaces.Box(0, 255, (0, 84, 3), np.uint8),
        spaces.Dict(),
        spaces.Tuple([]),
        spaces.Dict({"a": spaces.Box(0, 1, (0,)), "b": spaces.MultiDiscrete([])}),
    ],
)
def test_an_observation_without_elements_is_rejected(space):
    with pytest.raises(EnvironmentSpecError, match=r"^Toy-v0: observation space .* has no elements; give it at least"):
        ObservationTranslator(space, 1, "Toy-v0")


def test_parts_without_elements_are_allowed_beside_others():
    space = spaces.Dict({"a": spaces.Box(0, 1, (0,)), "b": spaces.Discrete(2)})
    assert observe(space, {"a": np.zeros(0, np.float32), "b": np.int64(1)}).tolist() == [0, 1]


def test_keys_may_have_dots_unless_two_names_become_the_same():
    dotted = spaces.Dict({"a.b": spaces.Discrete(2), "a": spaces.Dict({"c": spaces.Discrete(2)})})
    assert [part.name for part in ObservationTranslator(dotted, 1, "Toy-v0").parts] == ["a.c", "a.b"]
    twice = spaces.Dict({"a.b": spaces.Discrete(2), "a": spaces.Dict({"b": spaces.Discrete(2)})})
    with pytest.raises(EnvironmentSpecError, match=r"^Toy-v0: two entries of an observation have the .* name 'a\.b'"):
        ObservationTranslator(twice, 1, "Toy-v0")


@pytest.mark.parametrize("dtype", [">f4", ">i2", ">u4"])
def test_numbers_in_another_byte_order_are_converted(dtype):
    """TensorFlow takes only the order of the machine."""
    space = spaces.Box(0, 100, (2,), np.float32)
    space.dtype = np.dtype(dtype)
    translator = ObservationTranslator(space, 1, "Toy-v0")
    assert translator.dtype == np.dtype(dtype).newbyteorder("=")
    out = np.zeros(2, translator.dtype)
    translator.write(np.array([1, 2], dtype), out)
    assert out.tolist() == [1, 2]


# Actions


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("choices", ActionSpec((3,), (3, 2, 4))),
        ("grid of choices", ActionSpec((6,), (2, 3, 2, 4, 2, 5))),
        ("buttons", ActionSpec((3,), (2, 2, 2))),
        ("grid of buttons", ActionSpec((4,), (2, 2, 2, 2))),
        ("bounded", ActionSpec((2,), ())),
        ("grid", ActionSpec((6,), ())),
        ("scalar", ActionSpec((1,), ())),
    ],
)
def test_actions_are_vectors_of_int32_or_float32(name, spec):
    found = ActionTranslator(ACTION_SPACES[name], "Toy-v0").spec
    assert found == spec
    assert found.dtype == (np.int32 if spec.choices else np.float32)
    assert found.num_actions is None
    assert all(type(number) is int for number in found.choices + found.shape)


def test_choices_are_relative_to_their_start():
    assert act("choices", [2, 0, 3]) == [2, 0, 3]
    assert act("choices with a start", [0, 0]) == [1, -5]
    assert act("choices with a start", [2, 1]) == [3, -4]
    assert act("uint8 choices", [2, 1]) == [2, 1]


def test_an_action_of_two_axes_is_filled_row_by_row():
    assert act("grid of choices", [1, 2, 0, 3, 1, 4]) == [[1, 2, 0], [3, 1, 4]]
    assert act("grid of buttons", [1, 0, 0, 1]) == [[1, 0], [0, 1]]
    assert act("grid", [-1, -0.5, 0, 0.25, 0.5, 1]) == [[-1, -0.5, 0], [0.25, 0.5, 1]]


def test_minus_one_and_one_are_the_bounds_and_actions_are_clipped_to_them():
    assert act("bounded", [-1, -1]) == [-2, 0]
    assert act("bounded", [1, 1]) == [2, 10]
    assert act("bounded", [0, 0]) == [0, 5]
    assert act("bounded", [0.5, -0.5]) == [1, 2.5]
    assert act("bounded", [-7, 1.25]) == [-2, 10]
    assert act("scalar", [0.5]) == 3
    assert act("float16", [-1, 0.5]) == [-1, 2]


def test_float64_bounds_keep_their_precision():
    assert act("float64", [-1, 1]) == [pytest.approx(-0.1, rel=1e-15), pytest.approx(0.3, rel=1e-15)]
    assert act("float64", [-2, 2]) == [-0.1, 0.3]


def test_actions_without_bounds_are_not_scaled():
    assert act("unbounded", [-1234.5, 0.25]) == [-1234.5, 0.25]


def test_actions_with_one_bound_are_not_scaled_and_clipped_to_it():
    assert act("half bounded", [-0.5, -7, 0.5]) == [0, -7, 2]
    assert act("half bounded", [3, 0.75, -1]) == [3, 0.5, -4]


def test_bounds_whose_difference_overflows_count_as_no_bounds():
    assert act("all of float32", [0, -7.25]) == [0, -7.25]


@pytest.mark.parametrize("name", [name for name in ACTION_SPACES if name not in ("integer box", "empty")])
def test_converting_an_action_gives_no_warning(name):
    """Each worker would print the warnings of NumPy or Gymnasium."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shape = ActionTranslator(ACTION_SPACES[name], "Toy-v0").spec.shape
        act(name, np.zeros(shape))


@pytest.mark.parametrize("name", ["integer box", "empty"])
def test_the_error_of_an_unsupported_action_space_names_it(name):
    with pytest.raises(
        EnvironmentSpecError, match=r"^Toy-v0: action space Box\(.*\) is not supported; use Discrete, Multi"
    ):
        ActionTranslator(ACTION_SPACES[name], "Toy-v0")


def test_a_bound_of_an_action_that_is_nan_is_rejected():
    space = spaces.Box(-1, 1, (2,))
    space.high[1] = np.nan
    with pytest.raises(EnvironmentSpecError, match=r"^Toy-v0: a bound of the action space Box\(.*\) is NaN$"):
        ActionTranslator(space, "Toy-v0")


@pytest.mark.parametrize("space", [spaces.MultiDiscrete([]), spaces.Box(-1, 1, (0, 2)), spaces.Box(-1, 1, (2, 0))])
def test_an_action_without_elements_is_rejected(space):
    with pytest.raises(EnvironmentSpecError, match=r"is not supported; .* of at least one element$"):
        ActionTranslator(space, "Toy-v0")


@pytest.mark.parametrize(
    ("observations", "kept"),
    [
        (
            spaces.Dict(image=spaces.Box(0, 1, (2,)), mission=spaces.Text(5), turn=spaces.Discrete(4)),
            '["image", "turn"]',
        ),
        (spaces.Dict(a=spaces.Dict(b=spaces.Text(5), c=spaces.Discrete(2)), d=spaces.Discrete(4)), '["d"]'),
        (spaces.Tuple([spaces.Discrete(2), spaces.Text(5)]), "[0]"),
    ],
)
def test_the_error_of_an_unsupported_entry_names_the_wrapper_that_removes_it(observations, kept):
    with pytest.raises(
        EnvironmentSpecError, match=r"^Toy-v0: observation space Text\(.*\) is not supported; "
    ) as caught:
        ObservationTranslator(observations, 1, "Toy-v0")
    (setting,) = re.findall(r"; --set '(.*)' keeps only the supported entries$", str(caught.value))
    assert setting == f"env.wrappers=[{{name: FilterObservation, kwargs: {{filter_keys: {kept}}}}}]"
    env = Env()
    env.observation_space = observations
    filtered = FilterObservation(env, json.loads(kept))
    assert ObservationTranslator(filtered.observation_space, 1, "Toy-v0").parts


@pytest.mark.parametrize("observations", [spaces.Text(5), spaces.Dict(words=spaces.Text(5))])
def test_no_wrapper_is_named_where_it_would_leave_nothing(observations):
    with pytest.raises(EnvironmentSpecError, match=r"is not supported; use Box, .* Dict and Tuple of them$"):
        ObservationTranslator(observations, 1, "Toy-v0")
