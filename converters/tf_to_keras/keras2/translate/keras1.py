"""Keras 1 layer configs said in the words of Keras 2; every other config passes unchanged."""

from typing import Any

from converters.tf_to_keras.keras2.tree import Json, UntranslatableError

CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
}
MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
    "dot": "Dot",
    "cos": "Dot",
}
KEYS = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "forget_bias_init": "bias_initializer",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "pool_length": "pool_size",
    "stride": "strides",
    "p": "rate",
    "sigma": "stddev",
    "beta_init": "beta_initializer",
    "gamma_init": "gamma_initializer",
}
DROPPED = ("consume_less", "input_dtype", "weights", "output_shape_type", "arguments")
ORDERS = {"tf": "channels_last", "th": "channels_first", "default": "channels_last"}
_WITH_UNITS = ("Dense", "LSTM", "GRU", "SimpleRNN")
_MARKS = frozenset(KEYS) | {"nb_row", "consume_less"}


def is_keras1(class_name: str, config: Json) -> bool:
    """Whether a layer's config is in Keras 1's words."""
    if class_name in CLASSES or class_name == "Merge":
        return True
    if class_name in _WITH_UNITS and "units" not in config and "output_dim" in config:
        return True
    return class_name != "GaussianNoise" and bool(_MARKS & set(config)) and "rate" not in config


def to_keras2(class_name: str, config: Json) -> tuple[str, Json]:
    """Class name and config as Keras 2 would have written them."""
    if not is_keras1(class_name, config):
        return class_name, config
    if class_name == "Merge":
        return _merge(config)
    said = {KEYS.get(key, key): value for key, value in config.items() if key not in DROPPED}
    if "nb_row" in said:
        said["kernel_size"] = [said.pop("nb_row"), said.pop("nb_col")]
    if class_name == "Convolution3D":
        said["kernel_size"] = [said.pop(f"kernel_dim{axis}") for axis in (1, 2, 3)]
    if class_name in _WITH_UNITS and "output_dim" in said:
        said["units"] = said.pop("output_dim")
        said.pop("input_dim", None)
        said.pop("input_length", None)
    if class_name == "BatchNormalization" and said.pop("mode", 0) not in (0, 2):
        raise UntranslatableError("BatchNormalization(mode=1)")
    if "data_format" in said:
        said["data_format"] = ORDERS.get(said["data_format"], said["data_format"])
    if class_name == "Deconvolution2D":
        said.pop("output_shape", None)
    if class_name == "Embedding":
        said.pop("kernel_initializer", None)
        said.pop("dropout", None)
    return CLASSES.get(class_name, class_name), said


def _merge(config: Json) -> tuple[str, Json]:
    mode: Any = config.get("mode")
    if mode not in MERGES:
        raise UntranslatableError(f"Merge(mode={mode!r})")
    said: Json = {"name": config.get("name")}
    if mode == "concat":
        said["axis"] = config.get("concat_axis", -1)
    if mode in ("dot", "cos"):
        said["axes"] = config.get("dot_axes", -1)
        said["normalize"] = mode == "cos"
    return MERGES[mode], said
