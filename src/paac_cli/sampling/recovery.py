"""Recovery of workers: a process that dies or hangs is replaced, and the new one brought to the state of the old one.

A game is a function of its seed and its actions, and the learner has both. The new process replays the games and then
executes the command that the old one did not finish, so the results do not change.
"""

import signal
import time
from collections import deque

from paac_cli.errors import WorkerError
from paac_cli.events import Log, RestartFailed, WorkerFailure, WorkerRestarted
from paac_cli.sampling.child_process import ChildFailedError
from paac_cli.sampling.history import Histories
from paac_cli.sampling.layout import NO_ENV
from paac_cli.sampling.worker import RESTORE
from paac_cli.sampling.worker_envs import WorkerTask
from paac_cli.sampling.worker_process import CHECK_EVERY, Timeouts, WorkerProcess, start_workers

_START = b""  # stands for what a new process does first, without a command: it makes its environments
_HOUR = 3600.0  # seconds
_MAX_EXITS, _MAX_CRASHES = 2, 3  # times that a worker may fail in the same place: by an exit, in another way
_FROM_OUTSIDE = -signal.SIGKILL  # exit code, e.g. if the kernel lacks memory: that may be over in a while


class RestartBudget:
    """Allows at most `max_restarts` restarts of workers within an hour."""

    def __init__(self, max_restarts: int) -> None:
        self.restarts = 0  #: so far
        self._max_restarts = max_restarts
        self._recent: deque[tuple[float, WorkerFailure]] = deque()  # time and failure, of the last hour

    def spend(self, failure: WorkerFailure) -> None:
        """Count a restart because of `failure`. Raises WorkerError, with all failures of the last hour, if too many."""
        now = time.monotonic()
        self.restarts += 1
        self._recent.append((now, failure))
        while now - self._recent[0][0] > _HOUR:
            self._recent.popleft()
        if len(self._recent) > self._max_restarts:
            failures = "\n".join(str(failure) for _, failure in self._recent)
            raise WorkerError(
                f"{len(self._recent)} workers failed within an hour; sampling.max_restarts allows "
                f"{self._max_restarts} restarts:\n{failures}"
            )


class RestartableWorker:
    """One worker, which survives its process. It executes one command at a time."""

    def __init__(
        self,
        task: WorkerTask,
        process: WorkerProcess,
        histories: Histories,
        *,
        timeouts: Timeouts,
        budget: RestartBudget,
        log: Log,
    ) -> None:
        """process: has just been started for `task`; `has_answered` first waits until it has loaded.

        log: receives WorkerRestarted and RestartFailed.
        """
        self._task, self._process, self._histories = task, process, histories
        self._timeouts, self._budget, self._log = timeouts, budget, log
        self._command = _START  # the latest that was posted
        self._executing = _START  # by the process; during recovery it precedes `_command`
        self._last_place: tuple[str, str] | None = None  # of the latest failure: cause and activity
        self._repeats = 0  # how often it has failed there, without another failure in between

    @property
    def process(self) -> WorkerProcess:
        """The current process."""
        return self._process

    def post(self, command: bytes) -> None:
        """Send a command; `has_answered` waits for its end."""
        self._command = command
        self._send(command)

    def has_answered(self, seconds: float) -> bool:
        """Whether the command is finished within `seconds`. If the process has failed, it is replaced.

        Raises WorkerError if an environment raised or too many workers failed; StoppedError if the run was asked to
        stop and the worker does not answer.
        """
        try:
            return self._answers_within(seconds)
        except ChildFailedError as error:
            self._recover(error)
            return False

    def _send(self, command: bytes) -> None:
        self._executing = command
        state = self._histories.worker_state(self._task.envs) if command == RESTORE else None
        self._process.send(command, state)

    def _answers_within(self, seconds: float) -> bool:
        try:
            return self._process.answers_within(seconds)
        except WorkerError as error:
            raise WorkerError(f"{self._task.name} failed {self._activity()}:\n{error}") from None

    def _recover(self, error: ChildFailedError) -> None:
        begin = time.monotonic()
        failure = self._end_failed(error)
        while True:
            try:
                self._restart()
            except ChildFailedError as again:
                self._log(RestartFailed(self._end_failed(again)))
            else:
                return self._log(WorkerRestarted(failure, time.monotonic() - begin))

    def _end_failed(self, error: ChildFailedError) -> WorkerFailure:
        """Kill what is left of the process and count a restart. Raises WorkerError if that is one too many."""
        self._process.child.kill()
        failure = WorkerFailure(self._task.name, error.cause, self._activity(), error.stacks, error.advice)
        self._budget.spend(failure)
        self._require_another(failure, error.exit_code)
        return failure

    def _require_another(self, failure: WorkerFailure, exit_code: int | None) -> None:
        """Raises WorkerError if the same happens in the same place for too many times: it would happen for ever."""
        place = failure.cause, failure.activity
        self._repeats = self._repeats + 1 if place == self._last_place else 1
        self._last_place = place
        in_env = self._process.activity[0] != NO_ENV
        limit = _MAX_EXITS if exit_code is not None and exit_code >= 0 else _MAX_CRASHES
        if in_env and self._repeats >= limit and exit_code != _FROM_OUTSIDE:
            raise WorkerError(
                f"{failure.worker} failed {limit} times in the same place, and is not restarted any more: "
                f"{failure.details}"
            )

    def _restart(self) -> None:
        """Start a new process, bring it to the state of the old one and send it the unfinished command."""
        (self._process,) = start_workers([self._task], self._timeouts)
        self._executing = _START
        if self._command == _START:
            return
        self._await_answer()
        if self._command != RESTORE:
            self._send(RESTORE)
            self._await_answer()
        self._send(self._command)

    def _await_answer(self) -> None:
        while not self._answers_within(CHECK_EVERY):
            pass

    def _activity(self) -> str:
        """What the process is, or was last, doing, human-readable."""
        env, game = self._process.activity
        if env == NO_ENV:
            return "while starting" if self._executing == _START else "between two commands"
        if self._executing == _START:
            return f"while making environment {self._histories.index_of(env)}"
        if self._executing == RESTORE and self._command == RESTORE and self._histories.is_unplayed(env):
            return f"at the start of {self._histories.name_game(env, game)}"
        if self._executing == RESTORE:
            return f"while replaying game {game} of environment {self._histories.index_of(env)}"
        return f"in {self._histories.describe(env, game)}"
