"""Prints the versions installed in this environment as a pip constraints file."""

import platform
from importlib.metadata import distributions

HEADER = """\
# The set that is tested: every package of every extra but `hub`, exactly.
# Made by `make lock` on Python {python}; use it with `pip install --constraint constraints.txt`.
# A plain install takes only what it needs of it.
"""
OURS = {"tlkeras", "pip", "setuptools", "wheel"}


def main() -> None:
    found = {d.metadata["Name"].lower(): d.version.partition("+")[0] for d in distributions()}
    print(HEADER.format(python=platform.python_version()))
    for line in sorted(f"{name}=={version}" for name, version in found.items() if name not in OURS):
        print(line)


if __name__ == "__main__":
    main()
