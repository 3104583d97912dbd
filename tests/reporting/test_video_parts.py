"""The parts of a video: text, curve, bars, the network's input, and where all of it is."""

from types import SimpleNamespace

import numpy as np
import pytest

from paac_cli.config.env import EnvConfig
from paac_cli.envs.make import describe_env
from paac_cli.reporting import drawing, panel
from paac_cli.reporting.action_bars import ActionBars
from paac_cli.reporting.network_view import NetworkView
from paac_cli.reporting.panel import GameMoment, Panel
from paac_cli.reporting.stages import GameStyle, GridStage, PanelStage, make_stage, natural_size
from paac_cli.spec import ActionSpec, EnvSpec, ImageSpec, ObsPart, discrete_action

PONG = EnvConfig(id="ALE/Pong-v5", protocol="baselines")
CARTPOLE = EnvConfig(id="CartPole-v1")
PONG_SPEC = describe_env(PONG)


def spec_of(obs_shape, action=None, dtype=np.float32, **more):
    return EnvSpec(obs_shape, np.dtype(dtype), action or discrete_action(("0", "1")), 30.0, **more)


def style(config=CARTPOLE, spec=None, scale=3, **more):
    return GameStyle(config, spec or spec_of((4,)), scale, more.pop("overlay", False), more.pop("square_pixels", False))


def log(values, actions, probabilities):
    return SimpleNamespace(values=values, actions=actions, probabilities=probabilities)


# --- drawing


def test_text_is_drawn_where_it_should_be_and_nowhere_else():
    image = np.zeros((60, 200, 3), np.uint8)
    drawing.write(image, "HH", 50, 20, 20, (255, 0, 0))
    rows, columns = np.nonzero(image[..., 0])
    assert (rows.min(), image[..., 1:].max()) == (20, 0)
    assert 50 <= columns.min() <= 53
    assert columns.max() < 50 + drawing.text_width("HH", 20)


@pytest.mark.parametrize("align", ["left", "right", "centre"])
@pytest.mark.parametrize(("x", "y"), [(-30, -8), (190, 55), (500, 500)])
def test_text_beyond_the_edges_is_clipped(align, x, y):
    image = np.zeros((60, 200, 3), np.uint8)
    drawing.write(image, "score 12", x, y, 20, align=align)


def test_text_that_is_too_wide_is_shortened():
    image = np.zeros((40, 400, 3), np.uint8)
    drawing.write(image, "a very long name of an environment", 0, 5, 20, width=100)
    assert 60 < np.nonzero(image.max(axis=(0, 2)))[0].max() < 100


def test_a_curve_ends_at_its_latest_value_and_marks_zero():
    image = np.zeros((88, 340, 3), np.uint8)
    drawing.draw_curve(image, np.linspace(-1, 1, 50), -1, 1, 334)
    bright = np.argwhere((image == drawing.BRIGHT).all(axis=2))
    assert abs(bright.mean(axis=0) - [5, 334]).max() < 1.5  # a dot at the top right
    assert (image[44, :200] == drawing.LINE).all()
    assert not (image[:, :250] == drawing.ACCENT).all(axis=2).any()  # 50 values are 50 pixels


def test_a_curve_that_moves_is_the_curve_that_is_drawn_at_once():
    count = 700
    values = np.random.default_rng(0).normal(size=count).cumsum().astype(np.float32)
    some = log(values, np.zeros(count, np.int32), np.full((count, 2), 0.5, np.float32))
    view, obs = NetworkView(spec_of((4,)), CARTPOLE), np.zeros(4)
    moved, at_once = (np.zeros((panel.HEIGHT, panel.WIDTH, 3), np.uint8) for _ in range(2))
    moving = Panel(some, spec_of((4,)), view, 30.0)
    for step in range(count):
        moving.draw(moved, GameMoment(step, 0.0, obs))
        if step in (1, 30, 333, 334, 335, 336, 699):
            Panel(some, spec_of((4,)), view, 30.0).draw(at_once, GameMoment(step, 0.0, obs))
            np.testing.assert_array_equal(moved[:, 4:], at_once[:, 4:])  # at the edge, lines are clipped


@pytest.mark.parametrize("values", [[np.nan], [0.0], [np.inf, 1.0, -np.inf], [1e30, -1e30], [2.0] * 500])
def test_a_panel_survives_any_values(values):
    count = len(values)
    some = log(np.array(values, np.float32), np.zeros(count, np.int32), np.full((count, 2), np.nan, np.float32))
    view = NetworkView(spec_of((4,)), CARTPOLE)
    image = np.zeros((panel.HEIGHT, panel.WIDTH, 3), np.uint8)
    drawn = Panel(some, spec_of((4,)), view, 30.0)
    for step in range(count):
        drawn.draw(image, GameMoment(step, float("inf"), np.array([np.nan, np.inf, 1, -1], np.float32)))


