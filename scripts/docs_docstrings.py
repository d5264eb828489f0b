"""A griffe extension: docstrings and signatures as mkdocstrings needs them to show them right.

    low, high: its interval.    one item of two names; else the second would be taken for a type
    split: Shares = _SHARES     (0.7, 0.15, 0.15): a reader can't look up a private name

In the sources both are as they read best there.
"""

import ast
import re
from typing import Any

import griffe

_NAMES = re.compile(r"^( {4}\w+(?:, \w+)+)(?=: )", re.MULTILINE)
_NO_BREAK = "\N{NO-BREAK SPACE}"


class Docstrings(griffe.Extension):
    """What the reference shows of the package, once all of it is read."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Mend every docstring and signature below the package."""
        _mend(pkg)


def _mend(thing: griffe.Module | griffe.Class | griffe.Function | griffe.Attribute) -> None:
    if thing.docstring:
        thing.docstring.value = joined(thing.docstring.value)
    if isinstance(thing, griffe.Function):
        for parameter in thing.parameters:
            if str(parameter.default).startswith("_"):
                parameter.default = value_of(thing, str(parameter.default))
    for member in thing.members.values():
        if not member.is_alias:
            _mend(member)


def joined(docstring: str) -> str:
    """The docstring, several names before one colon held together as one word.

    >>> joined("Args:\\n    low, high: edges.").replace(_NO_BREAK, "~")
    'Args:\\n    low,~high: edges.'
    """
    return _NAMES.sub(lambda found: re.sub(r"(?<=,) ", _NO_BREAK, found[1]), docstring)


def value_of(function: griffe.Function, name: str) -> str:
    """The value of a constant of the function's module, or its name where it is no literal."""
    constant = function.module.members.get(name)
    value = str(constant.value) if isinstance(constant, griffe.Attribute) else name
    try:
        return repr(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return name
