"""The processes ("ranks") that train one run together, and their messages outside of graphs.

Every rank plays a share of the environments, and all learn the same (see `learning/process_group.py`). The first one,
rank 0, also writes the run directory.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.load import load_config
from paac_cli.config.schema import RunConfig
from paac_cli.config.trust import code_names
from paac_cli.errors import AlgorithmError, ClusterError, LearningError
from paac_cli.events import Approximate, Event, Info, Log
from paac_cli.runs.arrays import array_pieces, arrays_from_bytes
from paac_cli.runs.checkpoint import PARTS, Checkpoint, PolicyArrays, from_messages, to_messages
from paac_cli.runs.runtime import Runtime
from paac_cli.sampling.partition import split_evenly
from paac_cli.timestep import TimeStep

if TYPE_CHECKING:
    from paac_cli.training.connection import Connection


class RankState(NamedTuple):
    """The state of one rank, or of all of them together."""

    signal: int = 0  #: number of the stop signal that it has got; 0 if none
    has_diverged: bool = False  #: whether an environment has diverged on replay
    restarts: int = 0  #: of workers, so far


class RolloutReport(NamedTuple):
    """What happened in a rollout in all ranks."""

    episodes: NDArray  #: [K] `episode_dtype`, the games that ended, in order of time and environment
    state: RankState
    rewards: dict[str, float]  #: metrics: the smallest and the largest reward of a step


class Ranks:
    """By default one rank. All ranks must call the same methods in the same order."""

    def __init__(self, rank: int = 0, size: int = 1, connection: "Connection | None" = None) -> None:
        """connection: with the other ranks, if there are others."""
        self.rank, self.size, self.connection = rank, size, connection

    @property
    def is_first(self) -> bool:
        """Whether this rank writes the run directory."""
        return self.rank == 0

    def logging_once(self, log: Log) -> Log:
        """`log`, but what is the same in all ranks is logged by rank 0 only."""

        def log_own(event: Event) -> None:
            if self.is_first or not isinstance(event, Info | Approximate):
                log(event)

        return log_own

    def explaining_failures(self) -> contextlib.AbstractContextManager[None]:
        """A context manager: in its block, an exchange with other ranks that fails is a ClusterError."""
        return contextlib.nullcontext() if self.connection is None else self.connection.explaining_failures()

    def require_equal(self, arrays: Mapping[str, NDArray]) -> None:
        """Raise ClusterError, in every rank, if `arrays` are not the same in all of them, bit for bit."""
        if self._different_from_first(part for name in arrays for part in (name.encode(), arrays[name].tobytes())):
            self.finish()
            raise ClusterError(
                "the ranks have computed different weights, so nothing is saved. This must not happen; are their "
                "processors of different types? The run can be resumed from its last checkpoint"
            )

    @contextlib.contextmanager
    def failing_together(self) -> Iterator[None]:
        """For a block that fails in all ranks or in no rank: none may end before all have come here."""
        try:
            yield
        except (AlgorithmError, LearningError):
            self.finish()
            raise

    def finish(self) -> None:
        """Wait until all ranks have come here, and may end without disturbing another one."""
        self.stack(np.array(0))
        with contextlib.suppress(ClusterError):  # a rank that ends may interrupt the last exchange
            self.stack(np.array(0))

    def share(self, num_envs: int) -> range:
        """The environments of this rank."""
        return split_evenly(range(num_envs), self.size)[self.rank]

    def stack(self, array: NDArray) -> NDArray:
        """[size, ...]: `array` of every rank, of the same shape and dtype: float32, float64, int32 or int64."""
        if self.size == 1:
            return array[np.newaxis]
        whole = np.zeros((self.size, *array.shape), array.dtype)
        whole[self.rank] = array
        return self._sum(whole)

    def concatenate(self, array: NDArray, axis: int = 0) -> NDArray:
        """`array` of every rank, one after the other along `axis`. Only there may their sizes differ."""
        if self.size == 1:
            return array
        array = np.moveaxis(array, axis, 0)
        counts = self.stack(np.array(len(array)))
        start = int(counts[: self.rank].sum())
        whole = np.zeros((int(counts.sum()), *array.shape[1:]), array.dtype)
        if not whole.size:
            return np.moveaxis(whole, 0, axis)
        whole[start : start + len(array)] = array
        packed = np.zeros(-(-whole.nbytes // 4) * 4, np.uint8)  # whole words of 32 bits, which are added as integers
        packed[: whole.nbytes] = np.frombuffer(whole.tobytes(), np.uint8)
        summed = self._sum(packed.view(np.int32)).view(np.uint8)[: whole.nbytes]
        return np.moveaxis(np.frombuffer(summed.tobytes(), whole.dtype).reshape(whole.shape), 0, axis)

    def from_all(self, data: bytes) -> list[bytes]:
        """What each rank gives."""
        sizes = self.stack(np.array(len(data)))
        whole = self.concatenate(np.frombuffer(data, np.uint8)).tobytes()
        return [whole[end - size : end] for size, end in zip(sizes, np.cumsum(sizes), strict=True)]

    def agree_on(self, number: int) -> int:
        """The largest `number` of all ranks."""
        return int(self.stack(np.array(number)).max())

    def from_first(self, data: bytes) -> bytes:
        """What rank 0 gives."""
        return self.from_all(data if self.is_first else b"")[0]

    def runtime(self, own: Runtime) -> Runtime:
        """The runtime of rank 0, with those of the others. own: of this process."""
        first, *others = map(Runtime.model_validate_json, self.from_all(own.model_dump_json().encode()))
        return first.model_copy(update={"others": tuple(others)})

    def require_same(self, config: RunConfig, versions: Mapping[str, str]) -> None:
        """Raise ClusterError, in every rank, if a rank has other versions of packages or another config."""
        if others := self._different_from_first([json.dumps(versions).encode(), config.model_dump_json().encode()]):
            names = ", ".join(map(str, others))
            self.finish()
            raise ClusterError(
                "all ranks must have the same versions of paac and its packages, the same settings and the same seed; "
                f"different from rank 0: {names}"
            )

    def config_of_first(self, config: RunConfig) -> RunConfig:
        """The config of rank 0, with what it has found for settings that are `auto`."""
        if self.size == 1:
            return config
        text = self.from_first(config.model_dump_json().encode())
        return load_config(json.loads(text), "the config of rank 0", trusted=code_names(config))

    def checkpoint_of_first(self, checkpoint: Checkpoint | None, config: RunConfig) -> Checkpoint | None:
        """What rank 0 has loaded; what the others give is ignored. config: of the run, whose code is trusted."""
        if self.size == 1:
            return checkpoint
        messages = to_messages(checkpoint) if checkpoint and self.is_first else [b""] * (1 + len(PARTS))
        received = [self.from_first(message) for message in messages]
        if self.is_first:
            return checkpoint
        return from_messages(received, code_names(config)) if received[0] else None

    def policy_of_first(self, policy: PolicyArrays | None) -> PolicyArrays:
        """What rank 0 has found, without the config of the policy; the others give None."""
        if self.size > 1:
            arrays = self.from_first(b"".join(array_pieces(policy.arrays)) if policy else b"")
            sha256 = self.from_first(policy.sha256.encode() if policy else b"")
            policy = PolicyArrays(arrays_from_bytes(arrays), sha256.decode(), {})
        assert policy is not None
        return policy

    def report(self, played: Sequence[TimeStep], first_env: int, own: RankState) -> RolloutReport:
        """What happened in a rollout in all ranks. played: its steps. first_env: index of the first own environment."""
        episodes, rewards = [step.episodes for step in played], played[-1].rollout.reward
        smallest, largest = rewards.min(), rewards.max()
        if self.size == 1:
            return RolloutReport(np.concatenate(episodes), own, _reward_range(smallest, largest))
        count = sum(map(len, episodes))
        of_ranks = self.stack(np.array([*own, count, smallest, largest], np.float64))
        signals, diverged, restarts, counts, lows, highs = of_ranks.T
        everywhere = RankState(int(signals.max()), bool(diverged.any()), int(restarts.sum()))
        reward_range = _reward_range(lows.min(), highs.max())
        dtype = episodes[0].dtype
        if not counts.any():
            return RolloutReport(np.empty(0, dtype), everywhere, reward_range)
        dated = np.zeros(count, [("t", np.int64), ("env", np.int64), ("game", dtype)])
        dated["t"] = np.repeat(np.arange(len(episodes)), [len(each) for each in episodes])
        dated["game"] = np.concatenate(episodes)
        dated["game"]["env"] += first_env
        dated["env"] = dated["game"]["env"]
        merged = self.concatenate(dated)
        in_order = np.lexsort((merged["env"], merged["t"]))
        return RolloutReport(merged["game"][in_order], everywhere, reward_range)

    def histories(self, arrays: dict[str, NDArray]) -> dict[str, NDArray]:
        """The `snapshot` of the pools of all ranks, from that of the own pool."""
        return {name: self.concatenate(array) for name, array in arrays.items()}

    def _different_from_first(self, data: Iterable[bytes]) -> list[int]:
        """The ranks in which the bytes of `data` are not those of rank 0."""
        if self.size == 1:
            return []
        hashed = hashlib.sha256()
        for part in data:
            hashed.update(part)
        digests = self.stack(np.frombuffer(hashed.digest(), np.int32))
        return np.flatnonzero((digests != digests[0]).any(axis=1)).tolist()

    def _sum(self, array: NDArray) -> NDArray:
        assert self.connection is not None
        return self.connection.sum(array)


ALONE = Ranks()


def _reward_range(smallest: float, largest: float) -> dict[str, float]:
    return {"rollout/reward_min": float(smallest), "rollout/reward_max": float(largest)}
