"""What was found in a model, as rows that print well and go into JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tlkeras.evaluation.wording import plain
from tlkeras.rows import GradedRows, Severity, found_and_fix, html_table


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


class Diagnosis(GradedRows[Symptom]):
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

    def __str__(self) -> str:
        width = max((len(symptom.kind) for symptom in self), default=0)
        lines = [plain(self.summary), self.counts]
        if not len(self):
            lines += ["", "Nothing of what the doctor looks for was found."]
        else:
            lines.append("")
        for symptom in self:
            head = f"{symptom.severity:<9}{symptom.kind:<{width}}  "
            lines += found_and_fix(head, plain(symptom.found), plain(symptom.fix))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [[one.severity, one.kind, plain(one.found), plain(one.fix)] for one in self]
        return (
            f"<p>{escape(plain(self.summary))}<br>{self.counts}</p>"
            f"{html_table(['severity', 'kind', 'found', 'fix'], rows)}"
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