# --- the network's input


def test_the_newest_of_stacked_frames_is_shown_as_the_network_gets_it():
    obs = np.random.default_rng(0).integers(0, 256, (84, 84, 4), np.uint8)
    view = NetworkView(PONG_SPEC, PONG)
    np.testing.assert_array_equal(view.image(obs), np.stack([obs[..., 3]] * 3, axis=2))
    assert view.caption == "84 x 84, newest of 4 frames"
    image = np.zeros((panel.HEIGHT, panel.WIDTH, 3), np.uint8)
    some = log(np.zeros(1), np.zeros(1, np.int32), np.full((1, 6), 1 / 6))
    Panel(some, PONG_SPEC, view, 15.0).draw(image, GameMoment(0, 0.0, obs))
    np.testing.assert_array_equal(image[18:186:2, -168::2, 0], obs[..., 3])


def test_an_action_mask_is_not_part_of_the_picture():
    spec = spec_of((5, 6, 3), dtype=np.uint8).with_mask()
    obs = np.arange(92, dtype=np.uint8)
    np.testing.assert_array_equal(NetworkView(spec, CARTPOLE).image(obs), obs[:90].reshape(5, 6, 3))
    vector = NetworkView(spec_of((3,)).with_mask(), CARTPOLE)
    np.testing.assert_array_equal(vector.numbers(np.array([7, 8, 9, 1, 0])), [7, 8, 9])


def test_the_first_image_of_a_dict_is_shown():
    parts = (ObsPart("angles", (2,), False), ObsPart("camera", (2, 3, 3), True), ObsPart("depth", (2, 3, 1), False))
    view = NetworkView(spec_of((26,), parts=parts), CARTPOLE)
    obs = np.arange(26, dtype=np.float32)
    np.testing.assert_array_equal(view.image(obs), obs[2:20].reshape(2, 3, 3))
    assert view.caption == "camera, 2 x 3"


def test_images_of_other_numbers_are_scaled_by_their_largest_value():
    images = (ImageSpec("", (1, 2, 1), np.dtype(np.float32), "last", False, 2.0),)
    view = NetworkView(spec_of((1, 2, 1), images=images), CARTPOLE)
    assert view.image(np.array([[[1.0], [2.0]]], np.float32))[0, :, 0].tolist() == [127, 255]


def view_of(*observations):
    """The network's input on the panel after these observations, [168, 168, 3]."""
    spec = spec_of((len(observations[0]),))
    some = log(np.zeros(len(observations)), np.zeros(len(observations), np.int32), np.full((len(observations), 2), 0.5))
    image = np.zeros((panel.HEIGHT, panel.WIDTH, 3), np.uint8)
    drawn = Panel(some, spec, NetworkView(spec, CARTPOLE), 30.0)
    for step, obs in enumerate(observations):
        drawn.draw(image, GameMoment(step, 0.0, np.array(obs, np.float32)))
    return image[18:186, -168:]


def test_numbers_are_written_beside_their_bars():
    expected = np.full((168, 168, 3), drawing.BACKGROUND, np.uint8)
    for number, middle in (("0.10", 38.5), ("-0.90", 115.5)):
        drawing.write(expected, number, 168, round(middle - 0.36 * 11), 11, drawing.DIM, align="right")
    view = view_of([0.1, -0.9])
    np.testing.assert_array_equal(view[:154, -60:], expected[:154, -60:])
    np.testing.assert_array_equal(view[154:], view_of([5.0, 7.0])[154:])  # the explanation


@pytest.mark.parametrize(("count", "has_numbers"), [(1, True), (14, True), (15, False), (2000, False)])
def test_bars_are_relative_to_the_largest_of_each_number_so_far(count, has_numbers):
    half = (168 - 60 if has_numbers else 168) / 2
    for observations, share in (([[4.0]], 1.0), ([[4.0], [1.0]], 0.25), ([[1.0], [4.0]], 1.0)):
        view = view_of(*(obs * count for obs in observations))
        columns = np.flatnonzero((view == drawing.ACCENT).all(axis=2).any(axis=0))
        assert abs(len(columns) - share * half) <= 1
        assert abs(columns.max() - (1 + share) * half) <= 1


# --- actions


def bars_of(action, actions, probabilities):
    bars = ActionBars(log(np.zeros(1), actions, probabilities), action)
    image = np.zeros((120, 340, 3), np.uint8)
    bars.draw_static(image)
    bars.draw(image, 0)
    return bars.title, image


def width_of(image, colour):
    """Pixels of `colour` in each row in which there are any: the lengths of bars."""
    counts = (image == colour).all(axis=2).sum(axis=1)
    return counts[counts > 20]


