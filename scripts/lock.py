"""Prints the versions installed in this environment as a pip constraints file."""

import platform
from importlib.metadata import distributions

HEADER = """\
# The set that is tested: every package of `pip install ".[dev,demo,plots,convert,torch]"`, exactly.
# Made by `make lock` on Python {python}; use it with `pip install --constraint constraints.txt`.
# A plain install takes only what it needs of it.
"""
OURS = {"tlkeras", "pip", "setuptools", "wheel"}


def main() -> None:
    found = {(d.metadata["Name"].lower(), d.version.partition("+")[0]) for d in distributions()}
    print(HEADER.format(python=platform.python_version()))
    for name, version in sorted(found):
        if name not in OURS:
            print(f"{name}=={version}")


if __name__ == "__main__":
    main()
