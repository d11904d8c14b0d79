"""Who may read what is written: nobody but its owner, and what is published whoever the user's umask lets."""

import os
from contextlib import suppress
from pathlib import Path

UMASK = os.umask(0)
os.umask(UMASK)


def keep_private() -> None:
    """Let files that this process makes be their owner's only."""
    os.umask(UMASK | 0o077)


def make_private(path: Path) -> None:
    """Take a file from everybody but its owner, where it is ours to do so."""
    with suppress(PermissionError):
        path.chmod(path.stat().st_mode & 0o700)


def publish_to_readers(path: Path, mode: int) -> None:
    """Give a published file or folder the rights that it would have without `keep_private`."""
    path.chmod(mode & ~UMASK)
