"""`paac watch` in a window of SDL's driver without a screen, with keys as real events of pygame."""

import threading
import time

import numpy as np
import pytest
from playing_commands import evaluate

from paac_cli.runs.checkpoint_names import list_milestones

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")


def press(key, text=""):
    import pygame

    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, key), unicode=text))


def window_image():
    """What the window shows, [height, width, 3]; None while there is no window."""
    import pygame

    surface = pygame.display.get_surface() if pygame.display.get_init() else None
    return None if surface is None else pygame.surfarray.array3d(surface).swapaxes(0, 1)


class User(threading.Thread):
    """Waits until the window shows something, then does what the function `act` says, and quits."""

    def __init__(self, act):
        super().__init__(daemon=True)
        self._act, self.failure = act, None

    def run(self):
        try:
            deadline = time.monotonic() + 60
            while window_image() is None or not window_image().any():
                assert time.monotonic() < deadline, "no window"
                time.sleep(0.05)
            self._act()
        except BaseException as failure:
            self.failure = failure
        press("K_q")


@pytest.fixture
def watch(invoke, monkeypatch):
    """watch(act, *arguments): the finished command, while a user did `act` in its window."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")

    def run(act, *arguments):
        user = User(act)
        user.start()
        result = invoke("watch", *arguments)
        user.join(60)
        assert user.failure is None
        assert result.exit_code == 0, result.output
        return result

    return run


def wait_for_rest(seconds):
    """Wait until the window has shown the same for `seconds`: while it is paused, or for 1.5 seconds after a game."""
    deadline, image, since = time.monotonic() + 60, window_image(), time.monotonic()
    while time.monotonic() < since + seconds:
        assert time.monotonic() < deadline, "the window never shows the same for long"
        time.sleep(0.03)
        if not np.array_equal(now := window_image(), image):
            image, since = now, time.monotonic()


def wait_for_change():
    before, deadline = window_image(), time.monotonic() + 30
    while np.array_equal(window_image(), before):
        assert time.monotonic() < deadline, "the window always shows the same"
        time.sleep(0.03)


def test_the_games_are_those_of_eval(trained, invoke, watch):
    scores = evaluate(invoke, trained, "--episodes", 2, "--seed", 3)["scores"]

    def act():
        for _ in range(3):
            press("K_PLUS", "+")  # eight times as fast
        for _ in range(2):
            wait_for_rest(1.0)
            wait_for_change()

    result = watch(act, trained, "--seed", 3)
    assert result.stdout.startswith(f"raw return {scores[0]:g}, {scores[1]:g}")
    assert result.stdout.rstrip().endswith("seed 3")
    assert "checkpoints/best_" in result.stdout


def test_greedy_games_are_those_of_eval_too(trained, invoke, watch):
    beginner = list_milestones(trained / "checkpoints")[-1]  # whose games are short
    (score,) = evaluate(invoke, beginner, "--episodes", 1, "--greedy")["scores"]

    def act():
        for _ in range(3):
            press("K_KP_PLUS")
        wait_for_rest(1.0)
        wait_for_change()

    assert watch(act, beginner, "--greedy").stdout.startswith(f"raw return {score:g}")


def test_space_pauses_and_continues(trained, watch):
    moved = []

    def act():
        press("K_SPACE", " ")
        wait_for_rest(0.5)
        before = window_image()
        press("K_g", "g")  # still changes what is written below the game
        wait_for_change()
        changed = np.argwhere((window_image() != before).any(axis=2))
        assert changed[:, 0].min() > 480
        press("K_SPACE", " ")
        wait_for_change()  # of what is written
        wait_for_change()
        moved.append((window_image()[:480] != before[:480]).any())

    watch(act, trained)
    assert moved == [True]


def test_speed_changes_with_plus_and_minus(trained, watch):
    def frames_shown(seconds):
        shown, end = set(), time.monotonic() + seconds
        while time.monotonic() < end:
            shown.add(window_image()[:480].tobytes())
            time.sleep(0.005)
        return len(shown)

    counts = []

    def act():
        press("K_MINUS", "-")
        press("K_MINUS", "-")
        counts.append(frames_shown(0.8))  # 50 frames per second, at a quarter of the speed: 10

    watch(act, trained, "--greedy")
    assert 2 <= counts[0] <= 16


def test_closing_the_window_quits(trained, watch):
    import pygame

    result = watch(lambda: pygame.event.post(pygame.event.Event(pygame.QUIT)), trained)
    assert result.stdout.startswith("no game has ended, checkpoint ")


def test_without_a_display_an_error_names_paac_record(trained, invoke, monkeypatch):
    for name in DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    result = invoke("watch", trained)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: there is no display for a window ")
    assert "`paac record`" in line


def test_a_display_that_does_not_answer_is_an_error_that_names_paac_record(trained, paac, monkeypatch):
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    monkeypatch.setenv("DISPLAY", ":9999")
    result = paac("watch", trained)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    assert "`paac record` makes a video file instead" in result.stderr
