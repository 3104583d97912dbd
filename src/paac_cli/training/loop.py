"""The synchronous loop: act, step, learn; and now and then a row of metrics and a checkpoint."""

import math
import time
from collections.abc import Iterator, Sequence

from paac_cli.algorithms.agent import Agent, Metrics
from paac_cli.config.schema import RunConfig
from paac_cli.errors import LearningError
from paac_cli.sampling.pool import WorkerPool
from paac_cli.timestep import TimeStep
from paac_cli.training.checkpoint import Checkpoint
from paac_cli.training.progress import Progress
from paac_cli.training.run_directory import RunDirectory
from paac_cli.training.sinks import Sink
from paac_cli.training.stop import StopRequest


class Stopwatch:
    """Splits the time between two reports into named shares."""

    def __init__(self) -> None:
        self._start = self._mark = time.perf_counter()
        self._spent = {"act": 0.0, "env": 0.0, "learn": 0.0}

    def lap(self, name: str) -> None:
        """All since the last lap was `name`."""
        now = time.perf_counter()
        self._spent[name] += now - self._mark
        self._mark = now

    def skip(self) -> None:
        """All since the last lap was something else."""
        self._mark = time.perf_counter()

    def report(self, steps: int) -> dict[str, float]:
        """Speed and shares up to the last lap, in which `steps` were made; begins anew."""
        elapsed = self._mark - self._start
        shares = {f"time/{name}_share": spent / elapsed for name, spent in self._spent.items()}
        self._start, self._spent = self._mark, dict.fromkeys(self._spent, 0.0)
        return {"time/fps": steps / elapsed} | shares


class Due:
    """Tells when the next multiple of `every` steps has been passed."""

    def __init__(self, every: int, steps: int) -> None:
        self._every = every
        self._last = steps // every

    def __call__(self, steps: int) -> bool:
        before, self._last = self._last, steps // self._every
        return self._last > before


def train(
    config: RunConfig,
    agent: Agent,
    pool: WorkerPool,
    run: RunDirectory,
    resume_from: Checkpoint | None,
    progress: Progress,
    sinks: Sequence[Sink],
    stop: StopRequest,
) -> None:
    """Train until `total_steps`, `stop_when` or `stop`; leaves a checkpoint of where it ended.

    Everything that is looked at or saved, is so at the end of a rollout, where the agent holds no
    half-used experience. `progress` stands where `resume_from` does, and is moved on.
    """
    if resume_from is not None:
        agent.policy.assign(resume_from.policy)
        agent.learner.assign(resume_from.learner)
        pool.restore(resume_from.sampling, warn=lambda text: _tell(sinks, f"Warning: {text}"))
        resume_from.learner.clear()  # it maps a file, which may be large and which later saves delete
    else:
        pool.reset()

    log_due = Due(config.training.log_every, progress.steps)
    save_due = Due(config.training.checkpoint_every, progress.steps)
    logged_at = saved_at = progress.steps
    metrics: Metrics = {}
    start = time.perf_counter() - progress.seconds
    watch = Stopwatch()
    while progress.steps < config.training.total_steps and not stop:
        watch.skip()
        for step in rollout(agent, pool, config.algorithm.rollout_length, watch):
            learned = agent.learn(step)
            watch.lap("learn")
            progress.add(step)
            if learned is not None:
                metrics = learned
                progress.updates += 1
        progress.seconds = time.perf_counter() - start
        if log_due(progress.steps):
            row = _row(config, progress, watch.report(progress.steps - logged_at), metrics)
            logged_at = progress.steps
            for sink in sinks:
                sink.metrics(progress.steps, row)
        if progress.is_good_enough:
            break
        if save_due(progress.steps):
            saved_at = progress.steps
            _save(config, agent, pool, run, progress, metrics)
    if stop:
        _tell(sinks, "Stopping: a checkpoint is saved. Ctrl-C again leaves at once, without it")
    if progress.steps > saved_at:
        _save(config, agent, pool, run, progress, metrics)


def rollout(agent: Agent, pool: WorkerPool, num_steps: int, watch: Stopwatch) -> Iterator[TimeStep]:
    """The next `num_steps` steps of all environments, each to be learned from before the next is asked for."""
    if pool.num_parts > 1:
        yield from _overlapping_rollout(agent, pool, num_steps, watch)
        return
    for _ in range(num_steps):
        actions = agent.act(pool.latest())
        watch.lap("act")
        step = pool.step(actions)
        watch.lap("env")
        yield step


def _overlapping_rollout(agent: Agent, pool: WorkerPool, num_steps: int, watch: Stopwatch) -> Iterator[TimeStep]:
    """As `rollout`, but while one part of the environments plays, the agent acts for the next."""
    for t in range(num_steps):
        for part in range(pool.num_parts):
            step = pool.receive(part) if t > 0 else pool.latest(part)
            watch.lap("env")
            pool.send(agent.act(step), part)
            watch.lap("act")
        if t > 0:
            yield pool.latest()
    for part in range(pool.num_parts):
        pool.receive(part)
    watch.lap("env")
    yield pool.latest()


def _tell(sinks: Sequence[Sink], text: str) -> None:
    for sink in sinks:
        sink.event(text)


def _row(config: RunConfig, progress: Progress, timing: dict[str, float], metrics: Metrics) -> dict[str, float]:
    return {
        "rollout/ep_rew_mean": progress.mean_return,
        "rollout/ep_len_mean": progress.mean_length,
        "rollout/episodes": progress.episodes,
        "time/frames": progress.steps * config.frames_per_step,
        "time/updates": progress.updates,
        "time/time_elapsed": progress.seconds,
        **timing,
        **_finite(progress, metrics),
    }


def _finite(progress: Progress, metrics: Metrics) -> dict[str, float]:
    """The metrics as numbers; waits for the device. Raises LearningError if one is NaN or infinite."""
    numbers = {name: float(value) for name, value in metrics.items()}
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise LearningError(
                f"{name} is {number} at step {progress.steps:,}: learning has gone bad. Nothing is saved from here; "
                "the checkpoints are those of before. A lower algorithm.learning_rate or max_grad_norm may help"
            )
    return numbers


def _save(
    config: RunConfig, agent: Agent, pool: WorkerPool, run: RunDirectory, progress: Progress, metrics: Metrics
) -> None:
    """Save a checkpoint, unless learning has gone bad."""
    _finite(progress, metrics)
    checkpoint = Checkpoint(
        config=config,
        counters=progress.counters,
        score=progress.score,
        policy=agent.policy.to_arrays(),
        learner=agent.learner.to_arrays(),
        sampling=pool.snapshot(),
        progress=progress.to_arrays(),
    )
    run.save(checkpoint, config.training.keep_checkpoints)
