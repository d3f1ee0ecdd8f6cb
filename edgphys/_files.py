# SPDX-License-Identifier: MIT
"""Files: which paths may be written, writing all or nothing, and a lock that dies with its process."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from edgphys.errors import DatasetError, FileTakenError

__all__ = [
    "OVERWRITE",
    "beside",
    "check_target",
    "drop_states",
    "lock_of",
    "locked",
    "stamp",
    "state_held",
    "write_whole",
]

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
    if os.path.lexists(path) and not overwrite:  # a link that leads nowhere is there too
        raise DatasetError(f"{name}: {path} exists and is not overwritten; {OVERWRITE}", name)
    return path


def beside(path: str | Path, word: str) -> Path:
    """Another state file of the computation whose state is kept at `path`.

    Examples
    --------
    >>> beside("a.nc.chains", "draws").name
    'a.nc.chains.draws'
    """
    path = Path(path)
    return path.with_name(f"{path.name}.{word}")


def drop_states(path: Path) -> None:
    """Remove the state file at `path`, and all `beside` it."""
    for state in (path, *path.parent.glob(f"{glob.escape(path.name)}.*")):
        state.unlink(missing_ok=True)


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells whether the file at `path` is still the same one, None if there is none.

    Examples
    --------
    >>> stamp(Path("no_such_file")) is None
    True
    """
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns


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
        If False, a file that is at `path` by then is kept.

    Raises
    ------
    FileTakenError
        If `overwrite` is False and the name is taken; the new file is beside it, under a name with a number.
    DatasetError
        If the disk refuses, full or not to be written to; what was at `path` is as before.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{threading.get_ident()}.tmp{path.suffix}")
    try:
        write(temporary)
        _flush(temporary)
        if overwrite:
            os.replace(temporary, path)
        else:
            _publish(temporary, path)
        _flush(path.parent)
    except (OSError, RuntimeError) as error:  # C++ has a RuntimeError for a full disk
        raise DatasetError(f"{path} cannot be written: {_reason(error)}") from error
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone
            temporary.unlink(missing_ok=True)


def _reason(error: OSError | RuntimeError) -> str:
    """Words of the system where there are, without the hidden name."""
    words = error.strerror if isinstance(error, OSError) else None
    return next(iter((words or str(error)).splitlines()), type(error).__name__)


def _flush(path: Path) -> None:
    """Have the system put the file, or the names in the folder, on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(temporary: Path, path: Path) -> None:
    """Give the file its name, or, where that is taken, the next free one with a number."""
    if _take(temporary, path):
        return
    beside = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(1))
    kept = next(one for one in beside if _take(temporary, one))
    raise FileTakenError(
        f"{path} was made by something else meanwhile and is not overwritten; the new file is {kept}", kept
    )


def _take(temporary: Path, path: Path) -> bool:
    """Give the file a name, by a hard link, which replaces nothing; False if the name is taken."""
    try:
        os.link(temporary, path)
        return True
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links: claim the name, then replace what claims it
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        os.replace(temporary, path)
        return True


@contextlib.contextmanager
def locked(path: Path, held: str) -> Iterator[None]:
    """Hold the lock file `path`; the system lets go of it when the process dies, nobody has to remove it.

    Parameters
    ----------
    path : Path
        In a folder that exists; made if there is none, and removed at the end.
    held : str
        What to say if another process, or thread, holds it.

    Raises
    ------
    DatasetError
        If another holds it, or the folder cannot be written to.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows; there two processes on one file are the user's business
        yield
        return
    with contextlib.ExitStack() as stack:
        while True:
            try:
                file = stack.enter_context(open(path, "a"))
            except OSError as error:
                raise DatasetError(f"{path.parent} cannot be written to: {_reason(error)}") from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DatasetError(held) from error
            except OSError:  # a file system without locks
                break
            if _is_at(path, file.fileno()):
                break  # else its holder has just removed it
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is the one that has the name."""
    there = stamp(path)
    return there is not None and there[0] == os.fstat(descriptor).st_ino


@contextlib.contextmanager
def state_held(path: Path | None) -> Iterator[None]:
    """Hold the file in which a computation keeps its state, if it keeps one, against a second one.

    Raises
    ------
    DatasetError
        If another computation keeps its state there now.
    """
    if path is None:
        yield
        return
    held = f"another computation keeps its state in {path} now; wait for it to end, or name another file"
    with locked(lock_of(path), held):
        yield


def lock_of(path: Path) -> Path:
    """The lock file that belongs to another file.

    Examples
    --------
    >>> lock_of(Path("a.nc")).name
    '.a.nc.lock'
    """
    return path.with_name(f".{path.name}.lock")
