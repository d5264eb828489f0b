"""A small classifier for fine-tuning, with and without what remembers chance."""


def small_network(*, dropout: bool = False) -> object:
    """3 classes, BatchNormalization, seeded weights; dropout draws from a seed nobody knows."""
    import keras

    image = keras.Input((None, None, 3), name="image")
    out = keras.layers.Resizing(16, 20, antialias=True, name="resize")(image)
    out = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(out)
    for number, channels in enumerate((6, 8, 10)):
        start = keras.initializers.HeNormal(seed=number)
        out = keras.layers.Conv2D(
            channels, 3, strides=1 + (number < 2), kernel_initializer=start, name=f"conv{number}"
        )(out)
        out = keras.layers.BatchNormalization(name=f"norm{number}")(out)
        out = keras.layers.ReLU(name=f"relu{number}")(out)
    if dropout:
        out = keras.layers.SpatialDropout2D(0.1, name="dropout")(out)
    out = keras.layers.GlobalAveragePooling2D(name="pool")(out)
    out = keras.layers.Activation("linear", dtype="float32", name="embedding")(out)
    if dropout:
        out = keras.layers.Dropout(0.2, name="head_dropout")(out)
    start = keras.initializers.GlorotUniform(seed=9)
    out = keras.layers.Dense(3, kernel_initializer=start, name="logits")(out)
    out = keras.layers.Softmax(name="probabilities")(out)
    return keras.Model(image, out)
