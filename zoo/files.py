"""Bytes and files: written whole or not at all, appended line by line, locked by the kernel, read with suspicion."""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError, nearest

if TYPE_CHECKING:
    import numpy as np

LARGEST_ARCHIVE = 16 * 2**30
"""Bytes that an .npz may unpack to; a larger one is refused before a byte of it is read."""


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write the file whole or not at all: a temporary file beside it, synced, then renamed.

    A file has one writer at a time, so the temporary one always has the same name: what a killed writer left there is
    gone with the next write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        with open(temporary, "xb") as file:  # never through a link that somebody laid there
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ZooError(f"{path.parent} cannot be written: {error.strerror}; expected a folder that can") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ZooError(busy) from None
        yield
    finally:
        os.close(handle)


def foreign(folder: Path, ours: Collection[str]) -> Path | None:
    """The first thing in a folder that is not of these names; inside folders, an ending is as good as a name."""
    ends = tuple(name for name in ours if name.startswith("."))
    for path in sorted(folder.rglob("*")):
        name = path.name
        if name.startswith(".") and name.endswith(".part"):  # what a writer that was killed left
            name = name[1:].removesuffix(".part")
        if name not in ours and (path.parent == folder or not name.endswith(ends)):
            return path
    return None


def check_target(target: Path, ours: str, beside: Collection[str] = ()) -> None:
    """Raise `ZooError` if `new_folder` could not write there; nothing is made yet.

    A folder that stands there already is replaced only if it is empty or holds a file named `ours` and nothing but
    what is named with it; anything else is the user's.
    """
    if target.name in ("", ".."):
        raise ZooError(f"{target} is a folder that stands there already; expected the name of a new one")
    if os.path.exists(target) and not (
        target.is_dir() and (not any(target.iterdir()) or os.path.exists(target / ours))
    ):
        raise ZooError(f"{target} is there and was not made by zoo; expected a new folder or an earlier export")
    if beside and target.is_dir() and (odd := foreign(target, {ours, *beside})) is not None:
        raise ZooError(f"{odd} was not made by zoo, and {target} would be replaced; expected it to be moved elsewhere")
    above = next(folder for folder in target.absolute().parents if os.path.exists(folder))
    if not (above.is_dir() and os.access(above, os.W_OK)):
        raise ZooError(f"{target} cannot be made: {above} is no folder that can be written")


@contextmanager
def new_folder(target: Path, ours: str, beside: Collection[str] = ()) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its name when the block ends well, and is gone when it does not.

    Raises `ZooError` where `check_target` does.
    """
    check_target(target, ours, beside)
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


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name as an .npz file, whole or not at all; names may hold a `/`, a folder's mark in a zip."""
    import numpy as np

    content = io.BytesIO()
    named: dict[str, Any] = {name.replace("/", "|"): array for name, array in arrays.items()}
    np.savez(content, **named)
    write_atomic(path, content.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays that `write_arrays` wrote. Raises `ZooError` if they are not there or torn."""
    return {name.replace("|", "/"): array for name, array in open_npz(path).items()}


def open_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file.

    Raises `ZooError` for a file that is missing, torn, no archive, too large, or that holds pickled objects (which
    could run code, and are never read).
    """
    import numpy as np

    with _suspicion(path, "an .npz archive", "numpy.savez"):
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST_ARCHIVE:
            raise ZooError(f"{path} would unpack to {size / 2**30:.1f} GiB; expected {LARGEST_ARCHIVE >> 30} at most")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    strange = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if strange:
        raise ZooError(f"{path} holds `{strange[0]}`, which is no array; expected a file that numpy.savez wrote")
    return arrays


def map_npy(path: Path) -> np.ndarray:
    """The array of an .npy file, of which nothing is read before it is used. Raises `ZooError` as `open_npz` does."""
    import numpy as np

    with _suspicion(path, "an .npy array", "numpy.save"):
        return np.lib.format.open_memmap(path, mode="r")


def absent(path: Path, expected: str = "") -> str:
    """That a file or a folder is not there, what was expected, and what is called nearly so beside it."""
    says, close = f"{path} is not there" + (f"; expected {expected}" if expected else ""), ""
    with suppress(OSError):
        close = nearest(path.name, sorted(one.name for one in path.parent.iterdir()))
    return says + (f"; did you mean `{path.parent / close}`?" if close else "")


@contextmanager
def _suspicion(path: Path, what: str, writer: str) -> Iterator[None]:
    """Turn whatever breaks while a stranger's bytes are read into a `ZooError`."""
    try:
        yield
    except ZooError:
        raise
    except FileNotFoundError:
        raise ZooError(absent(path)) from None
    except MemoryError:
        raise ZooError(f"{path} does not fit into this machine's memory") from None
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror or error}; expected {what}") from None
    except Exception as error:  # zipfile, zlib, tokenize and numpy each have errors of their own
        if "allow_pickle=False" in str(error) or "Python objects" in str(error):
            raise ZooError(f"{path} holds pickled objects, which could run code; expected plain arrays") from None
        raise ZooError(f"{path} is torn or not {what} ({error}); expected one that {writer} wrote") from None
