"""Operators that a network has no need of, refused before TensorFlow sees the graph.

A TensorFlow graph is a program: it can read and write files, call Python and open sockets, some
of that while it is merely loaded or converted (tf2onnx runs what has constant inputs). So an
operator is let through by what TensorFlow's own registry says of it:

    keeps no state, takes no text     it cannot name a file, a host or a function
    in a list below                   variables, loops, chance, tables; text that stays text
    of the saver, called by it alone  checkpoints; never run here
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from converters.errors import UnsafeFileError
from converters.tf_to_keras.graphs.source.growth import callees

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.framework.op_def_pb2 import OpDef

# Marked as stateful, or with a name among their inputs, and yet no more than variables,
# functions, chance, loops, tables and checks.
_HARMLESS = frozenset({
    "VarHandleOp", "ReadVariableOp", "VarIsInitializedOp", "AssignVariableOp",
    "AssignAddVariableOp", "AssignSubVariableOp", "VariableV2", "Variable",
    "IsVariableInitialized", "DestroyResourceOp",
    "ResourceGather", "ResourceGatherNd", "VariableShape", "DisableCopyOnRead",
    "TemporaryVariable", "Placeholder",
    "StatefulPartitionedCall", "If", "While", "Case", "SymbolicGradient", "Assert",
    "RandomShuffle", "Multinomial", "RngSkip", "RngReadAndSkip", "LookupTableImportV2",
    "InitializeTableV2", "InitializeTable", "AnonymousHashTable", "CheckNumerics",
    "CheckNumericsV2", "SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2",
    "DestroyTemporaryVariable",
})  # fmt: skip
_HARMLESS_FAMILIES = (
    "Random", "Parameterized", "Truncated", "Stateful", "HashTable", "MutableHashTable",
    "LookupTableFind", "LookupTableSize", "LookupTableExport", "LookupTableInsert", "TensorArray",
    "TensorList", "Stack", "CudnnRNN", "ResourceApply", "ResourceScatter", "ResourceStrided",
)  # fmt: skip

# Stateless operators with text among their inputs: it is looked at, and names nothing.
_OF_TEXT = frozenset({
    "DecodeBmp", "DecodeGif", "DecodeImage", "DecodeJpeg", "DecodePng", "DecodeAndCropJpeg",
    "DecodeWebP", "ExtractJpegShape", "DecodeRaw", "DecodePaddedRaw", "DecodeBase64",
    "EncodeBase64", "DecodeCompressed", "StringJoin", "StringLength", "StringLower",
    "StringUpper", "StringStrip", "StringToNumber", "StringToHashBucket",
    "StringToHashBucketFast", "StringToHashBucketStrong", "StringSplit", "StringSplitV2",
    "StringNGrams", "Substr", "RegexReplace", "RegexFullMatch", "StaticRegexReplace",
    "StaticRegexFullMatch", "ReduceJoin", "UnsortedSegmentJoin", "StringFormat", "UnicodeDecode",
    "UnicodeDecodeWithOffsets", "UnicodeEncode", "UnicodeScript", "UnicodeTranscode",
    "ParseExample", "ParseExampleV2", "ParseSingleExample", "ParseTensor", "DecodeCSV",
    "ShardedFilename", "LookupTableImport", "AsString", "Assert",
})  # fmt: skip
# Attributes of type text that choose among ways to compute; others may name a file.
_WORDS = frozenset({
    "data_format", "src_format", "dst_format", "padding", "mode", "equation", "method",
    "round_mode", "direction", "rnn_mode", "input_mode", "combiner", "container", "shared_name",
    "frame_name", "message", "loss_type", "fill_mode", "interpolation", "config", "config_proto",
    "executor_type", "bad_indices_policy", "align", "row_partition_types", "noise", "kernel_type",
    "input_quant_mode", "set_operation", "input_order", "split_type", "dimension_numbers", "fill",
    "format", "density_unit", "xmp_metadata", "var_name",
})  # fmt: skip
# Whatever the registry says: pipelines that read files, and other machines.
_NEVER = ("Dataset", "TPU", "Infeed", "Outfeed", "PyFunc", "Queue", "Debug")

# What writes and reads checkpoints, in the functions that a SavedModel names for that.
_OF_SAVER = frozenset({
    "SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename", "SaveSlices", "Restore",
})  # fmt: skip


def check_graph(
    graph: "GraphDef",
    saver: Iterable[str] = (),
    label: str = "the graph",
    *,
    used: Iterable[str] = (),
    called: Iterable[str] = (),
    allow_ops: Collection[str] = (),
) -> None:
    """Raises UnsafeFileError that lists every operator with effects beyond calculation.

    Args:
        graph: of the file, its functions included; nothing of it is run.
        saver: names of the nodes that save and restore. They, what they depend on, and the
            functions that they alone call may hold the operators of checkpoints.
        label: of the file, for the message.
        used: names of the nodes that answer or prepare: what they depend on is no saver's.
        called: functions that objects of the file call, so that the saver is not alone.
        allow_ops: operators that the user insists on, by name.
    """
    from tensorflow.python.framework import op_def_registry

    allowed = _saver_nodes(graph, saver, used, called)
    found: dict[str, list[str]] = {}
    for room, node in _all_nodes(graph):
        definition = op_def_registry.get(node.op)
        if definition is None or node.op in allow_ops or calculates(definition):
            continue  # one that TensorFlow does not know cannot run: it is told later, with others
        if node.op in _OF_SAVER and (room, node.name) in allowed:
            continue
        found.setdefault(node.op, []).append(f"{room}/{node.name}" if room else node.name)
    if found:
        listed = ", ".join(
            f"{op} ({len(names)}, first '{names[0][:100]}')" for op, names in sorted(found.items())
        )
        names = ", ".join(repr(op) for op in sorted(found))
        raise UnsafeFileError(
            f"Expected a graph that only calculates, got operators in {label} that can reach "
            f"files, devices or other programs: {listed}. Nothing of it was run. Convert the "
            "network from its source, or export it without them. If you trust the file and insist, "
            f"name them: converters.tf_to_keras(path, allow_ops=({names},)); they may then run."
        )


def calculates(definition: "OpDef") -> bool:
    """Whether an operator, by TensorFlow's own definition of it, can do no more than calculate.

    Example::

        calculates(op_def_registry.get("Conv2D")), calculates(op_def_registry.get("ReadFile"))
    """
    name = definition.name
    if any(part in name for part in _NEVER):
        return False
    if name in _HARMLESS or name in _OF_TEXT or name.startswith(_HARMLESS_FAMILIES):
        return True
    if definition.is_stateful:
        return False
    from tensorflow.core.framework.types_pb2 import DT_STRING

    takes_text = any(argument.type == DT_STRING for argument in definition.input_arg)
    words = [attr.name for attr in definition.attr if attr.type in ("string", "list(string)")]
    return not takes_text and _WORDS.issuperset(words)


def _all_nodes(graph: "GraphDef") -> Iterator[tuple[str, "NodeDef"]]:
    """(function's name or "", node) over the graph and its library."""
    for node in graph.node:
        yield "", node
    for function in graph.library.function:
        for node in function.node_def:
            yield function.signature.name, node


def _saver_nodes(
    graph: "GraphDef", saver: Iterable[str], used: Iterable[str], called: Iterable[str]
) -> set[tuple[str, str]]:
    """(room, node) of all that the saver's nodes, and nobody else, depend on or call."""
    nodes = {node.name: node for node in graph.node}
    of_saver = _depended_on(nodes, saver)
    answering = _depended_on(nodes, used)
    functions = {function.signature.name: function for function in graph.library.function}
    calls = {name: _callees(function.node_def, functions) for name, function in functions.items()}
    rooms = _reached(_callees([nodes[name] for name in of_saver], functions), calls)
    others = [node for node in graph.node if node.name not in of_saver or node.name in answering]
    elsewhere = {name for name in functions if name not in rooms}
    by_others = _reached({*_callees(others, functions), *elsewhere, *called} & calls.keys(), calls)
    allowed = {("", name) for name in of_saver - answering}
    for room in rooms - by_others:
        allowed |= {(room, inner.name) for inner in functions[room].node_def}
    return allowed


def _depended_on(nodes: "Mapping[str, NodeDef]", names: Iterable[str]) -> set[str]:
    """Names of the nodes, and of all that they take, from what is in the graph."""
    waiting = [_node_name(name) for name in names if name]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen and name in nodes:
            seen.add(name)
            waiting += [_node_name(entry) for entry in nodes[name].input]
    return seen


def _node_name(entry: str) -> str:
    return entry.lstrip("^").split(":")[0]


def _callees(nodes: "Iterable[NodeDef]", functions: Collection[str]) -> set[str]:
    """Functions of the library that nodes name, as an attribute or as their operator."""
    return {name for node in nodes for name in callees(node) if name in functions}


def _reached(start: Iterable[str], calls: "Mapping[str, set[str]]") -> set[str]:
    waiting, seen = list(start), set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += calls[name]
    return seen
