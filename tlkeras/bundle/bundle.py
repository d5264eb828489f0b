"""Bundle: the saved thing, and the files of a run folder that hold it.

bundle.json   what this folder is, the backbone, the head, and the hash of every other file
model.keras   opens with keras.models.load_model, without tlkeras
model.onnx    the same for ONNX Runtime, from pixels; where the network can be written so
unknown.npy   from an embedding to the unknown score; see `UnknownScore`
outputs.json  what a few pictures were answered, so that it can be asked again
labels.txt    one class a line, in the order of the model's columns
recipe.json   every knob             metrics.json  figures and decisions
history.csv   one row an epoch       data.csv      path, sha256, label, part of each picture
versions.json what it was made with  README.md     the card, for people
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from tlkeras.bundle.network import Network
from tlkeras.bundle.outputs import FILE as OUTPUTS
from tlkeras.bundle.outputs import Outputs
from tlkeras.errors import BundleError

if TYPE_CHECKING:
    import keras

FORMAT, FORMAT_VERSION = "tlkeras-run", 1
INDEX = "bundle.json"
MODEL, LABELS, RECIPE, METRICS = "model.keras", "labels.txt", "recipe.json", "metrics.json"
HISTORY, DATA, VERSIONS, CARD = "history.csv", "data.csv", "versions.json", "README.md"
FILES = (MODEL, LABELS, RECIPE, METRICS, HISTORY, DATA, VERSIONS, CARD)
ONNX, UNKNOWN = "model.onnx", "unknown.npy"
OPTIONAL = (ONNX, UNKNOWN, OUTPUTS)


class ScalingFacts(TypedDict):
    """(pixels in [0, 255] - mean) / deviation, for each channel; with `bgr` blue comes first."""

    mean: list[float]
    deviation: list[float]
    bgr: bool


class BackboneFacts(TypedDict):
    """What a run folder says of its backbone."""

    name: str
    in_catalogue: bool
    weights: str
    size_px: int
    width: int
    preprocessing: Literal["none", "unit", "tf", "torch", "caffe"] | ScalingFacts
    licence: str
    embedding_layer: str
    fine_tuned: bool
    fingerprint: str


class HeadFacts(TypedDict):
    """What a run folder says of its head; `layers` are Keras configs of the user's own."""

    kind: Literal["linear", "mlp", "layers"]
    layers: list[dict[str, object]]
    chosen: dict[str, float]


class UnknownFacts(TypedDict):
    """How far the unknown score's limit can be trusted; its numbers are in unknown.npy."""

    false_alarms: float
    rows: int


class Decided(TypedDict):
    """What came of the validation part, what was decided without asking, and what it cost."""

    accuracy: float
    loss: float
    decisions: list[str]
    cost: NotRequired[dict[str, dict[str, float]]]
    temperature: NotRequired[float]
    unknown: NotRequired[UnknownFacts]


@dataclass(frozen=True)
class Bundle:
    """A trained classifier with all that belongs to it; knows nothing of training.

    Attributes:
        network: pixels (n, h, w, 3) float32 RGB in [0, 255] → probabilities (n, classes).
        class_names: name of each column.
        backbone: name, weights, size_px, preprocessing, licence, embedding_layer, fingerprint.
        head: its kind and what was chosen for it.
        recipe: every knob.
        validation: figures of the validation part, and the decisions they led to.
        metrics: figures of every part that was evaluated.
        history: one row an epoch or a setting tried.
        manifest: path, sha256, label and part of every picture.
        versions: of Python and the packages.
        outputs: what a few pictures were answered; None where none are at hand.
    """

    network: Network
    class_names: tuple[str, ...]
    backbone: BackboneFacts
    head: HeadFacts
    validation: Decided
    recipe: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, dict[str, object]] = field(default_factory=dict)
    history: list[dict[str, object]] = field(default_factory=list)
    manifest: list[dict[str, object]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    outputs: Outputs | None = None

    def __post_init__(self) -> None:
        columns = self.network.classes
        if columns != len(self.class_names):
            raise BundleError(
                f"A model has one output a class. Received: {columns} outputs and "
                f"{len(self.class_names)} class names. Save the model with its own classes."
            )
        broken = [name for name in self.class_names if not _is_label(name)]
        if broken:
            raise BundleError(
                "A class name is one line of UTF-8 text, since labels.txt has one a line. "
                f"Received: {broken[0]!r}. Rename its folder."
            )
        twice = [name for name in self.class_names if self.class_names.count(name) > 1]
        if twice:
            raise BundleError(
                f"Every class has a name of its own. Received: {twice[0]!r} {len(twice)} times. "
                "Rename or merge these classes."
            )

    @property
    def model(self) -> "keras.Model":
        """The network as a Keras model; loads TensorFlow."""
        return self.network.model


def _is_label(name: str) -> bool:
    """Whether the name comes back the same from a UTF-8 file with one name a line."""
    return name.splitlines() == [name] and name.encode("utf-8", "replace").decode() == name


def not_ours(folder: Path) -> list[str]:
    """Names of what somebody else has put into a run folder; it stays when a run is replaced."""
    return [path.name for path in folder.iterdir() if path.name not in (*FILES, *OPTIONAL, INDEX)]