def test_bars_are_as_long_as_the_probabilities_and_the_chosen_action_is_marked():
    title, image = bars_of(discrete_action(("LEFT", "RIGHT")), np.array([1]), np.array([[0.75, 0.25]]))
    assert title == "ACTION PROBABILITIES"
    assert set(width_of(image, drawing.ACCENT)) == {round(0.25 * 230)}
    assert set(width_of(image, drawing.LINE)) == {round(0.75 * 230)}


def test_continuous_actions_are_bars_from_the_middle_of_their_range():
    title, image = bars_of(ActionSpec((2,), ()), np.array([[1.0, -0.5]], np.float32), np.zeros((1, 0)))
    assert title == "ACTION, LOW TO HIGH"
    first, second = np.split(image, [24])
    right, left = (np.flatnonzero((each == drawing.ACCENT).all(axis=2).any(axis=0)) for each in (first, second[:24]))
    assert (right.min(), right.max()) == (110 + 116, 110 + 229)
    assert (left.min(), left.max()) == (110 + 58, 110 + 114)


@pytest.mark.parametrize(
    ("count", "choice", "first", "last"), [(2, 0, 150, 244), (2, 1, 245, 339), (4, 2, 245, 292), (1000, 999, 330, 339)]
)
def test_of_many_choices_the_chosen_one_is_a_cell_at_its_place(count, choice, first, last):
    action = ActionSpec((2,), (3, count))
    title, image = bars_of(action, np.array([[0, choice]], np.int32), np.zeros((1, 0)))
    assert title == "ACTION: CHOICE OF EACH ELEMENT"
    columns = np.flatnonzero((image[24:48] == drawing.ACCENT).all(axis=2).any(axis=0))
    assert np.abs(columns[[0, -1]] - [first, last]).max() <= 1
    name = np.zeros((24, 144, 3), np.uint8)
    drawing.write(name, f"element 1: {choice} of 0-{count - 1}", 0, 2, 13, drawing.DIM, width=144)
    np.testing.assert_array_equal(image[24:48, :144], name)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 18, 19, 200, 1000])
def test_any_number_of_actions_fits(count):
    names = tuple(f"action {index}" for index in range(count))
    probabilities = np.random.default_rng(0).dirichlet(np.ones(count), 1)
    _, image = bars_of(discrete_action(names), np.array([count - 1]), probabilities)
    assert image.any()
    assert bars_of(ActionSpec((count,), (3,) * count), np.full((1, count), 2, np.int32), np.zeros((1, 0)))[1].any()
    assert bars_of(ActionSpec((count,), ()), np.full((1, count), 9, np.float32), np.zeros((1, 0)))[1].any()


# --- arrangements


@pytest.mark.parametrize(
    ("config", "shape", "square_pixels", "scale", "size"),
    [
        (PONG, (210, 160, 3), False, 3, (630, 840)),
        (PONG, (210, 160, 3), True, 3, (630, 480)),
        (PONG, (210, 160, 3), False, 2, (420, 560)),
        (CARTPOLE, (400, 600, 3), False, 3, (400, 600)),
        (CARTPOLE, (64, 64, 3), False, 3, (192, 192)),
    ],
)
def test_a_game_alone_has_its_natural_size(config, shape, square_pixels, scale, size):
    look = style(config, scale=scale, square_pixels=square_pixels)
    assert natural_size(shape, look) == size
    stage = make_stage(look, np.zeros(shape, np.uint8), has_titles=False)
    stage.show(np.full(shape, 99, np.uint8))
    assert stage.canvas.shape == (*size, 3)
    assert (stage.canvas == 99).all()


@pytest.mark.parametrize("shape", [(210, 160, 3), (400, 600, 3), (1000, 300, 3), (300, 2000, 3), (8, 8, 3), (1, 1, 3)])
def test_games_of_any_shape_fit_beside_a_panel_and_into_a_grid(shape):
    look = style(overlay=True)
    stage = PanelStage(look, shape)
    stage.begin(log(np.zeros(1), np.zeros(1, np.int32), np.full((1, 2), 0.5)), "after 1 step")
    stage.describe(GameMoment(0, 0.0, np.zeros(4)))
    stage.show(np.full(shape, 77, np.uint8))
    rows, columns = np.nonzero((stage.canvas == 77).all(axis=2))
    assert 60 <= rows.min() <= rows.max() < 480
    assert columns.min() == 30
    for rows, columns in ((1, 1), (3, 3), (8, 8), (1, 64), (64, 1)):
        grid = GridStage(look, shape, rows, columns)
        assert len(grid.cells) == rows * columns
        grid.cells[-1].show(np.full(shape, 77, np.uint8))
        grid.cells[-1].finish(3.0)


def test_atari_games_have_the_shape_of_a_television_beside_the_panel():
    stage = PanelStage(style(PONG, PONG_SPEC, overlay=True), (210, 160, 3))
    stage.show(np.full((210, 160, 3), 77, np.uint8))
    assert (stage.canvas == 77).all(axis=2).sum() == 420 * 560
