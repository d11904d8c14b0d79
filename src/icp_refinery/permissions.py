"""Who may read what is written: nobody but its owner, and what is published whoever the user's umask lets."""

import os
import secrets
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


def keep(path: Path, content: bytes) -> None:
    """Write what may be made again, in one step, to a folder that is its owner's only. Raises OSError where it cannot be."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f"{secrets.token_hex(4)}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def publish_to_readers(path: Path, mode: int) -> None:
    """Give a published file or folder the rights that it would have without `keep_private`."""
    path.chmod(mode & ~UMASK)
