# SPDX-License-Identifier: MIT
"""Command line: ``edgphys scan | curve | sample | temper | reweight | ...``, see ``edgphys --help``.

Values of a coupling are a number (``2.3``), numbers with commas (``2.0,2.3``) or a range ``start:stop:count``
with both ends; a coupling with one value is held fixed, the others are scanned. Anything wrong ends with exit
code 2 and one line on stderr, before anything is computed or written. Heavy imports wait for the command that
needs them.
"""

from __future__ import annotations

import gc
import os
import re
import shlex
import sys
import warnings
from importlib import import_module
from itertools import pairwise
from typing import Annotated, Any, NoReturn

import typer

from edgphys.cli.lattice_arguments import with_axes
from edgphys.cli.signature import with_fields
from edgphys.cli.words import check_words
from edgphys.errors import EdgphysError
from edgphys.recording.record import command_line

__all__ = ["app", "main", "run"]

# In the order of the help. A command is a function in the file of its name.
_COMMANDS = (
    "scan",
    "show",
    "plot",
    "report",
    "systems",
    "curve",
    "sample",
    "temper",
    "reweight",
    "free_energy",
    "merge",
    "structure_factor",
    "rerun",
)
# Those that go on from where they were stopped.
_LONG = ("scan", "sample", "temper", "free-energy")
# New objects before the collector of garbage looks for some to free, in commands that end soon; else 700.
_MANY = 100_000

app = typer.Typer(
    name="edgphys",
    help="Absolute free energies by energy-based diffusion generators, "
    "beside Markov chains and exact results.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Usage errors of typer, or of the click beneath it, by the one name that all versions of typer export.
_UsageError: Any = typer.BadParameter.__base__


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : list of str, optional
        Words after ``edgphys``; those of the process by default.

    Returns
    -------
    int
        Exit code: 0, or 2 for anything wrong with the input, or 130 after Ctrl-C.
    """
    typed = sys.argv[1:] if argv is None else argv
    with command_line(shlex.join(["edgphys", *typed])):
        return _main(with_axes(typed))


def _main(words: list[str]) -> int:
    """`main` of words as typer takes them."""
    try:
        if words and words[0] in _FUNCTIONS:
            check_words(words[1:], _FUNCTIONS[words[0]])
        code = app(words, prog_name="edgphys", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except typer.Exit as stop:
        code = stop.exit_code
    except _UsageError as error:
        return _fail(f"{error.format_message()} (edgphys --help lists what there is)")
    except (ArithmeticError, MemoryError, RecursionError) as error:
        if "--traceback" in words:
            raise
        return _fail(_unforeseen(error))
    except (EdgphysError, ValueError, TypeError, OSError) as error:
        if "--traceback" in words:
            raise
        argument = error.argument if isinstance(error, EdgphysError) else None
        return _fail(_as_typed(str(error), argument, words) + _notes(error))
    if code == 130:
        resumes = "; running the same command again resumes" if words and words[0] in _LONG else ""
        print(f"edgphys: interrupted{resumes}", file=sys.stderr)
    return int(code or 0)


def run() -> NoReturn:
    """Run the command of this process, and end it.

    Without dask and sparse, which no command computes with but a scan on a cluster: xarray asks at every step
    whether an array is one of theirs, and imports them for the answer, which takes longer than all else that
    ``edgphys show`` does.

    The collector of garbage waits longer in commands that end soon, and takes nothing from any at the end: it
    would go over the objects of all modules again and again, and find none to free but those that the process
    frees by ending. This is a quarter of the time of ``edgphys show``.

    After Ctrl-C at once: a worker that is still in compiled code would hold up a regular exit. What a scan
    has finished is on disk by then.
    """
    on_cluster = any(word.startswith("--scheduler") for word in sys.argv[1:])
    for name in () if on_cluster else ("dask", "sparse"):  # as where they are not installed
        sys.modules[name] = None  # pyright: ignore[reportArgumentType]
    warnings.filterwarnings("ignore", "Numba extension module 'sparse")
    if not {*_LONG, "rerun"} & set(sys.argv[1:2]):
        gc.set_threshold(_MANY)
    code = main()
    gc.freeze()
    if code == 130:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _fail(message: str) -> int:
    print(f"edgphys: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _unforeseen(error: Exception) -> str:
    """Words for what no check has foreseen."""
    what = "out of memory" if isinstance(error, MemoryError) else "a number out of range while computing"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{what} ({said}){_notes(error)}; --traceback shows where"


def _notes(error: BaseException) -> str:
    return "".join(f" ({note})" for note in getattr(error, "__notes__", []))


def _as_typed(message: str, argument: str | None, words: list[str]) -> str:
    """The message with the argument that it is about as one types it: ``--n-samples must be ...``."""
    # Not where it is the beginning of a path: a file may be called out.nc.
    if argument is None or not re.match(re.escape(argument) + r"(?=[ :,\[(]|$)", message):
        return message
    for before, word in pairwise(words):
        if before in ("-p", "--parameter", "--option") and word.startswith(f"{argument}="):
            return f"{before} {message}"
    option = "--" + argument.replace("_", "-")
    known = typer.main.get_group(app).commands[words[0]].params
    return message.replace(argument, option, 1) if any(option in one.opts for one in known) else message


def _print_version(wanted: bool) -> None:
    if wanted:
        import edgphys

        print(f"edgphys {edgphys.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


_FUNCTIONS = {
    name.replace("_", "-"): with_fields(getattr(import_module(f"edgphys.cli.{name}"), name))
    for name in _COMMANDS
}
for _name, _function in _FUNCTIONS.items():
    app.command(_name)(_function)


if __name__ == "__main__":
    run()
