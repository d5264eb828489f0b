"""Operators that a network has no need of, refused before TensorFlow sees the graph.

A TensorFlow graph is a program: it can read and write files, call Python and open sockets, some
of that while it is merely loaded. A network is calculation, variables and functions.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from converters.errors import UnsafeFileError

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef

# Reach files, Python or the network without being marked as stateful.
_REACHING = frozenset({
    "ReadFile", "WriteFile", "MatchingFiles", "ImmutableConst", "PyFuncStateless", "PyFunc",
    "EagerPyFunc", "Save", "SaveV2", "SaveSlices", "Restore", "RestoreV2", "RestoreSlice",
    "MergeV2Checkpoints", "Print", "PrintV2", "LookupTableImport", "InitializeTableFromTextFile",
    "InitializeTableFromTextFileV2", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3",
    "TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2", "FixedLengthRecordDataset",
    "FixedLengthRecordDatasetV2", "LoadDataset", "SaveDataset", "SaveDatasetV2",
    "DistributedSave", "SnapshotDataset", "SnapshotDatasetV2", "CacheDataset", "CacheDatasetV2",
    "DecodeProtoV2", "EncodeProto", "DebugNanCount", "DebugNumericSummary",
    "DebugNumericSummaryV2", "Copy", "CopyHost", "ReaderRead", "ReaderReadUpTo",
    "MatchingFilesDataset", "LMDBDataset", "SqlDataset", "AudioSummary", "CompileLibrary",
})  # fmt: skip

# Marked as stateful, and yet no more than variables, functions, chance, loops and checks.
_HARMLESS = frozenset({
    "VarHandleOp", "ReadVariableOp", "VarIsInitializedOp", "AssignVariableOp",
    "AssignAddVariableOp", "AssignSubVariableOp", "VariableV2", "Variable",
    "IsVariableInitialized", "DestroyResourceOp",
    "ResourceGather", "ResourceGatherNd", "VariableShape", "DisableCopyOnRead",
    "TemporaryVariable",
    "StatefulPartitionedCall", "If", "While", "Case", "SymbolicGradient", "Assert",
    "RandomShuffle", "Multinomial", "RngSkip", "RngReadAndSkip", "LookupTableImportV2",
    "InitializeTableV2", "InitializeTable", "AnonymousHashTable",
})  # fmt: skip
_HARMLESS_FAMILIES = (
    "Random", "Parameterized", "Truncated", "Stateful", "HashTable", "MutableHashTable",
    "LookupTableFind", "LookupTableSize", "LookupTableExport", "LookupTableInsert", "TensorArray",
    "TensorList", "Stack", "CudnnRNN", "ResourceApply", "ResourceScatter", "ResourceStrided",
)  # fmt: skip

# What writes and reads checkpoints, in the functions that a SavedModel names for that.
_OF_SAVER = frozenset({
    "SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename", "SaveSlices", "Restore",
})  # fmt: skip


def check_graph(graph: "GraphDef", saver: Iterable[str] = (), label: str = "the graph") -> None:
    """Raises UnsafeFileError that lists every operator with effects beyond calculation.

    Args:
        graph: of the file, its functions included; nothing of it is run.
        saver: names of the nodes that save and restore; they, what they depend on, and the
            functions they call may hold the operators of checkpoints. They are never run.
        label: of the file, for the message.
    """
    from tensorflow.python.framework import op_def_registry

    allowed = _saver_nodes(graph, saver)
    found: dict[str, list[str]] = {}
    for room, node in _all_nodes(graph):
        definition = op_def_registry.get(node.op)
        stateful = definition is not None and definition.is_stateful
        reaching = node.op in _REACHING or "PyFunc" in node.op or "Dataset" in node.op
        if node.op in _OF_SAVER and (room, node.name) in allowed:
            continue
        if reaching or (stateful and not _harmless(node.op)):
            found.setdefault(node.op, []).append(f"{room}/{node.name}" if room else node.name)
    if found:
        listed = ", ".join(
            f"{op} ({len(names)}, first '{names[0]}')" for op, names in sorted(found.items())
        )
        raise UnsafeFileError(
            f"Expected a graph that only calculates, got operators in {label} that can reach "
            f"files, devices or other programs: {listed}. Nothing of it was run. Convert the "
            "network from its source, or export it without them."
        )


def _harmless(op: str) -> bool:
    return op in _HARMLESS or op.startswith(_HARMLESS_FAMILIES)


def _all_nodes(graph: "GraphDef") -> Iterator[tuple[str, "NodeDef"]]:
    """(function's name or "", node) over the graph and its library."""
    for node in graph.node:
        yield "", node
    for function in graph.library.function:
        for node in function.node_def:
            yield function.signature.name, node


def _saver_nodes(graph: "GraphDef", saver: Iterable[str]) -> set[tuple[str, str]]:
    """(room, node) of all that the saver's nodes depend on or call."""
    nodes = {node.name: node for node in graph.node}
    functions = {function.signature.name: function for function in graph.library.function}
    waiting = [name.split(":")[0] for name in saver if name]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        waiting += [entry.lstrip("^").split(":")[0] for entry in nodes[name].input]
    called = [nodes[name] for name in seen]
    done: set[str] = set()
    allowed = {("", name) for name in seen}
    while called:
        node = called.pop()
        for attribute in node.attr.values():
            function = attribute.func.name
            if function in functions and function not in done:
                done.add(function)
                called += functions[function].node_def
                allowed |= {(function, inner.name) for inner in functions[function].node_def}
    return allowed
