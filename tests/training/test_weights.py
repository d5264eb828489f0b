import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from tlkeras.training.weights import class_weights, imbalance_hint


def test_balanced_weights_equal_scikit_learn() -> None:
    labels = np.repeat([0, 1, 2], [30, 5, 11])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(class_weights(labels, 3, "balanced"), expected)


def test_no_hint_for_balanced_classes_or_when_asked_for_weights() -> None:
    assert imbalance_hint({"a": 10, "b": 12}, None) is None
    assert imbalance_hint({"a": 100, "b": 1}, "balanced") is None
