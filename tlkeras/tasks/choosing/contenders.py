"""Which backbones take part in a ranking, and which stay out before anything is computed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tlkeras.backbones import catalogue
from tlkeras.backbones.spec import Backbone
from tlkeras.data.picture import printable
from tlkeras.errors import BackboneError
from tlkeras.selection.candidate import LeftOut
from tlkeras.tasks.image_classifier import ImageClassifier
from tlkeras.tasks.network.assembly import BackboneSource

if TYPE_CHECKING:
    import keras

Weights: TypeAlias = str | Path | None
Named: TypeAlias = "str | Path | tuple[str, Weights] | keras.Model | ImageClassifier"
NOT_HERE = "its weights are not on this machine; name the backbone to have them fetched"
NOT_NAMED = "its weights cannot be fetched by name; give it with a file: (name, weights)"


@dataclass(frozen=True)
class Contender:
    """A backbone that may be ranked: what to call it, and where it comes from."""

    name: str
    source: BackboneSource

    @property
    def spec(self) -> Backbone | None:
        """What the catalogue knows of it; None for a network of the user's own."""
        return self.source.spec()


@dataclass(frozen=True)
class Limits:
    """What a backbone must keep to be ranked.

    Attributes:
        max_mb: of the saved model file.
        max_ms: a picture, all cores busy, on this machine.
        licences: of which one must be that of the weights; any when empty.
    """

    max_mb: float | None = None
    max_ms: float | None = None
    licences: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (("max_mb", self.max_mb), ("max_ms", self.max_ms)):
            if value is not None and not value > 0:
                raise BackboneError(
                    f"{name} is expected above 0, or None for no limit. Received: {value}. "
                    "Give a number such as 20."
                )
        known = sorted({one.licence for one in catalogue.backbones() if one.licence})
        unknown = [name for name in self.licences if name.lower() not in map(str.lower, known)]
        if unknown:
            raise BackboneError(
                f"The licences in the catalogue are {', '.join(known)}. Received: "
                f"{', '.join(map(repr, unknown))}. `tlkeras backbones` lists each backbone's."
            )

    def broken_at_once(self, one: Contender) -> str:
        """Why the catalogue's figures already rule it out; "" where they do not."""
        licence = one.spec.licence if one.spec else ""
        if self.licences and licence.lower() not in map(str.lower, self.licences):
            return f"the licence of its weights is {licence or 'not stated'}"
        return self.broken_by(4 * one.spec.parameters / 1e6 if one.spec else None, None)

    def broken_by(self, size_mb: float | None, ms: float | None) -> str:
        """Why a backbone with these figures is ruled out; "" where it is not."""
        if self.max_mb is not None and size_mb is not None and size_mb > self.max_mb:
            return f"{size_mb:.3g} MB are more than {self.max_mb:g}"
        if self.max_ms is not None and ms is not None and ms > self.max_ms:
            return f"{ms:.3g} ms a picture are more than {self.max_ms:g}"
        return ""


def contenders(
    backbones: "Sequence[Named] | None", limits: Limits
) -> tuple[list[Contender], list[LeftOut]]:
    """The backbones that are to be judged, and those that are not, each with its reason.

    Without names: the built-in one and all of the catalogue whose weights are on this machine.

    Raises:
        BackboneError: a name is unknown.

    >>> found, left_out = contenders([("TinyResNet", "builtin"), "VGG16"], Limits(max_mb=20))
    >>> [one.name for one in found], [str(one) for one in left_out]
    (['TinyResNet'], ['VGG16: 58.9 MB are more than 20'])
    """
    left_out: list[LeftOut] = []
    if backbones is None:
        here, left_out = _at_hand()
    else:
        if isinstance(backbones, str | Path) or not isinstance(backbones, Sequence):
            raise BackboneError(
                "Backbones are a list of names, paths, (name, weights), models or classifiers. "
                f"Received: {backbones!r}. Put it into a list."
            )
        here = [_contender(named) for named in backbones]
    kept = []
    for one in _told_apart(here):
        reason = limits.broken_at_once(one)
        if reason:
            left_out.append(LeftOut(one.name, reason))
        else:
            kept.append(one)
    return kept, left_out


def _contender(named: "Named") -> Contender:
    if isinstance(named, ImageClassifier):
        source = named.source
    elif isinstance(named, tuple):
        if len(named) != 2:
            raise BackboneError(
                f"A backbone with weights is (name, weights). Received: {named!r}. Give two parts."
            )
        source = BackboneSource(*named)
    else:
        source = BackboneSource(named, "default")
    spec = source.spec()
    return Contender(spec.name if spec else printable(Path(source.label).name), source)


def _told_apart(found: Sequence[Contender]) -> list[Contender]:
    """The same contenders; those of one name get their weights, or a number, added to it."""
    names = [one.name for one in found]
    named: list[Contender] = []
    for place, one in enumerate(found):
        name = one.name
        if names.count(name) > 1 and one.spec:
            name = f"{name} ({Path(one.source.weights_name).name})"
        taken = [other.name for other in named]
        named.append(replace(one, name=f"{name} #{place + 1}" if name in taken else name))
    return named


def _at_hand() -> tuple[list[Contender], list[LeftOut]]:
    """Backbones of the catalogue whose weights need no download, and all others."""
    found, others = [], []
    for spec in catalogue.backbones():
        if is_at_hand(spec):
            found.append(_contender(spec.name))
        else:
            others.append(LeftOut(spec.name, NOT_HERE if spec.weights else NOT_NAMED))
    return found, others


def is_at_hand(spec: Backbone) -> bool:
    """Whether the pretrained weights of a backbone are on this machine already.

    >>> is_at_hand(catalogue.find("TinyResNet"))
    True
    """
    if "builtin" in spec.weights:
        return True
    return bool(spec.keras_file) and (_keras_folder() / "models" / spec.keras_file).is_file()


def _keras_folder() -> Path:
    """Where Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()
