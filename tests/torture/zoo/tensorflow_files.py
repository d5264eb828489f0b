"""SavedModels and graphs that read, write, call Python or explode; TensorFlow Lite; TF.js."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.torture.zoo.den import WORDS, Den, beast

GRAPH = "tensorflow"
REACHING = "can reach files, devices or other programs"
LAYERS, CALLS = 12, 10


def saved_model(den: Den, answer: Callable[[Any], Any]) -> None:
    """A SavedModel with one weight, whose signature adds to it what `answer` gives."""
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable(tf.ones((3, 2)), name="weight")
    module.f = tf.function(
        lambda x: tf.reduce_mean(x, [1, 2]) @ module.weight + answer(x),
        input_signature=[tf.TensorSpec((None, 16, 16, 3), tf.float32, name="x")],
    )
    shutil.rmtree(den.path, ignore_errors=True)
    tf.saved_model.save(module, str(den.path), signatures={"serving_default": module.f})
    den.fired.unlink(missing_ok=True)


def _edited(den: Den, edit: Callable[[Any], None]) -> None:
    """A harmless SavedModel with its message changed."""
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved_model(den, lambda x: tf.constant(0.0))
    file = den.path / "saved_model.pb"
    message = SavedModel.FromString(file.read_bytes())
    edit(message.meta_graphs[0])
    file.write_bytes(message.SerializeToString())


def _numbers(den: Den) -> Any:
    import tensorflow as tf

    raw = tf.strings.substr(tf.io.read_file(str(den.secret)), 0, 8)
    return tf.io.decode_raw(raw, tf.float32)


@beast("read_file", GRAPH, f"{REACHING}.*ReadFile")
def _read(den: Den) -> None:
    saved_model(den, lambda x: _numbers(den))


@beast("write_file", GRAPH, f"{REACHING}.*WriteFile")
def _write(den: Den) -> None:
    import tensorflow as tf

    def answer(x: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(str(den.fired), "fired")]):
            return tf.constant(0.0)

    saved_model(den, answer)


@beast("py_func", GRAPH, f"{REACHING}.*PyFunc")
def _py_func(den: Den) -> None:
    import tensorflow as tf

    def run(x: Any) -> Any:
        exec(den.command)
        return x

    saved_model(den, lambda x: tf.reduce_sum(tf.numpy_function(run, [x], tf.float32)))


@beast("abort", GRAPH, f"{REACHING}.*Abort")
def _abort(den: Den) -> None:
    """Stateless by TensorFlow's registry, and yet it ends the process."""
    import tensorflow as tf

    def answer(x: Any) -> Any:
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="fired")]):
            return tf.constant(0.0)

    saved_model(den, answer)


@beast("asset_outside", GRAPH, "assets")
def _asset(den: Den) -> None:
    _edited(den, lambda graph: graph.asset_file_def.add(filename=str(den.secret)))


@beast("table_from_file", GRAPH, f"{REACHING}.*TextFile")
def _table(den: Den) -> None:
    def edit(graph: Any) -> None:
        node = graph.graph_def.node.add(name="table", op="InitializeTableFromTextFileV2")
        node.input.extend(["h", "f"])

    _edited(den, edit)


@beast("saver_as_answer", GRAPH, f"{REACHING}.*SaveV2")
def _saver(den: Den) -> None:
    """The function that writes checkpoints, called by the one that answers."""

    def edit(graph: Any) -> None:
        functions = {f.signature.name: f for f in graph.graph_def.library.function}
        saving = next(n for n, f in functions.items() if any(i.op == "SaveV2" for i in f.node_def))
        serving = next(n for n in functions if "signature_wrapper" in n)
        call = functions[serving].node_def.add(name="also", op="StatefulPartitionedCall")
        call.attr["f"].func.name = saving

    _edited(den, edit)


@beast("linked_variables", GRAPH, "link")
def _linked(den: Den) -> None:
    _edited(den, lambda graph: None)
    file = den.path / "variables" / "variables.data-00000-of-00001"
    outside = den.home / f"{den.name}.data"
    shutil.move(file, outside)
    file.symlink_to(outside)


def _graph(den: Den, build: Callable[[Any], Any]) -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 16, 16, 3), name="x")
        tf.identity(tf.reduce_mean(x, [1, 2]) + build(x), name="y")
    den.path.write_bytes(graph.as_graph_def().SerializeToString())


@beast("read_file.pb", GRAPH, f"{REACHING}.*ReadFile")
def _read_pb(den: Den) -> None:
    _graph(den, lambda x: _numbers(den)[0])


@beast("write_file.pb", GRAPH, f"{REACHING}.*WriteFile")
def _write_pb(den: Den) -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(str(den.fired), "fired")]):
            return tf.constant(0.0)

    _graph(den, build)


@beast("vocabulary.pb", GRAPH, f"{REACHING}.*GenerateVocabRemapping")
def _vocabulary(den: Den) -> None:
    """Stateless by TensorFlow's registry, and yet it reads two files."""
    import tensorflow as tf

    def build(x: Any) -> Any:
        secret = str(den.secret)
        found = tf.raw_ops.GenerateVocabRemapping(
            new_vocab_file=secret, old_vocab_file=secret, new_vocab_offset=0, num_new_vocab=1
        )
        return tf.cast(tf.reduce_sum(found.remapping), tf.float32)

    _graph(den, build)


