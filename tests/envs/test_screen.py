"""The compiled screen against the emulator's own grey, NumPy's maximum, and OpenCV and Pillow."""

import math

import cv2
import numba
import numpy as np
import pytest
from PIL import Image

from paac_cli.envs.atari_games import game_ids, load_rom
from paac_cli.envs.screen import Screen, machine_code

GAMES = [  # screens of 210, 220 and 250 rows; still and scrolling ones; a few with many shades
    *("Pong", "Breakout", "Pooyan", "Adventure", "Klax", "Qbert", "TimePilot", "FlagCapture", "BattleZone"),
    *("Crossbow", "Enduro", "Riverraid", "Tetris", "YarsRevenge", "Koolaid", "Amidar"),
]


def opencv(screen):
    return cv2.resize(screen, (84, 84), interpolation=cv2.INTER_AREA)


def pillow(screen):
    """The authors resized with scipy.misc.imresize, which was Pillow's."""
    return np.asarray(Image.fromarray(screen).resize((84, 84), Image.Resampling.NEAREST))


def count_halves(screen):
    """Of the 84 x 84 means of `screen`, how many end in 1/2: counted in whole numbers."""
    area = 1
    for axis in range(2):
        length = screen.shape[axis]
        part = math.gcd(length, 84)
        screen = np.repeat(screen.astype(np.int64), 84 // part, axis)
        screen = np.add.reduceat(screen, np.arange(0, screen.shape[axis], length // part), axis)
        area *= length // part
    return np.count_nonzero(2 * screen % (2 * area) == area)


def play(ale, steps, on_step):
    """Random play; `on_step` is called with the last two frames of each, grey."""
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
def test_every_pixel_is_that_of_the_libraries(game, resize, reference):
    assert f"ALE/{game}-v5" in game_ids()
    ale = load_rom(f"ALE/{game}-v5")
    ale.reset_game()
    screen = Screen(ale.getScreenDims(), resize)
    newest_first = []

    def look():
        greys = []
        for frame in range(2):
            ale.act(0)
            screen.take(ale, frame)
            greys.append(ale.getScreenGrayscale())
        screen.push()
        newest_first.insert(0, reference(np.maximum(*greys)))
        for age, expected in enumerate(newest_first[:4]):
            np.testing.assert_array_equal(screen.stack[..., 3 - age], expected)

    play(ale, 80, look)


@pytest.mark.parametrize("height", [210, 220, 250])
@pytest.mark.parametrize(("resize", "reference"), [("area", opencv), ("nearest", pillow)])
def test_random_pixels_too_and_means_that_end_in_a_half(height, resize, reference):
    """A screen of two neighbouring shades is full of means that end in 1/2, where rounding shows."""

    class Emulator:
        def getScreen(self, out):  # noqa: N802
            out[...] = self.grey

        def getScreenGrayscale(self, out):  # noqa: N802
            out[...] = self.grey

    rng, emulator, halves = np.random.default_rng(height), Emulator(), 0
    screen = Screen((height, 160), resize)
    for highest in (2, 2, 4, 16, 256, 256):
        greys = []
        for frame in range(2):
            emulator.grey = rng.integers(highest, size=(height, 160), dtype=np.uint8)
            screen.take(emulator, frame)
            greys.append(emulator.grey)
        screen.push()
        expected = reference(np.maximum(*greys))
        np.testing.assert_array_equal(screen.stack[..., 3], expected)
        halves += count_halves(np.maximum(*greys))
    assert halves > 10


def test_what_is_put_is_seen_like_what_is_taken():
    ale = load_rom("ALE/Breakout-v5")
    ale.reset_game()
    start = ale.getScreen()
    screen = Screen(ale.getScreenDims(), "area")
    screen.take(ale, 0)
    screen.put(1, 0)
    screen.push()
    before = screen.stack[..., 3].copy()
    ale.act(1)
    for frame in range(2):
        screen.take(ale, frame)
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
def kept(tmp_path, monkeypatch):
    """Where Numba keeps machine code."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    return tmp_path / "kept"


def compile_doubled():
    """Whether the machine code had been kept."""
    kernel = machine_code("int64(int64)")(doubled)
    assert kernel(21) == 42
    return bool(kernel.stats.cache_hits)


def test_machine_code_is_kept(kept):
    assert [compile_doubled(), compile_doubled()] == [False, True]


def test_kernels_are_compiled_where_nothing_can_be_kept(kept):
    kept.write_text("no directory")
    assert not compile_doubled()


@pytest.mark.parametrize("damaged", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("content", [b"", b"neither"], ids=["empty", "other"])
def test_kernels_are_compiled_where_what_was_kept_is_damaged(kept, damaged, content):
    compile_doubled()
    for file in kept.rglob(damaged):
        file.write_bytes(content)
    assert not compile_doubled()
