"""SavedModel folders and GraphDef files → protobuf, checked, with nothing of them run."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from converters.errors import ReadError, UnsafeFileError
from converters.onnx_to_keras.read.wire import fields
from converters.tf_to_keras.graphs.source.growth import MOST_NODES, check_growth, too_many
from converters.tf_to_keras.graphs.source.safety import check_graph

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

LARGEST_GRAPH = 2**31 - 1  # bytes; protobuf itself ends here
SERVING = ("serve",)
_BYTES = 2  # a field of bytes or of a message, on the wire
_INITIALISERS = ("saved_model_main_op", "legacy_init_op")
_KEPT = ("variables", "assets", "assets.extra")


def read_saved_model(folder: str | Path, allow_ops: Collection[str] = ()) -> "MetaGraphDef":
    """The checked graph for serving of a SavedModel folder.

    Args:
        folder: with saved_model.pb in it.
        allow_ops: operators that the user insists on although they reach files.

    Raises:
        ReadError: a broken folder.
        UnsafeFileError: a graph or a folder that reaches beyond itself.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    folder = Path(folder)
    check_folder(folder)
    content = read_bytes(folder / "saved_model.pb")
    for number, wire, at, length in fields(content, 0, len(content)):
        if (number, wire) == (2, _BYTES):  # a graph with its signatures
            _check_count(content, at, at + length, 2, str(folder))
    saved = SavedModel()
    try:
        saved.ParseFromString(content)
    except DecodeError as err:
        raise ReadError(
            f"Expected a SavedModel, got a saved_model.pb in '{folder}' that is no such message "
            f"({err}). Copy the folder again, whole."
        ) from err
    graphs = [graph for graph in saved.meta_graphs if set(SERVING) <= set(graph.meta_info_def.tags)]
    if not graphs:
        tags = [list(graph.meta_info_def.tags) for graph in saved.meta_graphs]
        raise ReadError(
            f"Expected a graph with the tag 'serve', got the tags {tags} in '{folder}'. Save the "
            "model again with tf.saved_model.save."
        )
    _check_meta_graph(graphs[0], folder, allow_ops)
    return graphs[0]


def read_graph_def(path: str | Path, allow_ops: Collection[str] = ()) -> "GraphDef":
    """The checked graph of a `.pb` file; the file of a SavedModel gives its graph for serving."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
    from tensorflow.core.framework.graph_pb2 import GraphDef

    graph = GraphDef()
    content = read_bytes(Path(path))
    _check_count(content, 0, len(content), None, str(path))
    try:
        graph.ParseFromString(content)
    except (DecodeError, UnicodeDecodeError) as err:
        raise ReadError(
            f"Expected a frozen TensorFlow graph, got '{path}', which is no GraphDef ({err}). "
            "For a SavedModel give its folder; for others export the graph again, frozen."
        ) from err
    if not graph.node:
        raise ReadError(
            f"Expected a frozen TensorFlow graph, got '{path}' without nodes. For a SavedModel "
            "give its folder, with variables/ in it."
        )
    check_growth(graph, f"'{path}'")
    check_graph(graph, label=f"'{path}'", allow_ops=allow_ops)
    return graph


def read_bytes(path: Path) -> bytes:
    """The content of a file no larger than a protobuf message can be."""
    try:
        size = path.stat().st_size
        if size <= LARGEST_GRAPH and path.is_file():
            return path.read_bytes()
    except OSError as err:
        raise ReadError(f"Expected a file that can be read, got {err}. Check the path.") from err
    raise ReadError(
        f"Expected a file of at most {LARGEST_GRAPH:,} bytes, got {size:,} at '{path}'."
    )


def check_folder(folder: Path) -> None:
    """Raises UnsafeFileError for links that lead out of the folder, and for what is no file."""
    if not folder.is_dir():
        raise ReadError(f"Expected a SavedModel folder, got '{folder}'. Check the path.")
    root = folder.resolve()
    for path in _entries(folder):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise UnsafeFileError(
                f"Expected files of the SavedModel's own, got the link '{path}' that leads to "
                f"'{path.resolve()}'. Copy the file into the folder."
            )
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UnsafeFileError(
                f"Expected files, got '{path}', which is a pipe or a device: reading it may never "
                "end. Copy the folder again."
            )


def _entries(folder: Path) -> Iterable[Path]:
    yield from folder.iterdir()
    for name in _KEPT:
        if (folder / name).is_dir():
            yield from (folder / name).iterdir()


def _check_meta_graph(graph: "MetaGraphDef", folder: Path, allow_ops: Collection[str]) -> None:
    for asset in graph.asset_file_def:
        path = PurePosixPath(asset.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in asset.filename:
            raise UnsafeFileError(
                f"Expected assets in the SavedModel's own folder, got {asset.filename[:200]!r} in "
                f"'{folder}', which leads elsewhere. Save the model again with tf.saved_model.save."
            )
    saver = graph.saver_def
    check_growth(graph.graph_def, f"'{folder}'")
    check_graph(
        graph.graph_def,
        (saver.save_tensor_name, saver.restore_op_name, saver.filename_tensor_name),
        f"'{folder}'",
        used=_used(graph),
        called=_called(graph),
        allow_ops=allow_ops,
    )


def _used(graph: "MetaGraphDef") -> Iterator[str]:
    """Nodes that answer, or prepare for it when the SavedModel is loaded."""
    for signature in graph.signature_def.values():
        yield from (info.name for info in signature.outputs.values())
    for key in _INITIALISERS:
        yield from graph.collection_def[key].node_list.value


def _called(graph: "MetaGraphDef") -> Iterator[str]:
    """Functions that the objects of a SavedModel name."""
    objects = graph.object_graph_def
    yield from objects.concrete_functions
    for node in objects.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name


def _check_count(content: bytes, start: int, end: int, field: int | None, label: str) -> None:
    """Raises UnsupportedError for more nodes than a network has, before they are parsed.

    Each empty node is two bytes in the file, and eighty times as many once it is parsed.
    """
    for count, _ in enumerate(_nodes(content, start, end, field)):
        if count >= MOST_NODES:
            raise too_many(count, f"'{label}'")


def _nodes(content: bytes, start: int, end: int, field: int | None) -> Iterator[None]:
    """One for each node of a graph on the wire, those of its functions too."""
    for number, wire, at, length in fields(content, start, end):
        if wire != _BYTES:
            continue
        if field is not None:  # the graph is a field of what was given
            if number == field:
                yield from _nodes(content, at, at + length, None)
        elif number == 1:
            yield None
        elif number == 2:  # the library: functions, each with nodes
            for place, kind, begin, extent in fields(content, at, at + length):
                if (place, kind) == (1, _BYTES):
                    inside = fields(content, begin, begin + extent)
                    yield from (None for inner in inside if inner[:2] == (3, _BYTES))
