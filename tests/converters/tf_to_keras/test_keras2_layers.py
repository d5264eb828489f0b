"""Every built-in layer of Keras 2, saved by it both ways, against its own answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from converters.tf_to_keras.keras2 import keras2_to_keras
from tests.converters.tf_to_keras.keras2_nets import (
    assert_equal_answers,
    assert_round_trip,
    inputs,
    randomise,
    saved,
)

tk = pytest.importorskip("tf_keras")
tf = pytest.importorskip("tensorflow")
L = tk.layers

NAMES = (
    "hard_sigmoid swish gelu mish exponential selu softplus softsign elu relu tanh sigmoid softmax"
)
PICTURE, STEPS, VOLUME = (7, 5, 4), (6, 4), (5, 4, 6, 3)


def picture_layers() -> list[Any]:
    return [
        L.Conv2D(3, 3, activation="hard_sigmoid", padding="same", dilation_rate=2),
        L.Conv2D(6, (3, 2), groups=2, strides=(2, 1)),
        L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", strides=2),
        L.SeparableConv2D(5, 3, depth_multiplier=2, activation=tf.nn.relu6),
        L.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1),
        L.Conv2DTranspose(3, (3, 2), strides=(2, 3)),
        L.BatchNormalization(axis=[3]),
        L.BatchNormalization(axis=1, scale=False),
        L.BatchNormalization(center=False, epsilon=0.1),
        L.LayerNormalization(),
        L.LayerNormalization(axis=[2, 3]),
        L.LayerNormalization(axis=[1, 2]),
        L.LayerNormalization(axis=1, scale=False),
        L.GroupNormalization(2),
        L.UnitNormalization(axis=[1, 2]),
        L.PReLU(shared_axes=[1, 2]),
        L.LeakyReLU(0.1),
        L.LeakyReLU(),
        L.ELU(0.5),
        L.ThresholdedReLU(0.4),
        L.ReLU(1.0, 0.1, 0.2),
        L.Softmax(axis=[1, 2]),
        L.Softmax(axis=1),
        *(L.Activation(name) for name in NAMES.split()),
        L.Activation(tf.nn.leaky_relu),
        L.UpSampling2D((2, 3), interpolation="bilinear"),
        L.UpSampling2D(2, interpolation="bicubic"),
        L.UpSampling2D(2),
        L.ZeroPadding2D(((1, 0), (2, 3))),
        L.Cropping2D(((1, 0), (2, 1))),
        L.MaxPooling2D(2, padding="same"),
        L.AveragePooling2D((3, 2), 1, padding="same"),
        L.GlobalAveragePooling2D(keepdims=True),
        L.GlobalMaxPooling2D(),
        L.Flatten(),
        L.Permute((2, 3, 1)),
        L.Reshape((-1, 4)),
        L.Dropout(0.3, noise_shape=(None, 1, 1, 4)),
        L.SpatialDropout2D(0.2),
        L.GaussianNoise(0.1),
        L.GaussianDropout(0.1),
        L.AlphaDropout(0.1),
        L.ActivityRegularization(0.1, 0.1),
        L.Rescaling([0.1, 0.2, 0.3, 0.4], offset=[1, 2, 3, 4]),
        L.Resizing(4, 9),
        L.Resizing(4, 9, crop_to_aspect_ratio=True),
        L.Resizing(11, 3, interpolation="bicubic"),
        L.Resizing(4, 9, interpolation="nearest"),
        L.CenterCrop(4, 3),
        L.CenterCrop(9, 3),
        L.Normalization(axis=-1),
        L.Normalization(axis=-1, mean=[1, 2, 3, 4], variance=[1, 2, 3, 4.0]),
        L.Normalization(axis=None, mean=1.0, variance=3.0),
        L.RandomFlip(),
        L.RandomRotation(0.1),
        L.RandomZoom(0.1),
        L.RandomTranslation(0.1, 0.1),
        L.RandomContrast(0.1),
        L.RandomBrightness(0.1),
        L.TimeDistributed(L.Dense(3, activation="hard_sigmoid")),
        L.TimeDistributed(L.Conv1D(3, 2)),
        L.TimeDistributed(L.BatchNormalization()),
        L.TimeDistributed(
            tk.Sequential(
                [
                    L.Conv1D(3, 2, input_shape=(5, 4)),
                    L.BatchNormalization(),
                    L.Flatten(),
                    L.Dense(2, activation="hard_sigmoid"),
                ]
            )
        ),
        L.EinsumDense("abcd,de->abce", output_shape=(None, 5, 3), bias_axes="e"),
        L.Dense(
            3,
            activation=L.LeakyReLU(0.3),
            kernel_regularizer="l2",
            bias_constraint="non_neg",
            kernel_initializer="he_normal",
        ),
        L.Dense(
            3,
            kernel_regularizer=tk.regularizers.L1L2(0.1, 0.2),
            kernel_constraint=tk.constraints.MaxNorm(2),
        ),
    ]


def step_layers() -> list[Any]:
    hard: dict[str, Any] = {"recurrent_activation": "hard_sigmoid"}
    return [
        L.Conv1D(3, 3, padding="causal", dilation_rate=2),
        L.Conv1DTranspose(3, 3, strides=2),
        L.DepthwiseConv1D(3),
        L.SeparableConv1D(3, 3),
        L.LSTM(3, return_sequences=True, go_backwards=True),
        L.LSTM(3, implementation=1, unroll=True),
        L.LSTM(3, **hard),
        L.GRU(3, return_sequences=True),
        L.GRU(3, **hard),
        L.GRU(3, reset_after=False, return_sequences=True, **hard),
        L.SimpleRNN(3, activation="hard_sigmoid", use_bias=False),
        L.Bidirectional(L.GRU(3, return_sequences=True, **hard), merge_mode="sum"),
        L.Bidirectional(
            L.LSTM(3), backward_layer=L.LSTM(3, activation="relu", go_backwards=True, **hard)
        ),
        L.RNN([L.LSTMCell(3), L.GRUCell(2)]),
        L.RNN(L.LSTMCell(3, **hard), return_sequences=True),
        L.RNN([L.LSTMCell(3) for _ in range(12)]),
        L.Masking(0.0),
        L.GlobalAveragePooling1D(),
        L.GlobalMaxPooling1D(),
        L.MaxPooling1D(2),
        L.AveragePooling1D(),
        L.UpSampling1D(2),
        L.ZeroPadding1D(2),
        L.Cropping1D((1, 2)),
        L.SpatialDropout1D(0.2),
        tk.Sequential([L.Flatten(), L.RepeatVector(3)]),
    ]


def volume_layers() -> list[Any]:
    return [
        L.Conv3D(2, (2, 3, 2)),
        L.Conv3DTranspose(2, 2, strides=2),
        L.MaxPooling3D(),
        L.AveragePooling3D(),
        L.UpSampling3D(),
        L.ZeroPadding3D(),
        L.Cropping3D(1),
        L.GlobalAveragePooling3D(),
        L.GlobalMaxPooling3D(),
        L.ConvLSTM2D(3, 2),
        L.ConvLSTM2D(3, 2, recurrent_activation="sigmoid", return_sequences=True, padding="same"),
        L.TimeDistributed(L.Conv2D(3, 2)),
        L.SpatialDropout3D(0.2),
    ]


def fan(shape: tuple[int, ...], layers: list[Any]) -> Any:
    """One input, and every layer on it as an output."""
    given = L.Input(shape)
    return tk.Model(given, [layer(given) for layer in layers])


def pairs() -> Any:
    one, two = L.Input(STEPS), L.Input(STEPS)
    merges = [L.Add(), L.Subtract(), L.Multiply(), L.Average(), L.Maximum(), L.Minimum()]
    merges += [L.Concatenate(axis=1), L.Dot(axes=(2, 2), normalize=True)]
    merges += [L.Attention(use_scale=True, score_mode="concat"), L.Attention(use_scale=True)]
    merges += [L.AdditiveAttention()]
    outputs = [merge([one, two]) for merge in merges]
    outputs += [L.MultiHeadAttention(2, 3, value_dim=4, dropout=0.1)(one, two)]
    outputs += [L.MultiHeadAttention(2, 3, output_shape=5)(one, two, one, use_causal_mask=True)]
    outputs += list(L.Bidirectional(L.LSTM(3), merge_mode=None)(one))
    return tk.Model([one, two], outputs)


def integers() -> Any:
    given = L.Input((6,), dtype="int64")
    layers = [
        L.CategoryEncoding(20, output_mode="multi_hot"),
        L.IntegerLookup(vocabulary=[3, 5, 7]),
        L.Hashing(7),
        L.Embedding(12, 3),
    ]
    return tk.Model(given, [layer(given) for layer in layers])


KINDS: dict[str, Callable[[], Any]] = {
    "pictures": lambda: fan(PICTURE, picture_layers()),
    "steps": lambda: fan(STEPS, step_layers()),
    "volumes": lambda: fan(VOLUME, volume_layers()),
    "pairs": pairs,
    "integers": integers,
}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.slow) if kind in ("pictures", "steps") else kind
        for kind in KINDS
    ],
)
def test_layers_answer_as_in_keras_2(kind: str, suffix: str, tmp_path: Path) -> None:
    source = randomise(KINDS[kind]())
    model = keras2_to_keras(saved(source, tmp_path, suffix))
    assert_equal_answers(source, model)
    assert_round_trip(model, inputs(source), tmp_path)


def test_all_float_weights_are_trainable_but_statistics(tmp_path: Path) -> None:
    source = randomise(KINDS["pictures"]())
    source.trainable = False
    model = keras2_to_keras(saved(source, tmp_path, ".h5"))
    statistics = ("moving_mean", "moving_variance", "mean", "variance", "count")
    weights = [w for w in model.weights if w.name not in statistics and "seed" not in w.path]
    assert {w.path for w in weights} == {w.path for w in model.trainable_weights}
    assert_equal_answers(source, model)


def test_no_global_state_is_set(tmp_path: Path) -> None:
    source = randomise(fan(STEPS, [L.Conv1D(2, 2), L.LSTM(2)]))
    path = saved(source, tmp_path, ".h5")
    keras.config.set_floatx("float64")
    try:
        model = keras2_to_keras(path)
        assert {str(weight.dtype) for weight in model.weights} == {"float32"}
        assert keras.config.floatx() == "float64"
    finally:
        keras.config.set_floatx("float32")
