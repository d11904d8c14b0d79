"""The files of a run: JSON lines, its owner's only, and on disk before HubSpot is asked to change anything."""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from icp_refinery.hubspot.errors import Json, PlanError

FORMAT = 1


def read_lines(path: Path, kind: str = "") -> Iterator[Json]:
    """The lines of a plan or journal, or those of one kind; a last line that was cut off is left out.

    Raises PlanError at a line that is none, wherever it is.
    """
    # It comes first in every line, so that the others need not be parsed.
    start = f'{{"kind": "{kind}"' if kind else ""
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n") and line.startswith(start):
                    yield json.loads(line)
    except ValueError as problem:
        raise PlanError(f"{path} is damaged: {problem}. Nothing is done with it.") from None


def open_private(path: Path, mode: str, **more: Any) -> IO[Any]:
    """Opens a file that nobody but its owner may read."""

    def opener(name: str, flags: int) -> int:
        descriptor = os.open(name, flags, 0o600)
        os.fchmod(descriptor, 0o600)
        return descriptor

    return open(path, mode, opener=opener, **more)


def run_folder(folder: Path) -> Path:
    """Makes the folder of plans and journals, its owner's only where it is new."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Only one run at a time in this folder; the lock goes with the process that held it."""
    with _locked(run_folder(folder) / ".lock", f"in {folder}"):
        yield


@contextmanager
def alone_at(portal_id: int) -> Iterator[None]:
    """Only one run of this user at a time that writes to this portal, whatever its folder."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "icp-refinery"
    with _locked(run_folder(state) / f"portal-{portal_id}.lock", f"at portal {portal_id}"):
        yield


@contextmanager
def _locked(path: Path, where: str) -> Iterator[None]:
    with open_private(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PlanError(f"Another run is at work {where}: wait for its end.") from None
        yield


class Journal:
    """A file of JSON lines that is on disk before `put` returns; a line that a crash cut off is taken away."""

    def __init__(self, path: Path, first: Json) -> None:
        run_folder(path.parent)
        self.path = path
        self._lock = threading.Lock()
        self._file = open_private(path, "ab+")
        self._cut_torn_line()
        if self._file.tell() == 0:
            self.put(first)
            # The file's name, too, has to outlive a crash.
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    def _cut_torn_line(self) -> None:
        end = self._file.seek(0, os.SEEK_END)
        whole = end
        while whole:
            self._file.seek(whole - 1)
            if self._file.read(1) == b"\n":
                break
            whole -= 1
        if whole < end:
            self._file.truncate(whole)
        self._file.seek(0, os.SEEK_END)

    def put(self, line: Json) -> None:
        """Writes a line, and waits until it is on disk."""
        try:
            with self._lock:
                self._file.write(json.dumps(line).encode() + b"\n")
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as problem:
            raise PlanError(
                f"The journal {self.path} cannot be written: {problem.strerror}. Without it nothing more is written to HubSpot. "
                "Run the same command again when it can be: it does the rest."
            ) from None

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def journal_of(plan: Path, made_at: str) -> Path:
    """The journal of a plan: the same one however often the plan is carried out."""
    stamp = "".join(c for c in made_at.partition("+")[0] if c.isalnum())
    return plan.with_name(f"journal-{stamp}.jsonl")


def portals_of(folder: Path) -> set[int]:
    """The portals that journals in a folder are of."""
    journals = [*folder.glob("journal-*.jsonl"), *folder.glob("lists.jsonl")]
    return {
        line["portal_id"] for path in journals for line in islice(read_lines(path), 1) if isinstance(line.get("portal_id"), int)
    }


def first_line(portal_id: int, what: str) -> Json:
    """What a journal begins with."""
    return {"kind": "journal", "format": FORMAT, "portal_id": portal_id, "what": what, "begun_at": utc_now()}


def utc_now() -> str:
    """The moment, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def object_of(line: Json) -> str:
    """The object whose records a line is about; journals of earlier versions have companies only."""
    return line.get("object", "companies")


def written_before(journal: Path) -> set[tuple[str, str]]:
    """The records, by object, that a journal says have the plan's values: a plan writes each of them once."""
    if not journal.exists():
        return set()
    return {(object_of(line), record) for line in read_lines(journal, "result") for record in line["written"]}
