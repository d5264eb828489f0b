"""One layer of a Keras 2 config → the Keras 3 layer that computes the same.

Only the built-in classes named here are ever made, and only from settings that Keras 3 has.
A setting that Keras 3 lacks is dropped where it changes nothing, else the layer is refused.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from converters.tf_to_keras.keras2.translate import activations, keras1, recurrent
from converters.tf_to_keras.keras2.tree import (
    Json,
    Translated,
    UntranslatableError,
    plain,
    tupled,
)

ANY = object()

# Settings of bookkeeping or speed: without them a layer computes the same.
_BOOKKEEPING_WORDS = (
    "name trainable dtype batch_input_shape batch_shape batch_size input_shape input_dtype "
    "autocast implementation input_length query_shape key_shape value_shape fused "
    "virtual_batch_size adjustment input_spec _build_input_shape build_config"
)
BOOKKEEPING = frozenset(_BOOKKEEPING_WORDS.split())
INERT: tuple[Any, ...] = (None, False, 0, "", [], {})


@dataclass(frozen=True)
class Rule:
    """Keras 3 class, changed names, droppable settings, and what a missing setting meant."""

    target: str
    rename: Mapping[str, str] = field(default_factory=dict)
    drop: Mapping[str, Any] = field(default_factory=dict)
    default: Mapping[str, Any] = field(default_factory=dict)


_NO_KERNEL = dict.fromkeys(
    ("kernel_initializer", "kernel_regularizer", "kernel_constraint", "filters"), ANY
)
_SAME_WORDS = (
    "Dense Activation Flatten Reshape Permute RepeatVector Dropout Masking "
    "ActivityRegularization Conv1D Conv2D Conv3D Cropping1D Cropping2D Cropping3D "
    "UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D MaxPooling1D "
    "MaxPooling2D MaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D "
    "GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Add "
    "Subtract Multiply Average Maximum Minimum Concatenate Dot ELU Softmax PReLU ReLU "
    "GaussianNoise GaussianDropout AlphaDropout Identity LayerNormalization "
    "GroupNormalization UnitNormalization Normalization Rescaling Attention AdditiveAttention "
    "MultiHeadAttention EinsumDense CategoryEncoding Resizing CenterCrop RandomFlip "
    "RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness"
)
_SAME = _SAME_WORDS.split()
RULES: dict[str, Rule] = {name: Rule(name) for name in _SAME}
RULES |= {
    "Embedding": Rule("Embedding", drop={"sparse": ANY}),
    "BatchNormalization": Rule("BatchNormalization", default={"momentum": 0.99, "epsilon": 1e-3}),
    "SyncBatchNormalization": Rule("BatchNormalization"),
    "BatchNormalizationV1": Rule("BatchNormalization"),
    "BatchNormalizationV2": Rule("BatchNormalization"),
    "LeakyReLU": Rule("LeakyReLU", {"alpha": "negative_slope"}, default={"alpha": 0.3}),
    "ThresholdedReLU": Rule("ReLU", {"theta": "threshold"}, default={"theta": 1.0}),
    "DepthwiseConv1D": Rule("DepthwiseConv1D", drop=_NO_KERNEL | {"groups": 1}),
    "DepthwiseConv2D": Rule("DepthwiseConv2D", drop=_NO_KERNEL | {"groups": 1}),
    "SeparableConv1D": Rule("SeparableConv1D", drop=_NO_KERNEL | {"groups": 1}),
    "SeparableConv2D": Rule("SeparableConv2D", drop=_NO_KERNEL | {"groups": 1}),
    "Conv1DTranspose": Rule("Conv1DTranspose", drop={"groups": 1}),
    "Conv2DTranspose": Rule("Conv2DTranspose", drop={"groups": 1}),
    "Conv3DTranspose": Rule("Conv3DTranspose", drop={"groups": 1}),
    "ZeroPadding3D": Rule("ZeroPadding3D", default={"padding": [1, 1, 1]}),
    "AveragePooling1D": Rule("AveragePooling1D", default={"pool_size": 2}),
    "AveragePooling2D": Rule("AveragePooling2D", default={"pool_size": [2, 2]}),
    "AveragePooling3D": Rule("AveragePooling3D", default={"pool_size": [2, 2, 2]}),
    "SpatialDropout1D": Rule("SpatialDropout1D", drop={"noise_shape": ANY}),
    "SpatialDropout2D": Rule("SpatialDropout2D", drop={"noise_shape": ANY}),
    "SpatialDropout3D": Rule("SpatialDropout3D", drop={"noise_shape": ANY}),
    "Discretization": Rule("Discretization", {"bins": "bin_boundaries"}),
    "Hashing": Rule("Hashing"),
    "HashedCrossing": Rule("HashedCrossing"),
    "StringLookup": Rule("StringLookup", drop={"vocabulary_size": ANY}),
    "IntegerLookup": Rule("IntegerLookup", drop={"vocabulary_size": ANY}),
    "TextVectorization": Rule("TextVectorization", drop={"vocabulary_size": ANY}),
}
_INTEGERS_OUT_WORDS = (
    "Discretization Hashing HashedCrossing StringLookup IntegerLookup TextVectorization "
    "CategoryEncoding"
)
_INTEGERS_OUT = frozenset(_INTEGERS_OUT_WORDS.split())
_SPELLED = {
    "l1": "L1",
    "l2": "L2",
    "l1_l2": "L1L2",
    "max_norm": "MaxNorm",
    "non_neg": "NonNeg",
    "unit_norm": "UnitNorm",
    "min_max_norm": "MinMaxNorm",
}
_NEEDS_VOCABULARY = ("StringLookup", "IntegerLookup", "TextVectorization")


def translate(class_name: str, config: Json, name: str) -> Translated:
    """The Keras 3 layer for one config; raises UntranslatableError with the reason."""
    class_name, config = keras1.to_keras2(class_name, config)
    config = plain(config)
    if config.get("data_format") == "channels_first":
        raise UntranslatableError(f"{class_name}(data_format='channels_first')")
    if class_name in _CONVNEXT:
        return Translated(_CONVNEXT[class_name](config, name))
    if class_name in recurrent.CLASSES:
        return recurrent.translate(class_name, config, name, translate, settings)
    if class_name not in RULES:
        raise UntranslatableError(class_name)
    rule, after = RULES[class_name], ()
    config = dict(rule.default) | config
    if class_name in _NEEDS_VOCABULARY and not isinstance(config.get("vocabulary"), list):
        raise UntranslatableError(f"{class_name} without a vocabulary in its config")
    if "activation" in config:
        config["activation"], after = activations.after(config["activation"], name, translate)
    config = {rule.rename.get(key, key): value for key, value in config.items()}
    kind = getattr(keras.layers, rule.target)
    kwargs = settings(kind, config, rule.drop, class_name)
    if class_name not in _INTEGERS_OUT:
        kwargs["dtype"] = "float32"
    if class_name == "SyncBatchNormalization":
        kwargs["synchronized"] = True
    if class_name == "Activation" and after:
        *first, last = after
        last.name = name
        return Translated(first[0], (*first[1:], last)) if first else Translated(last)
    return Translated(kind(**kwargs, name=name), after)


def _layer_scale(config: Json, name: str) -> keras.layers.Layer:
    if set(config) - BOOKKEEPING != {"init_values", "projection_dim"}:
        raise UntranslatableError("LayerScale")
    return keras.layers.EinsumDense(
        "abcd,d->abcd", output_shape=(None, None, config["projection_dim"]), bias_axes=None,
        kernel_initializer=keras.initializers.Constant(config["init_values"]),
        name=name, dtype="float32",
    )  # fmt: skip


def _stochastic_depth(config: Json, name: str) -> keras.layers.Layer:
    if set(config) - BOOKKEEPING != {"drop_path_rate"}:
        raise UntranslatableError("StochasticDepth")
    shape = (None, 1, 1, 1)
    return keras.layers.Dropout(
        config["drop_path_rate"], noise_shape=shape, name=name, dtype="float32"
    )


# Layers of Keras Applications' own ConvNeXt, told by their settings.
_CONVNEXT = {"LayerScale": _layer_scale, "StochasticDepth": _stochastic_depth}


def settings(kind: type, config: Json, drop: Mapping[str, Any], class_name: str) -> Json:
    """Keyword arguments that Keras 3's class takes; raises for one that would be lost."""
    known = set(inspect.signature(kind).parameters) | {"activity_regularizer"}
    kwargs: Json = {}
    for key, value in config.items():
        if key in BOOKKEEPING:
            continue
        if key not in known or (key == "activity_regularizer" and value is None):
            allowed = drop.get(key, None)
            if allowed is ANY or value in INERT or (allowed is not None and value == allowed):
                continue
            raise UntranslatableError(f"{class_name}({key}={value!r})")
        made = _setting(key, value, class_name)
        if made is not ANY:
            kwargs[key] = made
    return kwargs


