"""Atari 2600 games, straight on the emulator (ale-py), under a named protocol.

The emulator's own sticky actions and frame limit are off: both are done here, from our own
generator, because the emulator's snapshots do not hold them.
"""

import cv2
import numpy as np
from ale_py import Action as Button
from ale_py import ALEInterface, LoggerMode, roms
from numpy.typing import NDArray

from paac_cli.config.load import nearest
from paac_cli.config.schema import EnvConfig
from paac_cli.envs.env import Action, FrameHook, Outcome
from paac_cli.envs.protocols import FRAME_SKIP, FRAME_STACK, FRAMES_PER_SECOND, MAX_STEPS, PROTOCOLS, SCREEN_SIZE
from paac_cli.errors import EnvironmentSpecError
from paac_cli.spec import EnvSpec, one_of

_NOOP = 0
#: The authors resized with Pillow, which takes the nearest pixel centre; so does INTER_NEAREST_EXACT alone.
_INTERPOLATION = {"area": cv2.INTER_AREA, "nearest": cv2.INTER_NEAREST_EXACT}
#: Packaged ROMs with which `loadROM` ends the process: they have no single-player mode.
_UNPLAYABLE = frozenset({"combat", "joust", "maze_craze", "warlords"})


def game_ids() -> dict[str, str]:
    """Environment id -> ROM id of every game that runs, e.g. `ALE/Pong-v5` -> `pong`."""
    names = sorted(set(roms.get_all_rom_ids()) - _UNPLAYABLE)
    return {f"ALE/{name.title().replace('_', '')}-v5": name for name in names}


def load_rom(env_id: str) -> ALEInterface:
    """The bare emulator with a game in it. Raises EnvironmentSpecError."""
    games = game_ids()
    if env_id not in games:
        raise EnvironmentSpecError(f"unknown or unplayable Atari game {env_id!r}{nearest(env_id, games)}")
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setInt("random_seed", 0)  # the default is the time; a reset right after loading is the same for any seed
    ale.setFloat("repeat_action_probability", 0.0)
    try:
        path = roms.get_rom_path(games[env_id])
    except (OSError, RuntimeError) as error:
        raise EnvironmentSpecError(f"{env_id}: its ROM cannot be read: {error}") from error
    if path is None or ALEInterface.isSupportedROM(path) is None:
        raise EnvironmentSpecError(f"{env_id}: this emulator does not support its ROM")
    ale.loadROM(path)
    return ale


