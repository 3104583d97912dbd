"""All workers of a pool: they receive each command together, and all answers are awaited."""

import os
import time
from collections.abc import Sequence

from paac_cli.events import CloseFailed, Log
from paac_cli.sampling.child_process import kill_all
from paac_cli.sampling.history import Histories
from paac_cli.sampling.limits import raise_open_files_limit
from paac_cli.sampling.recovery import RestartableWorker, RestartBudget
from paac_cli.sampling.worker_envs import WorkerTask
from paac_cli.sampling.worker_process import CHECK_EVERY, Timeouts, WorkerProcess, start_workers

_EXIT_TIMEOUT = 1.0  # seconds for a process to end after it has closed its environments


class Workers:
    """One worker for each task."""

    def __init__(
        self,
        tasks: Sequence[WorkerTask],
        histories: Histories,
        *,
        timeouts: Timeouts,
        budget: RestartBudget,
        log: Log,
        spin: float,
    ) -> None:
        """Start the workers and return while they load; the first `await_all` waits for them.

        spin: seconds to wait actively for answers, which needs a core.

        Raises ConfigError if the system does not allow enough open files.
        """
        raise_open_files_limit(len(tasks))
        self._histories, self._log, self._spin = histories, log, spin
        self._workers = [
            RestartableWorker(task, process, histories, timeouts=timeouts, budget=budget, log=log)
            for task, process in zip(tasks, start_workers(tasks, timeouts), strict=True)
        ]

    @property
    def pids(self) -> list[int]:
        """Process ids of the current processes."""
        return [worker.process.pid for worker in self._workers]

    def post(self, command: bytes) -> None:
        """Send `command` to all workers. `await_all` must follow before the next one."""
        for worker in self._workers:
            worker.post(command)

    def await_all(self) -> None:
        """Wait until all workers have finished their command. Failed workers are restarted meanwhile.

        Raises WorkerError if an environment raised or too many workers failed; StoppedError if the run was asked to
        stop and a worker does not answer.
        """
        if self._spin:
            self._spin_until_ready()
        waiting = self._workers
        while waiting:  # checks each in turn, so that a worker that hangs does not hide one that is dead
            waiting = [worker for worker in waiting if not worker.has_answered(CHECK_EVERY / len(waiting))]

    def _spin_until_ready(self) -> None:
        """Wait actively, at most for `spin` seconds, because waking this process would take tens of microseconds."""
        deadline = time.perf_counter() + self._spin
        for worker in self._workers:
            while not worker.process.has_sent() and time.perf_counter() < deadline:
                os.sched_yield()

    def close(self) -> None:
        """End all workers, whatever their state, and all that they have started. May be called twice.

        Logs CloseFailed if environments could not be closed.
        """
        processes = [worker.process for worker in self._workers]
        self._workers = []
        try:
            for process in processes:
                process.request_end()
            _await_ends(processes)
        finally:
            kill_all([process.child for process in processes])
        problems = {
            self._histories.index_of(env): text for process in processes for env, text in process.problems.items()
        }
        if problems:
            self._log(CloseFailed(problems))


def _await_ends(processes: Sequence[WorkerProcess]) -> None:
    waiting = processes
    while waiting:
        seconds = CHECK_EVERY / len(waiting)
        waiting = [process for process in waiting if not process.can_be_killed_within(seconds)]
    for process in processes:
        process.child.join(_EXIT_TIMEOUT)