def _setting(key: str, value: Any, class_name: str) -> Any:
    if key.endswith("initializer"):
        return _initializer(value)
    if key.endswith("regularizer"):
        return _object(value, keras.regularizers, class_name, key)
    if key.endswith("constraint"):
        return _object(value, keras.constraints, class_name, key)
    if key == "axis" and class_name.startswith(("BatchNorm", "SyncBatchNorm")):
        if isinstance(value, list):  # Keras 2 allows several axes, and writes one as a list
            if len(value) != 1:
                raise UntranslatableError(f"{class_name}(axis={value})")
            return value[0]
        return value
    if key in ("vocabulary", "idf_weights", "bin_boundaries", "mean", "variance", "axis"):
        return value
    if key == "renorm" and value:  # Keras 3 has it, with its arrays in another order
        raise UntranslatableError(f"{class_name}(renorm=True)")
    if isinstance(value, dict):
        raise UntranslatableError(f"{class_name}({key}={value.get('class_name', value)!r})")
    return tupled(value)


def _initializer(value: Any) -> Any:
    """The initializer, or ANY to leave Keras 3's own: the weights come from the file."""
    name = value.get("class_name") if isinstance(value, dict) else value
    config = value.get("config", {}) if isinstance(value, dict) else {}
    kind = getattr(keras.initializers, name, None) if isinstance(name, str) else None
    if not inspect.isclass(kind) or not issubclass(kind, keras.initializers.Initializer):
        return ANY
    known = set(inspect.signature(kind).parameters)
    kept = {key: item for key, item in config.items() if key in known}
    if name == "VarianceScaling" and kept.get("distribution") == "normal":
        kept["distribution"] = "truncated_normal"
    try:
        return kind(**kept)
    except (TypeError, ValueError):
        return ANY


def _object(value: Any, module: Any, class_name: str, key: str) -> Any:
    """A regularizer or constraint made by its class; it takes part in training."""
    if value is None:
        return None
    name = value.get("class_name") if isinstance(value, dict) else value
    config = value.get("config", {}) if isinstance(value, dict) else {}
    spelled = _SPELLED.get(name, name) if isinstance(name, str) else ""
    kind = getattr(module, spelled, None)
    root = getattr(module, "Regularizer", None) or module.Constraint
    if not inspect.isclass(kind) or not issubclass(kind, root):
        raise UntranslatableError(f"{class_name}({key}={name!r})")
    known = set(inspect.signature(kind).parameters)
    return kind(**{k: v for k, v in config.items() if k in known})
