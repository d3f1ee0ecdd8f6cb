# SPDX-License-Identifier: MIT
"""The words of a command line before typer reads them: each coupling once, whole numbers in plain digits.

Typer takes the last of an option that is given twice, as is the custom, but values of a coupling would get
lost; and it takes whatever Python's `int` takes: ``1_0``, and digits of any script.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from typer.models import OptionInfo

from edgphys.cli.system_arguments import COUPLINGS
from edgphys.cli.values import parse_count

__all__ = ["check_words"]


@dataclass(frozen=True)
class _Option:
    """One option of a command, and of which type its text is."""

    name: str
    kinds: tuple[Any, ...]

    @property
    def is_flag(self) -> bool:
        return bool in self.kinds


def check_words(words: Sequence[str], command: Callable[..., None]) -> None:
    """Refuse what typer would take in silence.

    Parameters
    ----------
    words : sequence of str
        After the name of the command.
    command : callable
        As `edgphys.cli.signature.with_fields` gives it.

    Raises
    ------
    ValueError
        If a coupling is given twice, or a whole number is typed in anything but digits.
    """
    seen: set[str] = set()
    for typed, option, text in _given(words, _options_of(command)):
        if option.name in seen & set(COUPLINGS):
            raise ValueError(f"{typed} must be given once, got it twice")
        seen.add(option.name)
        if int in option.kinds and text is not None:
            parse_count(text, typed)


def _options_of(command: Callable[..., None]) -> dict[str, _Option]:
    """Options by the words for them, such as ``--pbc`` and ``--open``."""
    options = {}
    for name, parameter in inspect.signature(command).parameters.items():
        hint, info = get_args(parameter.annotation)[:2]
        if isinstance(info, OptionInfo):
            option = _Option(name, get_args(hint) if type(None) in get_args(hint) else (hint,))
            for words in info.param_decls or (f"--{name.replace('_', '-')}",):
                options |= dict.fromkeys(words.split("/"), option)
    return options


def _given(words: Sequence[str], options: dict[str, _Option]) -> Iterator[tuple[str, _Option, str | None]]:
    """Options as they are typed, with their texts; None of a flag."""
    rest = iter(words)
    for word in rest:
        if word == "--":
            return
        typed, equals, text = word.partition("=")
        if typed in options:
            option = options[typed]
            yield typed, option, None if option.is_flag else text if equals else next(rest, None)
