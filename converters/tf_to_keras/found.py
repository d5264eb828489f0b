"""What an import found beside the network: labels, preprocessing, where each layer came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Preprocessing:
    """What a picture goes through before the network: value * scale + offset, at one size.

    Example::

        Preprocessing(scale=1 / 127.5, offset=-1.0, source="metadata.json")
    """

    scale: float
    offset: float
    source: str
    image_size_px: int | None = None
    channels: int | None = None


@dataclass(frozen=True)
class Found:
    """Facts for the report; `source_names` maps a layer to its path in the source.

    Example::

        Found(labels=("cat", "dog"))
    """

    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    source_names: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
