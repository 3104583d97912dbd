"""The emulator without anything else: four frames of Pong per step with a random action.

No screen is read and nothing is sent between processes; a game that is over is reset. There is one process per core,
which steps its share of the emulators one after the other, as a sampler must.
"""

import itertools
import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier

from ale_py import ALEInterface, LoggerMode, roms
from measuring import Window, Windows, cores, parse_arguments, print_result

FRAME_SKIP = 4


def main() -> None:
    arguments = parse_arguments(__doc__)
    processes = cores()
    context = multiprocessing.get_context("spawn")
    shares = [len(range(first, arguments.num_envs, processes)) for first in range(processes)]
    barrier = context.Barrier(processes)
    with ProcessPoolExecutor(processes, mp_context=context, initializer=remember, initargs=(barrier,)) as pool:
        times = [arguments.seconds] * processes, [arguments.warm_up] * processes
        windows_of_processes = list(pool.map(play, shares, *times))
    # All processes begin together, and their windows end within one step of each other.
    windows = [
        Window(sum(part.steps for part in parts), sum(part.seconds for part in parts) / processes)
        for parts in zip(*windows_of_processes, strict=True)
    ]
    print_result("bare emulator", windows, ["ale-py"])


def remember(barrier: Barrier) -> None:
    """Store the barrier in the process: it can be passed to a process only when that starts."""
    global start_barrier
    start_barrier = barrier


def play(num_emulators: int, seconds: float, warm_up: float) -> list[Window]:
    emulators = [load() for _ in range(num_emulators)]
    rng, actions = random.Random(0), emulators[0].getMinimalActionSet()
    chosen = [rng.choice(actions) for _ in range(1009)]
    start_barrier.wait(timeout=120)
    windows = Windows(seconds, warm_up)
    for ale, action in zip(itertools.cycle(emulators), itertools.cycle(chosen), strict=False):
        for _ in range(FRAME_SKIP):
            ale.act(action)
        if ale.game_over():
            ale.reset_game()
        if not windows.add(1):
            break
    return windows.measured


def load() -> ALEInterface:
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setInt("random_seed", 0)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(roms.get_rom_path("pong"))
    ale.reset_game()
    return ale


if __name__ == "__main__":
    main()
