"""The synchronous loop: act, step, learn; and now and then a row of metrics and a checkpoint."""

import time
from collections.abc import Sequence

from paac_cli.algorithms.agent import Agent
from paac_cli.config.schema import RunConfig
from paac_cli.sampling.pool import WorkerPool
from paac_cli.sampling.rollout import Stopwatch, rollout
from paac_cli.training.bad_batch import check_metrics, check_weights
from paac_cli.training.checkpoint import Checkpoint
from paac_cli.training.progress import Progress
from paac_cli.training.run_directory import RunDirectory
from paac_cli.training.sinks import Sink
from paac_cli.training.stop import StopRequest

Row = dict[str, float]  #: metrics as numbers


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
    metrics: Row = {}
    start = time.perf_counter() - progress.seconds
    watch = Stopwatch()
    while progress.steps < config.training.total_steps and not stop:
        watch.skip()
        for step in rollout(agent, pool, config.algorithm.rollout_length, watch):
            learned = agent.learn(step)
            if learned is not None:  # waits for the device, as the next `act` would
                metrics = {name: float(value) for name, value in learned.items()}
                progress.updates += 1
            watch.lap("learn")
            progress.add(step)
            if learned is not None:
                check_metrics(metrics, agent, step, progress.steps, run.path)
        progress.seconds = time.perf_counter() - start
        if log_due(progress.steps):
            row = _row(config, progress, _timing(watch, progress.steps - logged_at), metrics)
            logged_at = progress.steps
            for sink in sinks:
                sink.metrics(progress.steps, row)
        if progress.is_good_enough:
            break
        if save_due(progress.steps):
            saved_at = progress.steps
            _save(config, agent, pool, run, progress)
    if stop:
        _tell(sinks, "Stopping: a checkpoint is saved. Ctrl-C again leaves at once, without it")
    if progress.steps > saved_at:
        _save(config, agent, pool, run, progress)


def _tell(sinks: Sequence[Sink], text: str) -> None:
    for sink in sinks:
        sink.event(text)


def _timing(watch: Stopwatch, steps: int) -> Row:
    """Speed and shares of the time in which `steps` were made; begins anew."""
    elapsed, spent = watch.read()
    return {"time/fps": steps / elapsed} | {f"time/{name}_share": part / elapsed for name, part in spent.items()}


def _row(config: RunConfig, progress: Progress, timing: Row, metrics: Row) -> Row:
    return {
        "rollout/ep_rew_mean": progress.mean_return,
        "rollout/ep_len_mean": progress.mean_length,
        "rollout/episodes": progress.episodes,
        "time/frames": progress.steps * config.frames_per_step,
        "time/updates": progress.updates,
        "time/time_elapsed": progress.seconds,
        **timing,
        **metrics,
    }


def _save(config: RunConfig, agent: Agent, pool: WorkerPool, run: RunDirectory, progress: Progress) -> None:
    """Save a checkpoint, unless learning has gone bad."""
    policy = agent.policy.to_arrays()
    check_weights(policy, progress.steps)
    checkpoint = Checkpoint(
        config=config,
        counters=progress.counters,
        score=progress.score,
        policy=policy,
        learner=agent.learner.to_arrays(),
        sampling=pool.snapshot(),
        progress=progress.to_arrays(),
    )
    run.save(checkpoint, config.training.keep_checkpoints)
