"""timm without torchvision: architectures only, never weights.

timm asks torchvision for one layer and, in its data readers, for names it does not use here. On
machines where torchvision is missing (its wheels follow the CUDA builds of torch) stand-ins
answer while timm is imported, and are gone afterwards.
"""

import contextlib
import importlib
import sys
import types
from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

from .network import Input, Network

MODULES = (
    "torchvision",
    "torchvision.datasets",
    "torchvision.models",
    "torchvision.ops",
    "torchvision.ops.misc",
    "torchvision.transforms",
    "torchvision.transforms.functional",
)


def timm_network(name: str, *, fused_attention: bool = True, **options: Any) -> nn.Module:
    """A timm architecture with untrained weights; attention as one call or written out."""
    with contextlib.nullcontext() if _has_torchvision() else _stand_ins():
        timm = importlib.import_module("timm")
    module = timm.create_model(name, pretrained=False, **options)
    for part in module.modules():
        if not fused_attention and hasattr(part, "fused_attn"):
            part.fused_attn = False
    return module


def picture_network(
    name: str,
    family: str,
    *,
    plain: bool = False,
    size: tuple[int, int] = (64, 96),
    tell_size: bool = False,
    **options: Any,
) -> Network:
    """A timm network for RGB pictures; `tell_size` for those that are built for one size."""
    if tell_size:
        options["img_size"] = size
    make = partial(timm_network, name, **options)
    return Network(name, family, make, (Input((3, *size)),), plain)


def _has_torchvision() -> bool:
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):  # RuntimeError: built for another torch
        return False
    return True


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    """Modules in the place of torchvision's, in which every name is a class of its own."""
    before = {name: sys.modules.get(name) for name in MODULES}
    for name in MODULES:
        sys.modules[name] = _StandIn(name)
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


class _StandIn(types.ModuleType):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if f"{self.__name__}.{name}" in MODULES:
            return sys.modules[f"{self.__name__}.{name}"]
        value = _Interpolation if name == "InterpolationMode" else type(name, (nn.Module,), {})
        setattr(self, name, value)
        return value


class _Interpolation:
    """Names that timm's data readers make a table of."""

    NEAREST, BILINEAR, BICUBIC, BOX, HAMMING, LANCZOS = range(6)
