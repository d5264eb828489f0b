"""Matrix products, embeddings and recurrent layers."""

import numpy as np

from converters.tf_to_keras.tflite.ops.convolution import bias_weight
from converters.tf_to_keras.tflite.registry import Call, op
from converters.tf_to_keras.tflite.write import Value


@op("FULLY_CONNECTED")
def fully_connected(call: Call) -> str:
    """x (…, in), kernel (units, in) → (rows, units), or (…, units) with keep_num_dims."""
    x, kernel = call.value(0), call.value(1)
    if kernel.rank != 2 or None in kernel.shape or call.option("weights_format"):
        raise call.fail("a plain kernel of rank 2", f"{kernel.shape}")
    name = call.name(0)
    keep = call.option("keep_num_dims") and x.rank > 2 and x.shape[-1] == kernel.shape[1]
    if (x.rank != 2 and not keep) or x.shape[-1] != kernel.shape[1]:
        name = call.write.reshape(name, (None, kernel.shape[1]))
    if kernel.data is not None:
        weight = call.write.weight(kernel, kernel.data.T)
    else:
        weight = call.write("Transpose", kernel.name, perm=[1, 0])
    name = call.write("MatMul", name, weight)
    for bias in bias_weight(call, 2):
        name = call.write("Add", name, bias)
    if keep or len(call.shape) == 2:
        return name
    return call.write.shaped(name, call.shape, call.batched)


@op("BATCH_MATMUL")
def batch_matmul(call: Call) -> str:
    """Product over the last two axes; each side may be transposed."""
    first, second = call.value(0), call.value(1)
    whole = [value for value in (first, second) if value.batched]
    rank = len(call.shape)
    plain = rank > 2 and all(
        value.rank == rank and value.shape[0] == call.shape[0] for value in whole
    )
    if whole == [first] and first.rank == 2 == rank and not call.option("adj_x"):
        plain = True
    names = []
    for value, flip in ((first, "adj_x"), (second, "adj_y")):
        turned = value if plain else call.write.apart(value)
        name = call.write.operand(turned)
        if call.option(flip):
            axes = list(range(turned.rank))
            axes[-2:] = axes[-1], axes[-2]
            name = call.write("Transpose", name, perm=axes)
        names.append(name)
    name = call.write("MatMul", *names)
    return name if plain or not whole else call.write.together(name, call.shape)


@op("EMBEDDING_LOOKUP")
def embedding_lookup(call: Call) -> str:
    """Rows of the second input at the indices of the first."""
    return call.write("Gather", call.write.weight(call.value(1)), call.name(0), axis=0)


@op("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(call: Call) -> str:
    """The plain LSTM: inputs 1-4 and 5-8 are the kernels i, f, c, o; 12-15 the biases."""
    x = call.value(0)
    others = [call.maybe(index) for index in (9, 10, 11, 16, 17, 20, 21, 22, 23)]
    # Every Keras LSTM is written with a clip of the cell at 10, which its source did not have.
    clipped = 0 < call.number("cell_clip") < 10
    if any(value is not None for value in others) or clipped:
        raise call.fail("an LSTM without peepholes, projection, clip or norm", "one with them")
    if call.option("fused_activation_function", 4) != 4 or x.rank != 3:
        raise call.fail("tanh and an input of rank 3", f"{call.options}")
    if call.option("time_major") and x.batched:
        raise call.fail("the batch in front", "time in front")
    kernels = [_fixed(call, index) for index in (1, 4, 2, 3)]  # ONNX: i, o, f, c
    recurrent = [_fixed(call, index) for index in (5, 8, 6, 7)]
    biases = [_fixed(call, index) for index in (12, 15, 13, 14)]
    units = recurrent[0].shape[1]
    names = [
        call.write.weight(call.value(1), np.concatenate(kernels)[None], "kernel"),
        call.write.weight(call.value(5), np.concatenate(recurrent)[None], "recurrent"),
        call.write.weight(
            call.value(12), np.concatenate([*biases, np.zeros(4 * units, np.float32)])[None], "bias"
        ),
    ]
    turned = call.name(0)
    if not call.option("time_major"):
        turned = call.write("Transpose", turned, perm=[1, 0, 2])
    name = call.write("LSTM", turned, *names, hidden_size=units)  # (time, 1, n, units)
    name = call.write("Squeeze", name, call.write.ints(1))
    return name if call.option("time_major") else call.write("Transpose", name, perm=[1, 0, 2])


def _fixed(call: Call, index: int) -> np.ndarray:
    value: Value = call.value(index)
    if value.data is None:
        raise call.fail(f"a constant at input {index}", "a computed one")
    return value.data