@beast("constant_of_64_gb.pb", GRAPH, "exhaust memory")
def _splat(den: Den) -> None:
    from tensorflow.core.framework.graph_pb2 import GraphDef

    _graph(den, lambda x: 0.0)
    graph = GraphDef.FromString(den.path.read_bytes())
    constant = graph.node.add(name="many", op="Const")
    constant.attr["dtype"].type = 1
    tensor = constant.attr["value"].tensor
    tensor.dtype = 1
    tensor.float_val.append(0.5)
    for _ in range(2):
        tensor.tensor_shape.dim.add(size=2**17)
    total = graph.node.add(name="total", op="Neg", input=["many"])
    total.attr["T"].type = 1
    den.path.write_bytes(graph.SerializeToString())


@beast("fill_64_gb.pb", GRAPH, "exhaust memory")
def _fill(den: Den) -> None:
    import tensorflow as tf

    _graph(den, lambda x: tf.reduce_sum(tf.fill((2**17, 2**17), 0.5)))


def _library(den: Den, calls: int, layers: int) -> None:
    """Functions that each call the one before; the first calls the last where there is one."""
    import tensorflow as tf
    from tensorflow.core.framework.graph_pb2 import GraphDef

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 4), name="x")
        tf.identity(x, name="y")
    definition = GraphDef.FromString(graph.as_graph_def().SerializeToString())
    for number in range(layers):
        function = definition.library.function.add()
        function.signature.name = f"f{number}"
        function.signature.input_arg.add(name="a", type=1)
        function.signature.output_arg.add(name="b", type=1)
        before = (number - 1) % layers if calls == 1 else number - 1
        names = ["a", *(f"c{place}:output:0" for place in range(calls))]
        for place in range(calls):
            node = function.node_def.add(
                name=f"c{place}", op="PartitionedCall", input=[names[place]]
            )
            if before < 0:
                node.op = "Neg"
            else:
                node.attr["f"].func.name = f"f{before}"
        function.ret["b"] = names[-1]
    node = definition.node.add(name="z", op="PartitionedCall", input=["x"])
    node.attr["f"].func.name = f"f{layers - 1}"
    for key in ("Tin", "Tout"):
        node.attr[key].list.type.append(1)
    den.path.write_bytes(definition.SerializeToString())


@beast("laughs.pb", GRAPH, "at most .* nodes")
def _laughs(den: Den) -> None:
    _library(den, CALLS, LAYERS)


@beast("endless.pb", GRAPH, "calls itself")
def _endless(den: Den) -> None:
    _library(den, 1, 3)


@beast("empty_nodes.pb", GRAPH, "at most .* nodes")
def _empty(den: Den) -> None:
    den.path.write_bytes(b"\x0a\x00" * 10_000_000)


def _tflite(path: Path, shape: list[int]) -> None:
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    relu = schema.BuiltinOperator.RELU
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = relu
    tensors = []
    for name in ("x", "y"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, 0, 0
        tensors.append(tensor)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [0], [1], [operator]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


@beast("giant.tflite", GRAPH, "tensor of shape")
def _giant(den: Den) -> None:
    _tflite(den.path, [1, 2**15, 2**15, 64])


@beast("offsets.tflite", GRAPH, "TensorFlow Lite")
def _offsets(den: Den) -> None:
    _tflite(den.path, [1, 8, 8, 3])
    content = bytearray(den.path.read_bytes())
    for place in range(8, len(content) - 4, 4):
        if struct.unpack_from("<I", content, place)[0] in (1, 2):
            struct.pack_into("<I", content, place, 0xFFFFFFF0)
    den.path.write_bytes(content)


def _tfjs(den: Den, shard: str) -> None:
    dense = {"name": "dense", "units": 2, "batch_input_shape": [None, 4]}
    layers = [{"class_name": "Dense", "config": dense}]
    topology = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    weights = [{"name": "dense/kernel", "shape": [4, 2], "dtype": "float32"},
               {"name": "dense/bias", "shape": [2], "dtype": "float32"}]  # fmt: skip
    said = {"modelTopology": {"keras_version": "2.8", "model_config": topology},
            "weightsManifest": [{"paths": [shard], "weights": weights}]}  # fmt: skip
    den.path.mkdir(exist_ok=True)
    (den.path / "model.json").write_text(json.dumps(said))


@beast("upwards_tfjs", GRAPH, "leads elsewhere")
def _upwards(den: Den) -> None:
    _tfjs(den, f"../../{den.secret.name}")


@beast("absolute_tfjs", GRAPH, "leads elsewhere")
def _absolute(den: Den) -> None:
    _tfjs(den, str(den.secret))


@beast("linked_tfjs", GRAPH, "leads elsewhere")
def _linked_shard(den: Den) -> None:
    _tfjs(den, "shard.bin")
    (den.path / "shard.bin").unlink(missing_ok=True)
    (den.path / "shard.bin").symlink_to(den.secret)


@beast("deep_tfjs", GRAPH, "lists and objects deep")
def _deep(den: Den) -> None:
    den.path.mkdir(exist_ok=True)
    (den.path / "model.json").write_bytes(b'{"modelTopology":' + b"[" * 200_000 + WORDS)
