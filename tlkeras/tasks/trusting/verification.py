"""What came of holding a run folder against its own record, as rows that print well."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Literal, overload

from tlkeras.evaluation.wording import plain

State = Literal["right", "wrong", "unknown"]

WIDTH = 100


@dataclass(frozen=True)
class Check:
    """One thing that was held against the record.

    Attributes:
        what: "files", "data", "outputs", "weights", "licence" or "export".
        state: "unknown" where it could not be looked at, which is no fault of the run.
        found: what there is, with its numbers and names.
        fix: what to do; empty where there is nothing to do.
    """

    what: str
    state: State
    found: str
    fix: str = ""


class Verification(Sequence[Check]):
    """The checks in the order they were made; `ok` when none of them went wrong.

    >>> verification = Verification("runs/flowers", [Check("files", "right", "10 as saved")])
    >>> verification.ok
    True
    >>> print(verification)
    runs/flowers: as it was saved
    <BLANKLINE>
    right    files     10 as saved
    """

    def __init__(self, folder: str, checks: Iterable[Check]) -> None:
        self.folder = folder
        self._checks = tuple(checks)

    @property
    def ok(self) -> bool:
        """Whether nothing differs from the record."""
        return all(check.state != "wrong" for check in self)

    @overload
    def __getitem__(self, index: int) -> Check: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Check]: ...
    def __getitem__(self, index: int | slice) -> "Check | Sequence[Check]":
        return self._checks[index]

    def __len__(self) -> int:
        return len(self._checks)

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks)

    def __repr__(self) -> str:
        return f"Verification({self.folder!r}, {'ok' if self.ok else 'differs'})"

    def __str__(self) -> str:
        indent = " " * 19
        lines = [f"{plain(self.folder)}: {self._verdict()}", ""]
        for check in self:
            head = f"{check.state:<9}{check.what:<10}"
            lines += _wrapped(plain(check.found), head, indent)
            if check.fix:
                lines += _wrapped(f"fix: {plain(check.fix)}", indent, f"{indent}     ")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{check.state}</td><td>{check.what}</td><td>{escape(plain(check.found))}</td>"
            f"<td>{escape(plain(check.fix))}</td></tr>"
            for check in self
        )
        return (
            f"<p>{escape(plain(self.folder))}: {self._verdict()}</p>"
            f"<table><tr><th></th><th></th><th>found</th><th>fix</th></tr>{rows}</table>"
        )

    def to_dict(self) -> dict[str, object]:
        """The same for JSON."""
        return {
            "ok": self.ok,
            "run": plain(self.folder),
            "checks": [
                {
                    "what": check.what,
                    "state": check.state,
                    "found": plain(check.found),
                    "fix": plain(check.fix),
                }
                for check in self
            ],
        }

    def _verdict(self) -> str:
        wrong = [check.what for check in self if check.state == "wrong"]
        return f"{', '.join(dict.fromkeys(wrong))} differ" if wrong else "as it was saved"


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
