"""Compiles the functions of an algorithm to TensorFlow graphs, and calls them with little overhead."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import rewriter_config_pb2

from paac_cli.config.schema import RunConfig
from paac_cli.machine import available_cores

_ONE_THREAD = "SINGLE_THREADED_EXECUTOR"
#: Without the optimiser of memory, which replaces additions of large tensors (AddN) by operations that the executor for
#: one thread cannot execute, and that others execute in no fixed order. What has no GPU kernel is computed on the CPU.
_CONFIG = tf.compat.v1.ConfigProto(
    allow_soft_placement=True,
    graph_options={"rewrite_options": {"memory_optimization": rewriter_config_pb2.RewriterConfig.NO_MEM_OPT}},
).SerializeToString()

Signature = tuple[tuple[tf.TensorShape, tf.DType], ...]


@dataclass
class _Traced:
    """A graph for arguments of certain shapes and dtypes."""

    graph: tf.types.experimental.ConcreteFunction
    captured: list[tf.Tensor] | None  #: the variables that it uses; None: they must be asked for at each call
    dtypes: list[tf.DType]  #: of its outputs
    structure: Any  #: of its outputs
    executor: str  #: what executes its operations; empty: TensorFlow's usual executor
    is_parallel: bool  #: whether it is called so that operations run at the same time
    calls: int = 0  #: how often it was called


class GraphFunction:
    """A function of tensors as a graph, which is traced once for each combination of shapes and dtypes.

    A call costs 40 us instead of the 230 of a `tf.function` (see docs/performance-experiments.md), because the graph is
    called as an operation, and on the CPU its operations run one after another in the calling thread. Each of them may
    still use all cores. When a call returns, the CPU has finished; a GPU has copied the arguments.
    """

    def __init__(
        self, function: Callable[..., Any], *, jit_compile: bool = False, has_parallel_parts: bool = False
    ) -> None:
        """function: takes tensors, and returns tensors or None; both in any structure that `tf.nest` knows.

        jit_compile: compile it with XLA.
        has_parallel_parts: operations that do not depend on each other, e.g. those of two networks, run at the same
        time on several cores, where that gives the same bits. This must save more than the 190 us by which a call of
        a large graph becomes slower.

        AutoGraph is off, because rewriting source code takes most of the tracing time. Therefore an `if` or `for` in
        `function` is executed while it is traced, and cannot depend on a tensor.
        """
        self._function, self._jit_compile = function, jit_compile
        self._is_parallel = has_parallel_parts and available_cores() > 1
        self._traced: dict[Signature, _Traced] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Call it with tensors or arrays. In the graph of another function it becomes a part of that graph."""
        if not tf.executing_eagerly():
            return self._function(*arguments)
        inputs = [tf.convert_to_tensor(array) for array in tf.nest.flatten(arguments)]
        signature = tuple([(tensor.shape, tensor.dtype) for tensor in inputs])
        traced = self._traced.get(signature)
        if traced is None:
            traced = self._traced[signature] = self._trace(arguments)
        traced.calls += 1
        if traced.is_parallel:
            return traced.graph(*_pack(arguments, iter(inputs)))
        captured = traced.graph.captured_inputs if traced.captured is None else traced.captured
        outputs = tf.raw_ops.StatefulPartitionedCall(
            args=[*inputs, *captured],
            Tout=traced.dtypes,
            f=traced.graph,
            config_proto=_CONFIG,
            executor_type=traced.executor,
        )
        return _pack(traced.structure, iter(outputs or ()))

    def calls(self) -> list[tuple[tf.types.experimental.ConcreteFunction, int]]:
        """Every graph that was traced so far, and how often it was called."""
        return [(traced.graph, traced.calls) for traced in self._traced.values()]

    def _trace(self, arguments: tuple[Any, ...]) -> _Traced:
        specs = tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), arguments)
        function = tf.function(self._function, autograph=False, jit_compile=self._jit_compile or None)
        graph = function.get_concrete_function(*specs)
        dtypes = [tensor.dtype for tensor in graph.outputs]
        nodes = _nodes(graph.graph)
        is_collective = any(node.op.startswith("Collective") for node in nodes)
        captured = None if is_collective else list(graph.captured_inputs)  # a collective gets a new number at each call
        executor = "" if is_collective else _executor_for(nodes)
        is_parallel = self._is_parallel and executor == _ONE_THREAD and not _has_unordered_sums(nodes)
        return _Traced(graph, captured, dtypes, graph.structured_outputs, executor, is_parallel)


def _nodes(graph: tf.Graph) -> list[Any]:
    """All operations of a graph and of the functions that it calls."""
    definition = graph.as_graph_def()
    return [*definition.node, *(node for function in definition.library.function for node in function.node_def)]


def _has_unordered_sums(nodes: list[Any]) -> bool:
    """Whether several threads could add floats in different orders.

    To save memory, TensorFlow may replace an addition of three or more large tensors, such as the gradient of a layer
    normalisation, by additions to one variable, in no fixed order. It cannot be asked not to when a graph is called as
    a function.
    """
    return any(node.op == "AddN" and node.attr["N"].i > 2 for node in nodes)


def _executor_for(nodes: list[Any]) -> str:
    """The executor for one thread, where it can be used: it can neither wait for a GPU nor execute loops and branches.

    A model in Keras may have loops, e.g. over time.
    """
    has_control_flow = any(node.attr["_lower_using_switch_merge"].b for node in nodes)
    return "" if has_control_flow or tf.config.get_visible_devices("GPU") else _ONE_THREAD


def _pack(structure: Any, tensors: Iterator[tf.Tensor]) -> Any:
    """`structure` with the `tensors` in it, as `tf.nest.pack_sequence_as`, which takes three times as long."""
    match structure:
        case None:
            return None
        case dict():
            sorted_parts = {key: _pack(structure[key], tensors) for key in sorted(structure)}
            return {key: sorted_parts[key] for key in structure}
        case tuple() | list():
            parts = [_pack(part, tensors) for part in structure]
            return structure._make(parts) if hasattr(structure, "_make") else type(structure)(parts)
    return next(tensors)


def call_if(condition: tf.Tensor, function: Callable[[], None]) -> None:
    """In a graph: call `function`, which returns nothing, if `condition` [] bool is true.

    A `tf.cond` is rewritten to operations that the executor for one thread cannot execute; not so this one.
    """
    then = tf.function(function, autograph=False).get_concrete_function()
    inputs = list(then.captured_inputs)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in inputs]
    otherwise = tf.function(lambda *unused: None, autograph=False).get_concrete_function(*specs)
    tf.raw_ops.If(cond=condition, input=inputs, Tout=[], then_branch=then, else_branch=otherwise)


def compile_graph(
    function: Callable[..., Any], config: RunConfig, *, has_parallel_parts: bool = False
) -> GraphFunction:
    """`function` as a graph; with `training.jit_compile`, compiled by XLA."""
    return GraphFunction(function, jit_compile=config.training.jit_compile, has_parallel_parts=has_parallel_parts)
