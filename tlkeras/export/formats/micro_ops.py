"""The operators that TensorFlow Lite for Microcontrollers has, and those a file needs.

The list is `MicroMutableOpResolver`'s, in tensorflow/lite/micro/micro_mutable_op_resolver.h of
github.com/tensorflow/tflite-micro, as of 2026-08-20 (commit 90b983c2b3f1). A device's own build
may have fewer.
"""

from collections.abc import Iterable

SOURCE = "github.com/tensorflow/tflite-micro"
COMMIT, DATE = "90b983c2b3f1", "2026-08-20"

_NAMES = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
    BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM
    DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP
    EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND
    GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL
    LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM
    MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL
    REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2
    ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V
    SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
    TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""
MICRO_OPERATORS = frozenset(_NAMES.split())

_METHODS = {
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "BATCH_MATMUL": "AddBatchMatMul",
    "CONV_2D": "AddConv2D",
    "CUMSUM": "AddCumSum",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "L2_POOL_2D": "AddL2Pool2D",
    "MAX_POOL_2D": "AddMaxPool2D",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}


def not_on_micro(operators: Iterable[str]) -> list[str]:
    """Those of the operators, by their names in LiteRT's schema, that it lacks; sorted.

    >>> not_on_micro(["CONV_2D", "ERF", "SOFTMAX"])
    ['ERF']
    """
    return sorted(set(operators) - MICRO_OPERATORS)


def resolver_method(operator: str) -> str:
    """The method of `MicroMutableOpResolver` that registers an operator.

    >>> resolver_method("FULLY_CONNECTED"), resolver_method("CONV_2D")
    ('AddFullyConnected', 'AddConv2D')
    """
    plain = "Add" + "".join(word.capitalize() for word in operator.split("_"))
    return _METHODS.get(operator, plain)
