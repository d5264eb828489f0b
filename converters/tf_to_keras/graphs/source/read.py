"""SavedModel folders and GraphDef files → protobuf, checked, with nothing of them run."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ReadError, UnsafeFileError, UnsupportedError
from converters.tf_to_keras.graphs.source.safety import check_graph

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

LARGEST_GRAPH = 2**31 - 1  # bytes; protobuf itself ends here
MOST_NODES = 500_000
SERVING = ("serve",)


def read_saved_model(folder: str | Path) -> "MetaGraphDef":
    """The checked graph for serving of a SavedModel folder.

    Raises ReadError for a broken folder, UnsafeFileError for a graph or a folder that reaches
    beyond itself.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    folder = Path(folder)
    check_folder(folder)
    saved = SavedModel()
    try:
        saved.ParseFromString(read_bytes(folder / "saved_model.pb"))
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
    graph = graphs[0]
    _check_size(graph.graph_def, str(folder))
    saver = graph.saver_def
    check_graph(
        graph.graph_def,
        (saver.save_tensor_name, saver.restore_op_name, saver.filename_tensor_name),
        f"'{folder}'",
    )
    return graph


def read_graph_def(path: str | Path) -> "GraphDef":
    """The checked graph of a `.pb` file; the file of a SavedModel gives its graph for serving."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
    from tensorflow.core.framework.graph_pb2 import GraphDef

    graph = GraphDef()
    try:
        graph.ParseFromString(read_bytes(Path(path)))
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
    _check_size(graph, str(path))
    check_graph(graph, label=f"'{path}'")
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
    """Raises UnsafeFileError for links that lead out of the folder."""
    if not folder.is_dir():
        raise ReadError(f"Expected a SavedModel folder, got '{folder}'. Check the path.")
    root = folder.resolve()
    for path in _entries(folder):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise UnsafeFileError(
                f"Expected files of the SavedModel's own, got the link '{path}' that leads to "
                f"'{path.resolve()}'. Copy the file into the folder."
            )


def _entries(folder: Path) -> Iterable[Path]:
    yield from (folder / "saved_model.pb", folder / "keras_metadata.pb", folder / "variables")
    if (folder / "variables").is_dir():
        yield from (folder / "variables").iterdir()


def _check_size(graph: "GraphDef", label: str) -> None:
    count = len(graph.node) + sum(len(function.node_def) for function in graph.library.function)
    if count > MOST_NODES:
        raise UnsupportedError(
            f"Expected at most {MOST_NODES:,} nodes, got {count:,} in {label}. No network that "
            "Keras can train has so many; unrolled loops do."
        )
