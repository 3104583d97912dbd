"""Saves what a training has reached."""

from collections.abc import Callable

from paac_cli.runs.arrays import Arrays
from paac_cli.runs.checkpoint import Checkpoint
from paac_cli.runs.runtime import approximate_reasons, unique
from paac_cli.training.bad_batch import check_weights
from paac_cli.training.training import Training


class CheckpointWriter:
    """Saves checkpoints, the policies of milestones, and the best evaluated policy. Only rank 0 writes files.

    Its methods raise LearningError, in all ranks, if a weight is not finite, and RunDirectoryError if saving fails.
    """

    def __init__(
        self, training: Training, resume_from: Checkpoint | None, reason: str | None, has_diverged: Callable[[], bool]
    ) -> None:
        """reason: why the run is approximate because of its environment; None if it is not.

        has_diverged: whether an environment has diverged on replay so far, in any rank.
        """
        self._training, self._has_diverged = training, has_diverged
        self._approximate = approximate_reasons(
            training.runtime,
            resume_from.runtime if resume_from else None,
            resume_from.approximate if resume_from else (),
            resumes_exactly=training.config.algorithm.resumes_exactly,
        )
        if reason:
            self._approximate = unique((*self._approximate, reason))

    @property
    def approximate(self) -> tuple[str, ...]:
        """Why the run is not bit-for-bit reproducible; empty if it is."""
        diverged = ("an environment diverged on replay",) if self._has_diverged() else ()
        return unique((*self._approximate, *diverged))

    def save(self, *, evaluation_due: bool, may_be_best: bool) -> None:
        """Save a checkpoint, and its policy also as the best one, if it is that and the run makes no evaluations.

        evaluation_due: as in the manifest. may_be_best: False for the checkpoint of a stop. Where a run is stopped
        must not change which policy is its best.
        """
        training = self._training
        policy = self.checked_policy()
        training.ranks.require_equal(policy)
        checkpoint = self._checkpoint(policy, training.progress.score)._replace(
            learner=training.agent.learner.to_arrays(),
            sampling=training.ranks.histories(training.pool.snapshot(of_last_rollout=True)),
            progress=training.progress.to_arrays(),
            evaluation_due=evaluation_due,
        )
        if training.ranks.is_first:
            settings = training.config.training
            may_be_best = may_be_best and settings.evaluate_every is None
            training.log(training.run_dir.save(checkpoint, settings.keep_checkpoints, may_be_best=may_be_best))

    def save_milestone(self) -> None:
        """Save the policy of a milestone."""
        policy = self.checked_policy()
        if self._training.ranks.is_first:
            self._training.run_dir.save_milestone(self._checkpoint(policy, self._training.progress.score))

    def save_if_best(self, policy: Arrays, score: float) -> None:
        """In rank 0: save the `policy` if `score`, its evaluation, is the best."""
        self._training.run_dir.save_if_best(self._checkpoint(policy, score)._replace(is_evaluated=True))

    def checked_policy(self) -> Arrays:
        """The arrays of the policy as it is now."""
        policy = self._training.agent.policy.to_arrays()
        with self._training.ranks.failing_together():
            check_weights(policy, self._training.progress.steps)
        return policy

    def _checkpoint(self, policy: Arrays, score: float | None) -> Checkpoint:
        """A checkpoint of now, with the `policy` alone."""
        training = self._training
        return Checkpoint(
            config=training.config,
            counters=training.progress.counters,
            score=score,
            policy=policy,
            learner={},
            sampling={},
            progress={},
            runtime=training.runtime,
            approximate=self.approximate,
        )
