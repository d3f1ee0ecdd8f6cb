# SPDX-License-Identifier: MIT
"""How a command computes and where it writes: the options that all long commands share.

While a command at one point runs, its state is in a file beside the output, ``<out>.chains``: the same
command again goes on from there, to the same numbers. It is removed when the output is written.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgphys._files import check_target, drop_states, lock_of, locked
from edgphys._progress import duration, foreseen_by
from edgphys.cli.results import check_new_file
from edgphys.cli.slow_exact import keep_slow_exact
from edgphys.errors import DatasetError, FileTakenError, TooLongError, TrainingError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Device", "Overwrite", "RunArguments", "Traceback", "duration"]

# Seconds from which on a line says how long it will take, and from which on one has to say yes.
_ANNOUNCED, _MOST = 600.0, 3 * 86_400.0

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
Device = Annotated[
    str | None, typer.Option(help="Torch device of edg, cpu or cuda; a GPU by default where there is one.")
]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show where an error came from.")]


@dataclass(frozen=True)
class RunArguments:
    """Where to write, with which seed, and what to say meanwhile."""

    out: Annotated[Path, typer.Option(help="netCDF file to write.")]
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0
    overwrite: Overwrite = False
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False
    yes: Annotated[bool, typer.Option("--yes", help="Go on with what takes more than three days.")] = False
    traceback: Traceback = False

    def check_path(self) -> None:
        """Refuse what is wrong with path and seed alone, before anything heavy is loaded.

        Raises
        ------
        ValueError
            If the seed is out of range, the folder does not exist, or the name does not end in ``.nc``.
        """
        from edgphys import _checks

        _checks.seed(self.seed)
        check_new_file(self.out)

    def foresee(self, seconds: float) -> None:
        """Say that it will take so long, where that is more than ten minutes.

        Raises
        ------
        TooLongError
            If it is more than three days, and nobody has said yes to that.
        """
        words = f"about {duration(seconds)} are left, at the rate of the first second"
        if seconds > _MOST and not self.yes:
            raise TooLongError(f"{words}; what takes more than {duration(_MOST)} is computed with --yes only")
        if seconds > _ANNOUNCED and not self.quiet:
            print(words, file=sys.stderr)

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """The file for the state of a computation whose result is to be written.

        Raises
        ------
        ValueError
            If the output cannot be written, before anything is computed.
        DatasetError
            If another command that writes the same output has not ended.
        DatasetError, TrainingError
            If the file is there and belongs to something else; the message names the option it follows from.
        """
        self.check_path()
        check_target(self.out, "out", self.overwrite)
        store = self.out.with_name(self.out.name + ".chains")
        held = f"--out: another command is writing {self.out} now; wait for it to end, or name another --out"
        was_there = store.exists()
        try:
            with locked(lock_of(self.out), held), foreseen_by(self.foresee):
                yield store
        except TooLongError:
            if not was_there:
                drop_states(store)
            raise
        except (DatasetError, TrainingError) as error:
            about, _, _ = str(error).rpartition(";")  # what follows is advice
            about_store = f"checkpoint: {store}"
            if error.argument != "checkpoint" or not about.startswith(about_store):
                raise
            raise type(error)(
                f"--out: {store}{_with_comma(about.removeprefix(about_store))}; "
                "name another --out or remove that file"
            ) from error

    def finish(self, result: xr.Dataset, store: Path, start: float) -> None:
        """Write the result of a command that began at `start`, print it, and drop its unfinished state.

        Raises
        ------
        FileTakenError
            If the output was made meanwhile: the result is beside it, and printed.
        """
        from edgphys.dataset.files import write_or_keep
        from edgphys.report.text import print_dataset

        keep_slow_exact(result)
        taken = None
        try:
            write_or_keep(result, self.out, self.overwrite)
        except FileTakenError as error:
            taken = error
        drop_states(store)
        print_dataset(result)
        if taken is not None:
            raise taken
        print(f"wrote {self.out} in {duration(time.perf_counter() - start)}")


def _with_comma(rest: str) -> str:
    """What is left of an error after the name of the state file: its suffix, if any, and what is wrong.

    >>> _with_comma(".draws cannot be read")
    '.draws, left by an unfinished command, cannot be read'
    """
    suffix, _, wrong = rest.partition(" ")
    return f"{suffix}, left by an unfinished command, {wrong}"
