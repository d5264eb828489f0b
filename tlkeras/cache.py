"""Where this machine keeps what tlkeras need not compute twice.

A leaf: every room may import it. Nothing is created here; whoever writes makes the folder, and
does without it where it cannot.
"""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Folder for caches: `$TLKERAS_CACHE`, or `tlkeras` in the user's own cache folder.

    ~/.cache/tlkeras (or `$XDG_CACHE_HOME`), ~/Library/Caches/tlkeras on macOS,
    %LOCALAPPDATA%\\tlkeras on Windows. The folder may not exist yet.

    >>> cache_folder().is_absolute()
    True
    """
    chosen = os.environ.get("TLKERAS_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "tlkeras"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tlkeras"
    home = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative values ignored.
    return (Path(home) if os.path.isabs(home) else Path.home() / ".cache") / "tlkeras"
