# SPDX-License-Identifier: MIT
"""Files: which paths may be written, writing all or nothing, and a lock that dies with its process."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from edgphys.errors import DatasetError

__all__ = ["OVERWRITE", "check_target", "locked", "write_whole"]

OVERWRITE = "name another file, or overwrite it (overwrite=True, --overwrite)"


def check_target(path: str | Path, name: str = "path", overwrite: bool = True) -> Path:
    """`path` if a file may be written there.

    Raises
    ------
    DatasetError
        If it has line breaks or the like, its folder does not exist, it is a folder itself, or a file that
        exists while `overwrite` is False.

    Examples
    --------
    >>> check_target("no_such_folder/a.nc", "out")
    Traceback (most recent call last):
    edgphys.errors.DatasetError: out: the folder no_such_folder does not exist
    """
    path = Path(path)
    if not str(path).isprintable():
        raise DatasetError(f"{name} must be a path of printable characters, got {str(path)!r}", name)
    if not path.parent.is_dir():
        raise DatasetError(f"{name}: the folder {path.parent} does not exist", name)
    if path.is_dir():
        raise DatasetError(f"{name} must be a file, got the folder {path}", name)
    if path.exists() and not overwrite:
        raise DatasetError(f"{name}: {path} exists and is not overwritten; {OVERWRITE}", name)
    return path


def write_whole(path: Path, write: Callable[[Path], object], overwrite: bool = True) -> None:
    """Write a file so that, whenever the process dies, `path` is the old one or the new one in full.

    Parameters
    ----------
    path : Path
        Where the file is to be, in a folder that exists.
    write : callable
        Writes the content to the path it is given: a hidden file beside `path` with the same suffix, which is
        flushed to disk and only then takes the name.
    overwrite : bool
        If False, a file that appeared at `path` in the meantime is kept.

    Raises
    ------
    DatasetError
        If `overwrite` is False and the file exists.
    OSError
        If the disk refuses.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{threading.get_ident()}.tmp{path.suffix}")
    try:
        write(temporary)
        _flush(temporary)
        _publish(temporary, path, overwrite)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the system put the file, or the names in the folder, on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(temporary: Path, path: Path, overwrite: bool) -> None:
    """Give the file its name; by a hard link, which replaces nothing, unless `overwrite`."""
    if not overwrite:
        try:
            os.link(temporary, path)
            return
        except FileExistsError:
            raise DatasetError(f"{path} exists and is not overwritten: it was made while writing") from None
        except OSError:
            pass  # a file system without hard links
    os.replace(temporary, path)


@contextlib.contextmanager
def locked(path: Path, held: str) -> Iterator[None]:
    """Hold the lock file `path` for this process; the system lets go of it when the process dies.

    Parameters
    ----------
    path : Path
        In a folder that exists; made if there is none, and left behind.
    held : str
        What to say if another process holds it.

    Raises
    ------
    DatasetError
        If another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows; there two processes on one file are the user's business
        yield
        return
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatasetError(held) from error
        yield
