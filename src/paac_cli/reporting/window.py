"""A window that shows images and takes keys."""

import os
from enum import Enum
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from paac_cli.errors import DisplayError

_INVISIBLE = ("offscreen", "dummy")  # drivers that SDL takes if no other works
_INSTEAD = "`paac record` makes a video file instead"


class Key(Enum):
    """What the user asks for."""

    PAUSE = "pause"
    FASTER = "faster"
    SLOWER = "slower"
    GREEDY = "greedy"
    QUIT = "quit"


def require_display() -> None:
    """Raise DisplayError if there is no display. A driver in SDL_VIDEODRIVER counts as one."""
    if not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")):
        raise DisplayError(f"there is no display for a window (neither DISPLAY nor WAYLAND_DISPLAY is set); {_INSTEAD}")


class Window:
    """One window with the library pygame. A context manager, which closes it."""

    def __init__(self, title: str) -> None:
        """The window opens with the first image. Raises DisplayError."""
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        # OpenGL drivers contain LLVM, as TensorFlow does, and both in one process crash.
        os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
        import pygame  # noqa: PLC0415 (only after the variable is set)

        self._pygame, self._title = pygame, title
        self._surface: pygame.Surface | None = None
        self._keys = {
            pygame.K_SPACE: Key.PAUSE,
            pygame.K_p: Key.PAUSE,
            pygame.K_PLUS: Key.FASTER,
            pygame.K_EQUALS: Key.FASTER,  # the key of + without shift
            pygame.K_KP_PLUS: Key.FASTER,
            pygame.K_MINUS: Key.SLOWER,
            pygame.K_KP_MINUS: Key.SLOWER,
            pygame.K_g: Key.GREEDY,
            pygame.K_q: Key.QUIT,
            pygame.K_ESCAPE: Key.QUIT,
        }
        try:
            pygame.display.init()
        except pygame.error as error:
            raise DisplayError(f"no window can be opened: {error}; {_INSTEAD}") from None
        if pygame.display.get_driver() in _INVISIBLE and not os.environ.get("SDL_VIDEODRIVER"):
            raise DisplayError(f"no window can be opened: the display does not answer; {_INSTEAD}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pygame.display.quit()

    def show(self, image: NDArray[np.uint8]) -> None:
        """Show `image` [height, width, 3] RGB, always of the same size. Raises DisplayError."""
        size = image.shape[1], image.shape[0]
        if self._surface is None:
            try:
                self._surface = self._pygame.display.set_mode(size)
            except self._pygame.error as error:
                raise DisplayError(f"no window can be opened: {error}; {_INSTEAD}") from None
            self._pygame.display.set_caption(self._title)
        self._surface.blit(self._pygame.image.frombuffer(image.tobytes(), size, "RGB"), (0, 0))
        self._pygame.display.flip()

    def keys(self) -> list[Key]:
        """The keys that were pressed since the last call; closing the window is `QUIT`."""
        pressed = []
        for event in self._pygame.event.get():
            if event.type == self._pygame.QUIT:
                pressed.append(Key.QUIT)
            elif event.type == self._pygame.KEYDOWN:
                typed = {"+": Key.FASTER, "-": Key.SLOWER}.get(event.unicode)  # wherever a keyboard has them
                key = self._keys.get(event.key, typed)
                pressed += [key] if key else []
        return pressed
