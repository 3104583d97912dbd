"""Expected failures. The command line prints the message without a traceback and exits with `exit_code`.

Any other exception is a bug in paac or in a library, and its traceback is printed.
"""

BUG = 70  #: exit code after an exception that is not one of these: EX_SOFTWARE of sysexits.h

REQUEUE = 75  #: exit code after SIGUSR1: EX_TEMPFAIL of sysexits.h, so that a job script can requeue the job


class PaacError(Exception):
    """A failure that the user can fix."""

    exit_code = 2


class ConfigError(PaacError):
    """A preset, an override, or their combination is invalid."""


class AlgorithmError(PaacError):
    """A third-party algorithm does not implement `Agent`, or returns something else than the interface demands."""


class EnvironmentSpecError(PaacError):
    """An environment does not exist, cannot be made, or has an unsupported space."""


class EnvOutputError(PaacError):
    """An observation, reward or flag does not match the environment's spaces, or is not finite."""

    exit_code = 1


class DependencyError(PaacError):
    """A library that paac needs cannot be imported."""


class DeviceError(PaacError):
    """The requested device is not available."""


class CheckpointError(PaacError):
    """A checkpoint is missing, damaged, or does not fit the model."""


class UnreadableCheckpointError(CheckpointError):
    """A valid checkpoint cannot be read, e.g. for lack of memory, or because another version of paac wrote it."""


class TrustError(PaacError):
    """A checkpoint or run directory refers to third-party code that the user has not trusted."""

    def __init__(self, message: str, code: str = "") -> None:
        """code: the references, e.g. `env.id = 'walk:Walk-v0'`."""
        super().__init__(message)
        self.code = code


class RunDirectoryError(PaacError):
    """A run directory cannot be written, or belongs to another run."""


class VerificationError(PaacError):
    """A run cannot be verified, because the steps to compare cannot be retrained."""


class OutputError(PaacError):
    """Standard output cannot be written."""


class VideoError(PaacError):
    """A video cannot be written."""


class DisplayError(PaacError):
    """There is no display on which a window could be opened."""


class LearningError(PaacError):
    """Learning has diverged: a value that must be finite, such as the loss, is NaN or infinite."""

    exit_code = 1


class StoppedError(PaacError):
    """The user asked the run to stop, and it does so without waiting for a hung worker or a slow rollout."""


class ClusterError(PaacError):
    """The processes that train one run together do not fit each other, or one of them is gone."""

    exit_code = 1


class CommandError(PaacError):
    """A command that a function of `paac_cli.api` has run has failed; the message has what it printed as errors."""

    def __init__(self, message: str, exit_code: int) -> None:
        """exit_code: of the command; negative: the signal that killed it."""
        super().__init__(message)
        self.exit_code = exit_code


class WorkerError(PaacError):
    """A worker process raised an exception or died; the message holds its traceback or exit code."""

    exit_code = 1
