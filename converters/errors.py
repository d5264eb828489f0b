"""Every exception that converters raises on purpose.

    ConversionError
    ├── ReadError                    a file that is broken, too large or of an unknown kind
    │   └── UnsafeFileError          a file that would run code or read beyond its own folder
    ├── ArchitectureNeededError      weights alone: the network they belong to is missing
    ├── UnsupportedError             operators or layers without a converter, all at once
    ├── NodeError                    one operator that cannot be converted: which, and why
    │   └── TooLargeError            a value of more numbers than any network computes
    ├── MismatchError                the result answers differently from its source
    ├── NoReportError                a model that was not imported here (also a KeyError)
    └── MissingExtraError            an optional package is not installed (also an ImportError)

Every message has three parts: what was expected, what came, what to do.
"""


class ConversionError(Exception):
    """Any error that converters raises on purpose."""


class ReadError(ConversionError, ValueError):
    """A file that cannot be read as a network."""


class UnsafeFileError(ReadError):
    """A file that would run code when opened, or read files outside its own folder."""


class ArchitectureNeededError(ConversionError, ValueError):
    """A file of weights alone; the network that they belong to has to be given."""


class UnsupportedError(ConversionError, NotImplementedError):
    """Operators or layers that have no converter: `.operators` maps each to its nodes."""

    def __init__(self, message: str, operators: dict[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.operators = operators or {}

    def __reduce__(self) -> tuple[type["UnsupportedError"], tuple[str, dict[str, list[str]]]]:
        return type(self), (str(self), self.operators)


class NodeError(ConversionError, ValueError):
    """One operator that cannot be converted; the message names it with its shapes."""


class TooLargeError(NodeError):
    """A value of a graph that would take more memory than any network's."""


class MismatchError(ConversionError):
    """A converted network whose answers differ from its source's; `.report` has the figures."""

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type["MismatchError"], tuple[str]]:
        return type(self), (str(self),)  # a report with arrays is not worth a pickle


class NoReportError(ConversionError, KeyError):
    """A model of which no import report is known."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show it in quotes


class MissingExtraError(ConversionError, ImportError):
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
