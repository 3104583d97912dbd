"""The connection of a rank with the others, over which TensorFlow carries all messages.

It is that of `tf.distribute.MultiWorkerMirroredStrategy`. Its sums have the same bits in every rank.
"""

import contextlib
import faulthandler
import functools
import re
import subprocess
from collections.abc import Callable, Iterator

import tensorflow as tf
from numpy.typing import NDArray

from paac_cli.errors import ClusterError
from paac_cli.training.cluster import JOB, TIMEOUT, Cluster, listed

#: Whether this process has connected with other ranks. Then only `os._exit` ends it: TensorFlow would wait for them,
#: even if they are gone.
is_open = False

_TASK = re.compile(rf"/job:{JOB}/(?:replica:0/)?task:(\d+)")  # how TensorFlow names a rank in its messages
_OF_CONNECTIONS = (  # errors of an exchange of messages
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)
_SERVICE = "CoordinationService"  # of TensorFlow; it runs in rank 0


class Connection:
    """A connection with all other ranks. They must call the same methods in the same order."""

    def __init__(self, cluster: Cluster, timeout: float) -> None:
        """Connect with the other ranks, which listen. Nothing may have been computed with TensorFlow before.

        timeout: seconds that an exchange of messages may take. Raises ClusterError.
        """
        global is_open
        is_open = True
        self._rank, self._timeout = cluster.rank, timeout
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({JOB: list(cluster.addresses)}), task_type=JOB, task_id=cluster.rank, rpc_layer="grpc"
        )
        kinds = tf.distribute.experimental.CommunicationImplementation
        options = tf.distribute.experimental.CommunicationOptions(
            timeout_seconds=timeout,
            implementation=kinds.NCCL if tf.config.get_visible_devices("GPU") else kinds.RING,
        )
        try:
            late = f"rank {cluster.rank} did not connect within {TIMEOUT:g} s with all of {listed(cluster.others)}"
            with _at_most(TIMEOUT, late):
                self._strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver, options)
        except (tf.errors.OpError, RuntimeError) as error:
            raise ClusterError(f"rank {cluster.rank} cannot connect with the others: {error}") from error

    def total(self, vector: tf.Tensor) -> tf.Tensor:
        """The sum of a vector [K], K > 0, over all ranks. Fails as TensorFlow does."""
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, vector, axis=None)

    def sum(self, array: NDArray) -> NDArray:
        """The sum of an array, which is not empty, over all ranks. Raises ClusterError if a rank is gone."""
        with self.explaining_failures():
            return self._traced_total(tf.convert_to_tensor(array.reshape(-1))).numpy().reshape(array.shape)

    @functools.cached_property
    def _traced_total(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return tf.function(self.total, autograph=False, reduce_retracing=True)

    @contextlib.contextmanager
    def explaining_failures(self) -> Iterator[None]:
        """In this block an exchange of messages that fails is a ClusterError, which names the rank that is gone."""
        try:
            yield
        except tf.errors.OpError as error:
            text = str(error)
            gone = sorted({int(rank) for rank in _TASK.findall(text)} - {self._rank})
            if not gone and _SERVICE in text and self._rank != 0:
                gone = [0]
            if not gone and not isinstance(error, _OF_CONNECTIONS):
                raise
            name = " and ".join(f"rank {rank}" for rank in gone) or "another rank"
            raise ClusterError(
                f"rank {self._rank} ends, because {name} does not answer any more: it has ended with an error of its "
                f"own, was killed, is stopped, cannot be reached, or took {self._timeout:g} s longer. If it has no "
                "error, the run can be resumed from its last checkpoint"
            ) from error


@contextlib.contextmanager
def _at_most(seconds: float, message: str) -> Iterator[None]:
    """End the process with exit code 1 and an error if the block takes longer, even if it holds Python's lock.

    TensorFlow does so, and waits without an end, if another rank ends while they connect. What ends the process first
    writes stack traces; the error is printed in their place.
    """
    on_first_line = ["sh", "-c", 'read -r line && echo "Error: $0" >&2', message]
    with subprocess.Popen(on_first_line, stdin=subprocess.PIPE, text=True) as printer:
        assert printer.stdin is not None
        faulthandler.dump_traceback_later(seconds, exit=True, file=printer.stdin)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
