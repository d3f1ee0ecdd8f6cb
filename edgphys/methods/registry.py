# SPDX-License-Identifier: MIT
"""Methods by name. A new one is a file with an `AbstractMethod`, and one entry here.

Names of algorithms of Markov chains are names of methods too; which there are, only a system can tell (see
`edgphys.mcmc.algorithms_for`). Nothing here imports torch or numba before a method is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgphys.methods.base import AbstractMethod, Look
from edgphys.methods.bridge import BridgeMethod
from edgphys.methods.chains import BEST, LOOKS, ChainMethod
from edgphys.methods.edg import EDGMethod
from edgphys.methods.exact import ExactMethod
from edgphys.methods.ladders import MBAR, TI, LadderMethod

__all__ = ["OF_EDG", "arguments_of", "available", "look", "looks_of", "make"]


@dataclass(frozen=True)
class _Entry:
    """A method by its name: how it is made from options, where `edgphys.scan` has them, how it is shown."""

    make: Callable[[Mapping[str, Any]], AbstractMethod]
    arguments: tuple[str, ...]
    look: Look


OF_EDG = ("n_samples", "n_threads", "per_point")
_OF_REFERENCE = ("algorithm", "n_chains", "n_sweeps", "n_warmup", "thin", "options")


def _parted(options: Mapping[str, Any], names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options with one of the names, and the others."""
    own = {name: value for name, value in options.items() if name in names}
    return own, {name: value for name, value in options.items() if name not in names}


def _edg(options: Mapping[str, Any]) -> EDGMethod:
    own, given = _parted(options, OF_EDG)
    return EDGMethod(given, **own)


def _bridge(options: Mapping[str, Any]) -> BridgeMethod:
    chains, rest = _parted(options, _OF_REFERENCE)
    own, given = _parted(rest, OF_EDG)
    return BridgeMethod(given, chains, **own)


_ENTRIES = {
    "edg": _Entry(_edg, (EDGMethod.argument,), EDGMethod.look),
    "bridge": _Entry(_bridge, (EDGMethod.argument, ChainMethod.argument), BridgeMethod.look),
    BEST: _Entry(lambda options: ChainMethod(BEST, options), (ChainMethod.argument,), LOOKS[BEST]),
    "mbar": _Entry(lambda options: LadderMethod(MBAR, options), (LadderMethod.argument,), MBAR.look),
    "ti": _Entry(lambda options: LadderMethod(TI, options), (LadderMethod.argument,), TI.look),
    "exact": _Entry(lambda options: ExactMethod(), (), ExactMethod.look),
}


def make(name: str, options: Mapping[str, Any] | None = None) -> AbstractMethod:
    """The method of that name; one that is not listed here is an algorithm of Markov chains.

    Parameters
    ----------
    name : str
    options : mapping, optional
        Its settings, as the argument of `edgphys.scan` that holds them takes them, and ``n_samples`` of edg.

    Raises
    ------
    TypeError, ValueError
        If there is no such option, or a value is not what it must be.

    Examples
    --------
    >>> make("wolff", {"n_sweeps": 100}).options.n_sweeps
    100
    """
    entry = _ENTRIES.get(name)
    return ChainMethod(name, options) if entry is None else entry.make(options or {})


def arguments_of(name: str) -> tuple[str, ...]:
    """Arguments of `edgphys.scan` that hold the options of the method of that name."""
    return _ENTRIES[name].arguments if name in _ENTRIES else (ChainMethod.argument,)


def available(system: Any) -> tuple[str, ...]:
    """Names of the methods that serve `system`.

    Examples
    --------
    >>> from edgphys.systems import DoubleWell
    >>> available(DoubleWell())
    ('edg', 'random_walk', 'mala', 'hmc', 'bridge', 'mcmc', 'mbar', 'ti', 'exact')
    """
    from edgphys import mcmc

    first, *others = _ENTRIES
    names = (first, *mcmc.algorithms_for(system), *others)
    return tuple(name for name in names if make(name).applies_to(system) is None)


def look(name: str) -> Look | None:
    """How the method of that name is shown; None if it is not known here.

    Examples
    --------
    >>> look("mbar").label, look("mine")
    ('MBAR', None)
    """
    return _ENTRIES[name].look if name in _ENTRIES else LOOKS.get(name)


def looks_of(attrs: Mapping[str, Any], names: list[str]) -> dict[str, Look]:
    """How the methods `names` of a dataset are shown; those not known here as its attr ``methods`` says.

    Examples
    --------
    >>> looks_of({"methods": '{"mine": {"label": "Mine"}}'}, ["exact", "mine", "other"])["mine"]
    Look(label='Mine', colour='', marker='', is_exact=False, reference_rank=2)
    """
    own = {name: Look(**about) for name, about in json.loads(attrs.get("methods", "{}")).items()}
    return {name: look(name) or own.get(name) or Look(name.replace("_", " ")) for name in names}
