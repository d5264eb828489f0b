"""What came of holding a run folder against its own record, as rows that print well."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Literal

from tlkeras.evaluation.wording import plain
from tlkeras.rows import Rows, found_and_fix, html_table

State = Literal["right", "wrong", "unknown"]


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


class Verification(Rows[Check]):
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
        super().__init__(checks)
        self.folder = folder

    @property
    def ok(self) -> bool:
        """Whether nothing differs from the record."""
        return all(check.state != "wrong" for check in self)

    def __repr__(self) -> str:
        return f"Verification({self.folder!r}, {'ok' if self.ok else 'differs'})"

    def __str__(self) -> str:
        lines = [f"{plain(self.folder)}: {self._verdict()}", ""]
        for check in self:
            head = f"{check.state:<9}{check.what:<10}"
            lines += found_and_fix(head, plain(check.found), plain(check.fix))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [[one.state, one.what, plain(one.found), plain(one.fix)] for one in self]
        return (
            f"<p>{escape(plain(self.folder))}: {self._verdict()}</p>"
            f"{html_table(['', '', 'found', 'fix'], rows)}"
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
