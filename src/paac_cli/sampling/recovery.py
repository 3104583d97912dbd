"""Workers that outlive their processes: one that dies or hangs is replaced, at the very place where it was.

A game is a function of its seed and its actions, and the learner has both; so whoever takes over plays the games
again, then does what was asked of the one before, and nobody can tell the difference.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from paac_cli.errors import WorkerError
from paac_cli.sampling.layout import NOWHERE
from paac_cli.sampling.limits import make_room_for_descriptors
from paac_cli.sampling.worker import RESTORE, WorkerState, WorkerTask
from paac_cli.sampling.worker_process import LOOK_EVERY, Patience, WorkerLostError, start_workers

_START = b""  # the command that every worker answers first, without having been sent it
_HOUR = 3600.0
_CLOSE_TIMEOUT = 5.0  # seconds that workers have to end by themselves


class Histories(Protocol):
    """What the learner knows of the environments of a worker."""

    def state_of(self, task: WorkerTask) -> WorkerState:
        """Where they stand after all that has been received."""

    def describe(self, env: int, game: int) -> str:
        """What environment `env` is, or was last, doing, for people."""


class Workers:
    """One worker for each task. Commands go to all, and are answered in their order."""

    def __init__(
        self,
        tasks: Sequence[WorkerTask],
        histories: Histories,
        *,
        patience: Patience,
        max_restarts: int,
        tell: Callable[[str], None],
    ) -> None:
        """max_restarts: within an hour, after which a loss is an error. tell: hears of every replacement.

        Starts them and returns while they load. Raises ConfigError where so many cannot be spoken to.
        """
        self._tasks, self._histories, self._patience, self._tell = tasks, histories, patience, tell
        self._max_restarts = max_restarts
        self._losses: deque[tuple[float, str]] = deque()  # when, and what, within the last hour
        self.restarts = 0
        make_room_for_descriptors(len(tasks))
        self._processes = start_workers(tasks, patience.seconds)
        self._owed: list[deque[bytes]] = [deque([_START]) for _ in tasks]  # commands that have not been answered
        self._awaited = [_START] * len(tasks)  # of each, what it was last waited for to do

    @property
    def pids(self) -> list[int]:
        """Of the processes as they are now."""
        return [process.pid for process in self._processes]

    def post(self, command: bytes) -> None:
        """Send it to all; `await_all` waits for one command."""
        for index in range(len(self._tasks)):
            self._owed[index].append(command)
            self._send(index, command)

    def await_all(self) -> None:
        """Wait until all have answered the oldest command, whoever has to be replaced on the way.

        Raises WorkerError if an environment has raised or too many workers were lost; StoppedError if the run
        shall stop and one of them does not answer.
        """
        waiting = list(range(len(self._tasks)))
        while waiting:  # for those that are silent in turn, so that one that hangs hides none that is dead
            waiting = [index for index in waiting if not self._has_answered(index, LOOK_EVERY / len(waiting))]

    def close(self) -> None:
        """End all. May be called twice."""
        for process in self._processes:
            process.ask_to_end()
        deadline = time.monotonic() + _CLOSE_TIMEOUT
        for process in self._processes:
            process.join(deadline)
        self._processes = []

    def _send(self, index: int, command: bytes) -> None:
        state = self._histories.state_of(self._tasks[index]) if command == RESTORE else None
        self._processes[index].send(command, state)

    def _has_answered(self, index: int, seconds: float) -> bool:
        """Whether a worker answers the oldest command within `seconds`; one that is lost is replaced."""
        try:
            answered = self._answers_within(index, self._owed[index][0], seconds)
        except WorkerLostError as error:
            lost: WorkerLostError | None = error
            while lost is not None:
                lost = self._replace(index, lost)
            return False
        if answered:
            self._owed[index].popleft()
        return answered

    def _answers_within(self, index: int, command: bytes, seconds: float) -> bool:
        self._awaited[index] = command
        try:
            return self._processes[index].answers_within(seconds, self._patience)
        except WorkerError as error:
            raise WorkerError(f"{self._tasks[index].name} failed {self._whereabouts(index)}:\n{error}") from None

    def _replace(self, index: int, lost: WorkerLostError) -> WorkerLostError | None:
        """A new process, to which the same was sent; the loss of that one, if it was lost before it had caught up."""
        begin, task = time.monotonic(), self._tasks[index]
        self._processes[index].kill()
        loss = f"{task.name}: {lost.cause} {self._whereabouts(index)}"
        evidence = f"{loss}\n{lost.stacks}" if lost.stacks else loss
        self._count(begin, evidence)
        self._processes[index] = start_workers([task], self._patience.seconds)[0]
        try:
            self._catch_up(index)
        except WorkerLostError as again:
            self._tell(f"Lost {evidence}\nThe one that took its place was lost before it had caught up")
            return again
        self._tell(f"Lost {evidence}\nReplaced after {time.monotonic() - begin:.1f} s; the run goes on as if it lived")
        return None

    def _catch_up(self, index: int) -> None:
        """Bring a new process to where the one before it was, and send it what has not been answered."""
        owed = self._owed[index]
        if owed[0] == _START:
            return
        self._await_ready(index, _START)
        if owed[0] != RESTORE:
            self._send(index, RESTORE)
            self._await_ready(index, RESTORE)
        for command in owed:
            self._send(index, command)

    def _await_ready(self, index: int, command: bytes) -> None:
        while not self._answers_within(index, command, LOOK_EVERY):
            pass

    def _count(self, now: float, evidence: str) -> None:
        self.restarts += 1
        self._losses.append((now, evidence))
        while now - self._losses[0][0] > _HOUR:
            self._losses.popleft()
        if len(self._losses) > self._max_restarts:
            told = "\n".join(text for _, text in self._losses)
            raise WorkerError(
                f"{len(self._losses)} workers were lost within an hour; sampling.max_restarts allows "
                f"{self._max_restarts}:\n{told}"
            )

    def _whereabouts(self, index: int) -> str:
        env, game, _ = self._tasks[index].block["place"][self._tasks[index].worker].tolist()
        if env == NOWHERE:
            return "while it started" if self._awaited[index] == _START else "between two commands"
        if self._awaited[index] == _START:
            return f"while it made environment {env}"
        if self._awaited[index] == RESTORE:
            return f"while it played game {game} of environment {env} again"
        return f"in {self._histories.describe(env, game)}"
