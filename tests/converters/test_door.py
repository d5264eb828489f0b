"""The public names: lazy, the same in every order of import, callable though they are modules."""

import inspect
import pickle
import subprocess
import sys
import types

import pytest

import converters
from converters import errors

HEAVY = ("tensorflow", "keras", "torch", "onnx", "onnxruntime", "numpy")

ORDERS = {
    "the name first": "import converters; f = converters.onnx_to_keras",
    "the package first": (
        "import converters.onnx_to_keras.read; import converters; f = converters.onnx_to_keras"
    ),
    "the name, then the package": (
        "import converters; converters.onnx_to_keras; import converters.onnx_to_keras.read\n"
        "f = converters.onnx_to_keras"
    ),
    "from the door": "from converters import onnx_to_keras as f",
    "from the package": "from converters.onnx_to_keras import onnx_to_keras as f",
    "module by its name": "import converters.onnx_to_keras as f",
}


@pytest.mark.parametrize("order", ORDERS)
def test_route_is_callable_in_every_order_of_import(order: str) -> None:
    script = (
        f"{ORDERS[order]}\n"
        "from converters.errors import ReadError\n"
        "try:\n    f('/none.onnx')\nexcept ReadError:\n    print('called')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "called\n", done.stderr


def test_import_loads_no_framework() -> None:
    script = (
        "import sys, converters, converters.errors\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "[]\n", done.stderr


def test_public_names_are_all_there() -> None:
    for name in converters.__all__:
        assert callable(getattr(converters, name)), name
    assert dir(converters) == sorted(converters.__all__)
    with pytest.raises(AttributeError, match="onnx_to_teapot"):
        _ = converters.onnx_to_teapot


def test_every_error_is_public_and_one_family() -> None:
    for name, kind in vars(errors).items():
        if isinstance(kind, type):
            assert issubclass(kind, errors.ConversionError)
            assert getattr(converters, name) is kind


def test_route_shows_its_functions_signature_and_can_be_pickled() -> None:
    route = converters.onnx_to_keras
    assert isinstance(route, types.ModuleType)
    assert "source" in inspect.signature(route).parameters
    assert pickle.loads(pickle.dumps(route)) is route