class AtariEnv:
    """One game under `config.protocol`; observations are [84, 84, 4] uint8, newest screen last.

    Every game starts from one snapshot, taken right after the first reset, so that it depends on
    nothing played before; no-ops and sticky actions bring the randomness.
    """

    def __init__(self, config: EnvConfig, on_frame: FrameHook | None = None) -> None:
        assert config.protocol is not None
        self._protocol = PROTOCOLS[config.protocol]
        self._interpolation = _INTERPOLATION[self._protocol.resize]
        self._ale = load_rom(config.id)
        self._ale.reset_game()
        self._start = self._ale.cloneState(include_rng=True)
        self._start_screen = self._ale.getScreenGrayscale()  # the screen is not part of a snapshot
        self._actions = (
            self._ale.getLegalActionSet() if self._protocol.full_action_set else self._ale.getMinimalActionSet()
        )
        self._fires = self._protocol.fire_on_reset and len(self._actions) >= 3 and self._actions[1] == Button.FIRE
        self._on_frame = on_frame
        self._screens = np.zeros((2, *self._ale.getScreenDims()), np.uint8)
        # Four screens of one pixel are one little-endian word: to age the stack is to shift it.
        self._stack = np.zeros((SCREEN_SIZE, SCREEN_SIZE), np.dtype("<u4"))
        self._rng = np.random.default_rng(0)
        self._sticky_action = self._actions[_NOOP]
        self._lives = 0
        self.score, self.length = 0.0, 0
        self.spec = EnvSpec(
            obs_shape=(SCREEN_SIZE, SCREEN_SIZE, FRAME_STACK),
            obs_dtype=np.dtype(np.uint8),
            action=one_of(tuple(action.name for action in self._actions)),
            fps=FRAMES_PER_SECOND,
            frame_stack=FRAME_STACK,
        )

    def new_game(self, seed: np.random.SeedSequence, out: NDArray) -> None:
        self._rng = np.random.default_rng(seed)
        self._restore_start()
        noops = self._rng.integers(*self._protocol.noops, endpoint=True)
        for _ in range(noops):
            self.score += self._act(self._actions[_NOOP])
        if noops:  # until something is played, the emulator's screen is that of the game before
            self._ale.getScreenGrayscale(self._screens[1])
        self._begin_episode(out)

    def step(self, action: Action, out: NDArray) -> Outcome:
        reward = self._play(int(action))
        self.score += reward
        self.length += 1
        life_lost = 0 < self._ale.lives() < self._lives  # at 0 some games go on for a while
        self._lives = self._ale.lives()
        out_of_time = self.length >= MAX_STEPS
        terminated = self._is_over() or (life_lost and self._protocol.life_loss_terminates)
        if terminated and not self._is_over() and not out_of_time:
            self._begin_next_life(out)
        else:
            self._push_screen()
            out[...] = self._observation()
        return Outcome(
            reward=float(np.sign(reward)) if self._protocol.clip_rewards else reward,
            terminated=terminated,
            truncated=out_of_time and not terminated,
            game_over=self._is_over() or out_of_time,
        )

    def close(self) -> None:
        pass

    def _restore_start(self) -> None:
        # Both are needed: a reset keeps some memory in 17 games (beam_rider among them), and a snapshot
        # does not hold all of the machine in others (qbert, tetris).
        self._ale.reset_game()
        self._ale.restoreState(self._start)
        self._screens[:] = 0
        self._screens[1] = self._start_screen
        self._sticky_action = self._actions[_NOOP]
        self.score, self.length = 0.0, 0

    def _begin_next_life(self, out: NDArray) -> None:
        """As baselines' EpisodicLifeEnv: one step of NOOP, then as at the start of a game."""
        self.score += self._play(_NOOP)
        if not self._is_over():
            self._begin_episode(out)

    def _begin_episode(self, out: NDArray) -> None:
        """Fire where the protocol says so, then fill the stack. Leaves early if that ends the game."""
        if self._fires:
            for action in (1, 2):
                self.score += self._play(action)
                if self._is_over():
                    return
        if self._protocol.warm_start:
            for _ in range(FRAME_STACK):
                self.score += self._play(_NOOP)
                self._push_screen()
        else:
            self._push_screen()
            self._stack[...] = (self._stack >> np.uint32(24)) * np.uint32(0x01010101)
        self._lives = self._ale.lives()
        out[...] = self._observation()

    def _play(self, action: int) -> float:
        """`action` for four frames, of which the last two are kept; the raw reward."""
        reward = 0.0
        chosen = self._actions[action]
        for frame in range(FRAME_SKIP):
            reward += self._act(chosen)
            if self._is_over():
                break
            if frame >= FRAME_SKIP - 2:
                self._ale.getScreenGrayscale(self._screens[frame - (FRAME_SKIP - 2)])
        return reward

    def _act(self, chosen: Button) -> float:
        """One emulator frame."""
        if self._protocol.sticky == 0.0 or self._rng.random() >= self._protocol.sticky:
            self._sticky_action = chosen
        reward = self._ale.act(self._sticky_action)
        if self._on_frame is not None:
            self._on_frame(self._ale.getScreenRGB())
        return float(reward)

    def _is_over(self) -> bool:
        return bool(self._ale.game_over(with_truncation=False))

    def _push_screen(self) -> None:
        """The maximum of the last two screens, small and grey, becomes the newest of the stack."""
        screen = np.maximum(self._screens[0], self._screens[1])
        small = cv2.resize(screen, (SCREEN_SIZE, SCREEN_SIZE), interpolation=self._interpolation)
        self._stack >>= np.uint32(8)
        self._stack |= small.astype(np.uint32) << np.uint32(24)

    def _observation(self) -> NDArray[np.uint8]:
        return self._stack.view(np.uint8).reshape(SCREEN_SIZE, SCREEN_SIZE, FRAME_STACK)
