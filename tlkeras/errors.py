"""Every exception that tlkeras raises on purpose.

    TlkerasError
    ├── DataError               folders, labels, splits            (also a ValueError)
    │   └── DecodeError         one picture that cannot be read
    ├── BackboneError           unknown name, wrong layer          (also a ValueError)
    │   └── WeightsError        weights unreachable or not fitting
    ├── RecipeError             a knob out of its range            (also a ValueError)
    ├── TrainingError           training that could not go on
    │   ├── FreezeError         what was frozen moved, or what should train did not
    │   └── DivergedError       the loss became NaN or infinite
    ├── NotFittedError          predict before fit
    ├── BundleError             a run folder that cannot be written or read
    ├── ExportError             an artefact that could not be written
    │   └── ParityError         an artefact that answers differently from the model
    └── MissingExtraError       an optional package is not installed (also an ImportError)

Every message has three parts: what was expected, what came, what to do.
"""


class TlkerasError(Exception):
    """Any error that tlkeras raises on purpose."""


class DataError(TlkerasError, ValueError):
    """Pictures or labels that cannot be trained on as they are."""


class DecodeError(DataError):
    """One picture that cannot be read: `.name` says which, `.reason` says why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type["DecodeError"], tuple[str, str]]:
        return type(self), (self.name, self.reason)


class BackboneError(TlkerasError, ValueError):
    """A backbone that is unknown or cannot be used as one."""


class WeightsError(BackboneError):
    """Pretrained weights that cannot be reached or do not fit the backbone."""


class RecipeError(TlkerasError, ValueError):
    """A training knob outside its range."""


class TrainingError(TlkerasError):
    """Training that could not go on; the best model so far is kept."""


class FreezeError(TrainingError):
    """Frozen weights moved, or weights that should train did not."""


class DivergedError(TrainingError):
    """The loss became NaN or infinite before anything was worth keeping."""


class NotFittedError(TlkerasError):
    """A classifier was asked for answers before it was trained."""


class BundleError(TlkerasError):
    """A run folder that cannot be written or read."""


class ExportError(TlkerasError):
    """An artefact that could not be written."""


class ParityError(ExportError):
    """An artefact whose answers differ from the model's by more than the tolerance."""


class MissingExtraError(TlkerasError, ImportError):
    """An optional package is missing; the message has the pip command."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed. "
            f"Install it with: pip install 'tlkeras[{extra}]'"
        )
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[ImportError], tuple[str]]:
        return ImportError, (str(self),)
