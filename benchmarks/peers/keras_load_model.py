"""One picture's label the Keras way: load the saved model, read the picture, predict.

    python keras_load_model.py RUN/model.keras RUN/labels.txt PHOTO

Prints one JSON object, the label and its probability.
"""

import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("model", type=Path)
parser.add_argument("labels", type=Path, help="one label a line")
parser.add_argument("picture", type=Path)
parser.add_argument("--size", type=int, default=224)


def main() -> None:
    options = parser.parse_args()
    import keras
    import numpy as np

    model = keras.models.load_model(options.model)
    picture = keras.utils.load_img(
        options.picture, target_size=(options.size, options.size), interpolation="bilinear"
    )
    scores = model.predict(np.asarray(picture, "float32")[None], verbose=0)[0]
    labels = options.labels.read_text(encoding="utf-8").splitlines()
    print(json.dumps({"label": labels[int(scores.argmax())], "probability": float(scores.max())}))


if __name__ == "__main__":
    main()
