"""What was found in a model, as rows that print well and go into JSON."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Literal, overload

from tlkeras.evaluation.wording import plain

Severity = Literal["error", "warning", "info"]

WIDTH = 100

_ORDER: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Symptom:
    """One thing that was found: what, where and what to do, a line each.

    Attributes:
        kind: a word for it, the same in every model.
        severity: "error" makes answers wrong or the file unusable, "warning" may cost accuracy,
            "info" is good to know.
        found: what there is, with the layer's name and the value.
        fix: what to do.
        layers: names of the layers it is about.
    """

    kind: str
    severity: Severity
    found: str
    fix: str
    layers: tuple[str, ...] = ()


class Diagnosis(Sequence[Symptom]):
    """What was found, gravest first; `ok` when none of it is an error.

    >>> found = Symptom("output-dtype", "error", "'probs' gives float16", "dtype='float32'")
    >>> diagnosis = Diagnosis("flowers.keras: 12 layers", [found])
    >>> diagnosis.ok, len(diagnosis), diagnosis[0].kind
    (False, 1, 'output-dtype')
    >>> print(diagnosis)
    flowers.keras: 12 layers
    1 error, 0 warnings, 0 infos
    <BLANKLINE>
    error    output-dtype  'probs' gives float16
                           fix: dtype='float32'
    """

    def __init__(self, summary: str, symptoms: Iterable[Symptom]) -> None:
        self.summary = summary
        self._symptoms = tuple(sorted(symptoms, key=lambda s: _ORDER.index(s.severity)))

    @property
    def ok(self) -> bool:
        """Whether there is no error among the symptoms."""
        return not any(symptom.severity == "error" for symptom in self)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each symptom, in order."""
        return tuple(symptom.kind for symptom in self)

    @overload
    def __getitem__(self, index: int) -> Symptom: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Symptom, ...]: ...
    def __getitem__(self, index: int | slice) -> Symptom | tuple[Symptom, ...]:
        return self._symptoms[index]

    def __len__(self) -> int:
        return len(self._symptoms)

    def __iter__(self) -> Iterator[Symptom]:
        return iter(self._symptoms)

    def __repr__(self) -> str:
        return f"Diagnosis({self.summary!r}, {self._counts()})"

    def __str__(self) -> str:
        width = max((len(symptom.kind) for symptom in self), default=0)
        indent = " " * (9 + width + 2)
        lines = [plain(self.summary), self._counts()]
        if not self._symptoms:
            lines += ["", "Nothing of what the doctor looks for was found."]
        else:
            lines.append("")
        for symptom in self:
            head = f"{symptom.severity:<9}{symptom.kind:<{width}}  "
            lines += _wrapped(plain(symptom.found), head, indent)
            lines += _wrapped(f"fix: {plain(symptom.fix)}", indent, f"{indent}     ")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{symptom.severity}</td><td>{escape(symptom.kind)}</td>"
            f"<td>{escape(plain(symptom.found))}</td><td>{escape(plain(symptom.fix))}</td></tr>"
            for symptom in self
        )
        return (
            f"<p>{escape(plain(self.summary))}<br>{self._counts()}</p>"
            f"<table><tr><th>severity</th><th>kind</th><th>found</th><th>fix</th></tr>{rows}</table>"
        )

    def to_dict(self) -> dict[str, object]:
        """The same for JSON."""
        return {
            "ok": self.ok,
            "summary": plain(self.summary),
            "findings": [
                {
                    "kind": symptom.kind,
                    "severity": symptom.severity,
                    "found": plain(symptom.found),
                    "fix": plain(symptom.fix),
                    "layers": [plain(name) for name in symptom.layers],
                }
                for symptom in self
            ],
        }

    def _counts(self) -> str:
        number = Counter(symptom.severity for symptom in self)
        return ", ".join(f"{number[s]} {s}{'s' * (number[s] != 1)}" for s in _ORDER)


def counted(names: Sequence[str], noun: str = "layer") -> str:
    """How many there are, and which.

    >>> counted(["conv_1"]), counted(["a", "b"])
    ("1 layer, 'conv_1'", "2 layers, 'a', 'b'")
    """
    return f"{len(names):,} {noun}{'' if len(names) == 1 else 's'}, {listed(names)}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first few names in quotes, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    "'a', 'b', 'c' and 2 more"
    """
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return wrap(
        text,
        max(WIDTH, len(others) + 40),
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
