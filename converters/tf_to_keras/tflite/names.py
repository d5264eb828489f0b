"""Names of tensors → names of layers and of the network's ends."""

import re

# What frameworks append to a layer's name: operators, variables, parts of a folded BatchNorm.
# The case tells TensorFlow's Conv2D from a layer that is called conv2d.
_NOT_LAYERS = {
    "Conv2D", "Conv3D", "Conv1D", "convolution", "MatMul", "BiasAdd", "weights_quant", "weights",
    "BatchNorm", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel", "Tensordot",
    "FusedBatchNormV3", "FusedBatchNorm", "ReadVariableOp", "kernel", "bias", "biases", "Relu",
    "Relu6", "add_fold", "Conv2D_Fold", "depthwise_Fold", "Conv2D_Fold_bias", "Reshape", "Sub",
    "depthwise_Fold_bias", "BatchNorm_Fold", "mul_fold", "conv2d_transpose", "Transpose", "Mul",
    "Add", "AddV2", "separable_conv2d", "ExpandDims", "Squeeze", "Rsqrt", "correction_mult",
    "embedding_lookup", "depthwise_weights", "gamma", "beta", "alpha", "Cast", "dequantize",
    "DepthwiseConv2D", "Conv2DTranspose", "LastValueQuant", "transpose",
    "Sigmoid", "Tanh", "Softmax", "batchnorm", "read", "resource",
}  # fmt: skip
_MADE_UP = re.compile(r"arith\.|tfl\.|std\.|tensor_|unknown|(Stateful)?PartitionedCall")
_WEIGHTED = re.compile(
    r"/(convolution|Conv[23]D|depthwise|MatMul|BiasAdd|conv2d_transpose)(_?\d+)?$"
)
_MODEL = re.compile(r"(?:functional|sequential|model)(_\d+)?")


def layer_name(tensor: str, otherwise: str) -> str:
    """The layer that a weight belongs to: 'a/conv1/Conv2D;a/bn/…' → 'a.conv1'.

    Converters fuse names with ';' and append operators; names that they made up
    ('arith.constant3', 'PartitionedCall') say nothing: `otherwise` is used, or "" given.
    """
    for text in (tensor, otherwise):
        # An output fused with its activation is called after that first.
        for part in sorted(
            text.split(";"), key=lambda one: text is tensor or not _WEIGHTED.search(one)
        ):
            steps = [step for step in part.split(":")[0].split("/") if step]
            if steps and _MADE_UP.match(steps[0]):
                continue
            if (
                len(steps) > 1 and steps[-1] == "depthwise"
            ):  # the operator, not a layer of that name
                steps.pop()
            while steps and _NOT_LAYERS & {steps[-1], re.sub(r"_?\d+$", "", steps[-1])}:
                steps.pop()
            if steps:
                return ".".join(_without_model(steps))
    return ""


def _without_model(steps: list[str]) -> list[str]:
    """functional_1/conv_1 ─▶ conv: Keras traces a model again and numbers all of its scopes."""
    model = _MODEL.fullmatch(steps[0])
    if model is None or len(steps) < 2:
        return steps
    return [steps[1].removesuffix(model[1] or ""), *steps[2:]]


def plain_name(name: str) -> str:
    """A tensor's name without what signatures put around it."""
    text = name.split(";")[0].split(":")[0]
    return text.removeprefix("serving_default_") or "tensor"
