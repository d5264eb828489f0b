"""New final layers on any Keras model, its old classifier cut off."""

from typing import TYPE_CHECKING

from tlkeras.errors import BackboneError

if TYPE_CHECKING:
    import keras


def adapt(
    model: "keras.Model",
    classes: int,
    *,
    layer: str | None = None,
    dropout: float = 0.0,
    seed: int = 0,
) -> "keras.Model":
    """A copy of a model with its old final layers replaced by new ones for `classes`.

    The old classifier (the last Dense and what follows) is cut off; a model that ends in a map
    gets a global average pooling. The new layers are named "logits" and "probabilities". The
    input stays as it was, preprocessing and all; the given model is not changed.

    Args:
        model: Functional or Sequential, with one output.
        classes: number of new classes, at least 2.
        layer: name of the layer whose output is kept as the embedding, instead of the cut.
        dropout: share of the embedding dropped in training, before the new Dense layer.
        seed: decides the new layer's first weights and the dropout.

    Raises:
        BackboneError: the model is no graph of layers, has a Lambda or a TFSMLayer inside, or
            no layer of that name; fewer than 2 classes.

    Example::

        model = tl.adapt(keras.applications.MobileNetV2(weights=None), classes=5)
        tl.freeze(model, until="out_relu")
    """
    import keras

    from tlkeras.backbones.graft import features_of, flatten

    if classes < 2:
        raise BackboneError(f"A classifier has 2 or more classes. Received: classes={classes}.")
    shape, dtype = model.inputs[0].shape[1:], model.inputs[0].dtype
    pixels = keras.Input(shape, dtype=dtype, name=model.inputs[0].name)
    taken = {"logits", "probabilities", "dropout", "embedding_pool"}
    flat = keras.Model(pixels, flatten(model, pixels, taken), name=model.name)
    out = features_of(flat, layer)
    if dropout:
        out = keras.layers.Dropout(dropout, seed=seed, name="dropout")(out)
    start = keras.initializers.GlorotUniform(seed=seed)
    # float32 whatever the policy: probabilities in half precision surprise every client.
    out = keras.layers.Dense(classes, kernel_initializer=start, dtype="float32", name="logits")(out)
    out = keras.layers.Softmax(dtype="float32", name="probabilities")(out)
    return keras.Model(pixels, out, name=f"{model.name}_adapted")
