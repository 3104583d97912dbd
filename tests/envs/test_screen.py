"""Frames equal, byte for byte, what the emulator's conversion to grey, NumPy's maximum, and OpenCV or Pillow give."""

import math

import cv2
import numba
import numpy as np
import pytest
from PIL import Image

from paac_cli.config.atari_names import game_ids
from paac_cli.envs.atari_games import load_rom
from paac_cli.envs.screen import Screen, machine_code

GAMES = [  # with 210, 220 and 250 rows; with still and scrolling screens; some with many shades of grey
    *("Pong", "Breakout", "Pooyan", "Adventure", "Klax", "Qbert", "TimePilot", "FlagCapture", "BattleZone"),
    *("Crossbow", "Enduro", "Riverraid", "Tetris", "YarsRevenge", "Koolaid", "Amidar"),
]


def opencv(screen):
    return cv2.resize(screen, (84, 84), interpolation=cv2.INTER_AREA)


def pillow(screen):
    """The paper's authors resized with scipy.misc.imresize, which called Pillow."""
    return np.asarray(Image.fromarray(screen).resize((84, 84), Image.Resampling.NEAREST))


def count_halves(screen):
    """How many of the 84 x 84 area means of `screen` are halfway between two integers (in integer arithmetic)."""
    area = 1
    for axis in range(2):
        length = screen.shape[axis]
        part = math.gcd(length, 84)
        screen = np.repeat(screen.astype(np.int64), 84 // part, axis)
        screen = np.add.reduceat(screen, np.arange(0, screen.shape[axis], length // part), axis)
        area *= length // part
    return np.count_nonzero(2 * screen % (2 * area) == area)


def play(ale, steps, on_step):
    """Play random actions; `on_step` is called after the four emulator frames of each."""
    rng, actions = np.random.default_rng(0), ale.getMinimalActionSet()
    for _ in range(steps):
        action = actions[rng.integers(len(actions))]
        for _ in range(4):
            ale.act(action)
        on_step()
        if ale.game_over():
            ale.reset_game()


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize(("resize", "reference"), [("area", opencv), ("nearest", pillow)])
def test_every_pixel_equals_that_of_the_libraries(game, resize, reference):
    assert f"ALE/{game}-v5" in game_ids()
    ale = load_rom(f"ALE/{game}-v5")
    ale.reset_game()
    screen = Screen(ale.getScreenDims(), resize)
    newest_first = []

    def compare():
        greys = []
        for index in range(2):
            ale.act(0)
            screen.take(ale, index)
            greys.append(ale.getScreenGrayscale())
        screen.push()
        newest_first.insert(0, reference(np.maximum(*greys)))
        for age, expected in enumerate(newest_first[:4]):
            np.testing.assert_array_equal(screen.stack[..., 3 - age], expected)

    play(ale, 80, compare)


@pytest.mark.parametrize("height", [210, 220, 250])
@pytest.mark.parametrize(("resize", "reference"), [("area", opencv), ("nearest", pillow)])
def test_random_pixels_equal_those_of_the_libraries_also_halfway_between_two_integers(height, resize, reference):
    """A screen of two neighbouring shades has many means that are halfway, where rounding matters."""

    class Emulator:
        def getScreen(self, out):  # noqa: N802
            out[...] = self.grey

        def getScreenGrayscale(self, out):  # noqa: N802
            out[...] = self.grey

    rng, emulator, halves = np.random.default_rng(height), Emulator(), 0
    screen = Screen((height, 160), resize)
    for highest in (2, 2, 4, 16, 256, 256):
        greys = []
        for index in range(2):
            emulator.grey = rng.integers(highest, size=(height, 160), dtype=np.uint8)
            screen.take(emulator, index)
            greys.append(emulator.grey)
        screen.push()
        expected = reference(np.maximum(*greys))
        np.testing.assert_array_equal(screen.stack[..., 3], expected)
        halves += count_halves(np.maximum(*greys))
    assert halves > 10


def test_a_screen_that_is_put_gives_the_same_frame_as_one_that_is_taken():
    ale = load_rom("ALE/Breakout-v5")
    ale.reset_game()
    start = ale.getScreen()
    screen = Screen(ale.getScreenDims(), "area")
    screen.take(ale, 0)
    screen.put(1, 0)
    screen.push()
    before = screen.stack[..., 3].copy()
    ale.act(1)
    for index in range(2):
        screen.take(ale, index)
    screen.push()
    screen.put(0, start)
    screen.put(1, 0)
    screen.push()
    np.testing.assert_array_equal(screen.stack[..., 3], before)
    screen.fill()
    assert all(np.array_equal(screen.stack[..., age], before) for age in range(4))


def doubled(number):
    return 2 * number


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Numba's cache directory."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    return tmp_path / "cache"


def compile_doubled():
    """Compile `doubled`; returns whether its machine code came from the cache."""
    function = machine_code("int64(int64)")(doubled)
    assert function(21) == 42
    return bool(function.stats.cache_hits)


def test_machine_code_is_cached(cache):
    assert [compile_doubled(), compile_doubled()] == [False, True]


def test_functions_are_compiled_if_the_cache_cannot_be_written(cache):
    cache.write_text("not a directory")
    assert not compile_doubled()


@pytest.mark.parametrize("damaged", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("content", [b"", b"other"], ids=["empty", "other"])
def test_functions_are_compiled_if_the_cache_is_damaged(cache, damaged, content):
    compile_doubled()
    for file in cache.rglob(damaged):
        file.write_bytes(content)
    assert not compile_doubled()
