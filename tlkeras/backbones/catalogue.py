"""Every backbone that can be built by name; the data is `pretrained/catalogue.csv`.

Published figures come from the source named in the row. `width` and `parameters` (embedding
network only) were counted on the built networks. An empty cell: no published figure found.
"""

import csv
import difflib
import json
import re
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import cast

from tlkeras.backbones.spec import Backbone, Preprocessing, Published
from tlkeras.errors import BackboneError

_MIN_PX, _MAX_PX = 32, 4096


@cache
def backbones() -> tuple[Backbone, ...]:
    """All backbones of the catalogue, in its order; loads no TensorFlow.

    >>> [b.name for b in backbones() if b.width == 256 and b.application == "MobileNet"]
    ['MobileNet-0.25']
    """
    text = (
        resources.files("tlkeras.backbones").joinpath("pretrained/catalogue.csv").read_text("utf-8")
    )
    return tuple(_backbone(row) for row in csv.DictReader(text.splitlines()))


def find(name: str) -> Backbone:
    """The backbone of that name; `@` and a number after it set the picture size.

    Upper and lower case are the same.

    Raises:
        BackboneError: no such name, with close matches, or a size out of range.

    >>> find("mobilenetv2").name
    'MobileNetV2'
    >>> find("MobileNetV2-0.35@160").size_px
    160
    """
    plain, _, size = name.strip().partition("@")
    by_name = {backbone.name.lower(): backbone for backbone in backbones()}
    if plain.lower() not in by_name:
        raise BackboneError(
            f"Expected the name of a backbone, got {name!r}. {_suggestion(plain, by_name)}"
        )
    backbone = by_name[plain.lower()]
    if "@" not in name:
        return backbone
    if not re.fullmatch(r"[0-9]+", size) or not _MIN_PX <= int(size) <= _MAX_PX:
        raise BackboneError(
            f"Expected a picture size from {_MIN_PX} to {_MAX_PX} px after '@', got {name!r}. "
            f"The size {backbone.name} was trained at is {backbone.name}@{backbone.size_px}."
        )
    if int(size) == backbone.size_px:
        return backbone
    # The published figures are those of the size it was trained at.
    return replace(backbone, name=f"{backbone.name}@{int(size)}", size_px=int(size), published=None)


def _suggestion(name: str, by_name: dict[str, Backbone]) -> str:
    close = difflib.get_close_matches(name.lower(), by_name, n=4, cutoff=0.5)
    if not close:
        return "backbones() and `tlkeras backbones` list all names."
    return f"Did you mean {', '.join(by_name[match].name for match in close)}?"


def _backbone(row: dict[str, str]) -> Backbone:
    pairs = (pair.partition("=") for pair in row["arguments"].split())
    return Backbone(
        name=row["name"],
        application=row["application"],
        size_px=int(row["size_px"]),
        width=int(row["width"]),
        preprocessing=cast(Preprocessing, row["preprocessing"]),
        arguments={key: json.loads(value) for key, _, value in pairs},
        weights=tuple(row["weights"].split()),
        licence=row["licence"],
        parameters=int(row["parameters"]),
        imagenet_px=tuple(int(px) for px in row["imagenet_px"].split()),
        published=_published(row) if row["source"] else None,
        keras_file=row["keras_file"],
    )


def _published(row: dict[str, str]) -> Published:
    def number(column: str) -> float | None:
        return float(row[column]) if row[column] else None

    millions = number("parameters_m")
    return Published(
        size_mb=number("size_mb"),
        top1=number("top1"),
        top5=number("top5"),
        parameters=None if millions is None else round(millions * 1e6),
        depth=int(row["depth"]) if row["depth"] else None,
        source=row["source"],
        date=row["date"],
    )
