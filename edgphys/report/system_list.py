# SPDX-License-Identifier: MIT
"""The systems that ship, as a list for the terminal."""

from __future__ import annotations

from collections.abc import Collection

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgphys.report.console import new_console, plain_value

__all__ = ["print_systems"]


def print_systems(options: Collection[str], console: Console | None = None) -> None:
    """Print what `edgphys.systems` ships: energy, parameters, lattices, exact results.

    Parameters
    ----------
    options : collection of str
        Parameters that the command line has an option for; the others are given as ``-p NAME=VALUE``.
    console : rich.console.Console, optional
        Where to print; stdout by default.
    """
    import lattices
    from edgphys import systems

    console = console or new_console()
    for record in systems.available():
        console.print(f"[bold]{record.name}[/bold]", highlight=False)
        view = Table.grid(padding=(0, 2))
        view.add_column(style="dim", no_wrap=True)
        view.add_column()
        view.add_row("  energy", escape(record.energy))
        for parameter in record.parameters:
            default = "" if parameter.default is None else f" (default {plain_value(parameter.default)})"
            word = f"--{parameter.name}" if parameter.name in options else f"-p {parameter.name}=VALUE"
            view.add_row(f"  {word}", escape(parameter.meaning + default))
        view.add_row("  lattices", record.lattices)
        for i, words in enumerate(record.exact):
            view.add_row("  exact" if i == 0 else "", escape(words))
        console.print(view)
    console.print(f"lattices: {', '.join(lattices.available())}, or a .toml file", highlight=False)
