"""The help of a command: its usage, arguments and options in words, at eighty columns.

Typer's own puts braces around what is required and Python's types behind the names.
"""

import re

from typer.core import TyperCommand

KINDS = {"argument": "Arguments", "option": "Options"}
_BRACES = re.compile(r"[{}]")
_TYPE = re.compile(r" <.+>$")
_NOTES = re.compile(r"  \[required\]|; x>=0(?=\])")


class Command(TyperCommand):
    """A command that asks for DATA, where Typer's asks for {DATA} <path>."""

    # What is handed in is Click's in some versions of Typer, and a copy of Click's in others.
    def collect_usage_pieces(self, ctx) -> list[str]:  # type: ignore[no-untyped-def]
        """The words behind the command's name: `[OPTIONS] RUN [DATA]`."""
        return [_BRACES.sub("", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx, formatter) -> None:  # type: ignore[no-untyped-def]
        """Write arguments and options, each with its sentence."""
        for kind, title in KINDS.items():
            own = [each for each in self.get_params(ctx) if each.param_type_name == kind]
            told = filter(None, (each.get_help_record(ctx) for each in own))
            rows = [(_TYPE.sub("", name), _NOTES.sub("", text)) for name, text in told]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
