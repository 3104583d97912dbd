"""The failures that we foresee. The command line prints their message and exits with `exit_code`.

Anything else that is raised is a bug of ours and keeps its traceback.
"""

REQUEUE = 75  #: exit code after SIGUSR1: EX_TEMPFAIL of sysexits.h, by which a job script knows to ask for more time


class PaacError(Exception):
    """Something the user can put right."""

    exit_code = 2


class ConfigError(PaacError):
    """A preset, an override or a combination of both that cannot be run."""


class EnvironmentSpecError(PaacError):
    """An environment that does not exist, cannot be built, or has a space we do not support."""


class EnvOutputError(PaacError):
    """An observation, reward or end of an episode that is not what the environment's spaces say, or no number."""

    exit_code = 1


class DeviceError(PaacError):
    """The device that was asked for is not there."""


class CheckpointError(PaacError):
    """A checkpoint that is missing, foreign or damaged."""


class TrustError(PaacError):
    """A checkpoint or a run directory that names code to import, without the user's word for it."""


class RunDirectoryError(PaacError):
    """A run directory that cannot be written, or that holds another run."""


class VerificationError(PaacError):
    """A run of which nothing can be said: it cannot be trained again here."""


class VideoError(PaacError):
    """A film that cannot be written."""


class LearningError(PaacError):
    """Learning has gone bad: what should be a number is none."""

    exit_code = 1


class StoppedError(PaacError):
    """The run was to stop, and a worker that does not answer, or a rollout that takes long, is not waited for."""


class WorkerError(PaacError):
    """A worker process raised or died; the message carries its traceback or exit code."""

    exit_code = 1
