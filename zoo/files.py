"""Bytes and files: written whole or not at all, appended line by line, locked by the kernel, read with suspicion."""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np

LARGEST_ARCHIVE = 16 * 2**30
"""Bytes that an .npz may unpack to; a larger one is refused before a byte of it is read."""


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write the file whole or not at all: a temporary file beside it, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all; NaN and infinity become null."""
    write_atomic(path, json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n")


def finite(value: Any) -> Any:
    """The value with every NaN and infinity replaced by None, so that any JSON reader accepts it."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def read_json(path: Path) -> Any:
    """Read a JSON file that we once wrote. Raises `ZooError` if it is missing or torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ZooError(f"{path} is not there") from None
    except (OSError, ValueError) as error:
        raise ZooError(f"{path} cannot be read: {error}; expected the file that zoo once wrote") from None


def append_synced(path: Path, line: str) -> None:
    """Append one line and sync it to the disk before returning."""
    with open(path, "ab") as file:
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def whole_lines(path: Path, mend: bool = False) -> list[str]:
    """The complete lines of an append-only file; a torn last line is left out, and with `mend` cut off."""
    if not path.exists():
        return []
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if mend and end < len(content):
        with open(path, "r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())
    return content[:end].decode().splitlines()


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold a kernel lock on the file; it dies with its owner. Raises `ZooError(busy)` if another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ZooError(busy) from None
        yield


@contextmanager
def new_folder(target: Path, ours: str) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its name when the block ends well, and is gone when it does not.

    A folder that stands there already is replaced only if it is empty or holds a file named `ours`; anything else
    is the user's, and a `ZooError` says so.
    """
    if target.exists() and not (target.is_dir() and (not any(target.iterdir()) or (target / ours).exists())):
        raise ZooError(f"{target} is there and was not made by zoo; expected a new folder or an earlier export")
    target.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        made = room / target.name
        made.mkdir()
        yield made
        if target.exists():
            os.replace(target, room / f".{target.name}.old")
        os.replace(made, target)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def open_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file.

    Raises `ZooError` for a file that is missing, torn, no archive, too large, or that holds pickled objects (which
    could run code, and are never read).
    """
    import numpy as np

    if not path.is_file():
        raise ZooError(f"{path} is not there" if not path.exists() else f"{path} is not a file")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST_ARCHIVE:
            raise ZooError(f"{path} would unpack to {size / 2**30:.1f} GiB; expected {LARGEST_ARCHIVE >> 30} at most")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, EOFError, OSError, KeyError) as error:
        raise ZooError(f"{path} is torn or no .npz archive ({error}); expected one that numpy.savez wrote") from None
    except ValueError as error:
        says = "holds pickled objects, which could run code" if "pickle" in str(error).lower() else f"is torn ({error})"
        raise ZooError(f"{path} {says}; expected plain arrays of numbers or text") from None
    except MemoryError:
        raise ZooError(f"{path} does not fit into this machine's memory") from None
