"""`python -m converters IN OUT`: the command line without tlkeras."""

import sys

from converters.cli import main

if __name__ == "__main__":
    sys.exit(main())
