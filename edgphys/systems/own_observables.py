# SPDX-License-Identifier: MIT
"""Observables of one's own: a function of configurations, measured wherever those of the system are.

A system that is told of them (`AbstractSystem.observing`) measures them on every draw, whatever draws it:
chains, ladders, weighted draws. From there on they are columns like all others, so that estimates have their
errors from the same estimators, and datasets say name, definition and unit in their attributes.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import instance, one_line
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.observables import TABLE

__all__ = ["OwnObservable", "as_observables", "observable"]

# Numbers that the function gets at a time: 8 MiB, however many draws come in.
_BATCH = 1 << 20
# Names that datasets have for something else.
_TAKEN = (
    *("reduced_energy", "log_weight_joint", "log_weight_reverse", "configurations", "correlation"),
    *("replica", "action_terms", "action_coefficients", "round_trip_time", "n_round_trips"),
    *("chain", "draw", "method", "rung", "pair", "term", "resample", "quantity", "distance_bin"),
)
_SUFFIXES = ("_err", "_covariance", "_resampled", "_node", "_between", "_other", "_deviation")


@dataclass(frozen=True)
class OwnObservable:
    """A function of configurations with its words; made by `observable`.

    Attributes
    ----------
    name : str
        As datasets, tables and pictures have it; its error is ``<name>_err``.
    function : callable
        Of a batch of configurations, float64 (n, *event_shape), to n numbers.
    definition : str
        What the number is.
    unit : str
        As it is written on axes; "" for a number without one.
    """

    name: str
    function: Callable[[NDArray[np.float64]], Any] = field(compare=False)
    definition: str
    unit: str = ""

    def __call__(self, configurations: NDArray) -> NDArray[np.float64]:
        """Values of a batch, float64 (n,).

        Raises
        ------
        ArgumentValueError
            If the function fails, or gives anything but one finite real number per configuration.
        """
        values = self._values(configurations)
        n_bad = int(np.count_nonzero(~np.isfinite(values)))
        if n_bad:
            raise self._refusal("be finite", f"{n_bad} of {len(values)} values that are not")
        return values

    def check_on(self, batch: NDArray) -> None:
        """Refuse a function that fails on some configurations, or whose value depends on the others.

        Raises
        ------
        ArgumentValueError
        """
        together = self._values(batch)
        alone = np.concatenate([self._values(one[None]) for one in batch])
        if not np.isfinite(together).any():
            raise self._refusal("be finite", f"{len(together)} of {len(together)} values that are not")
        wrong = ~np.isclose(together, alone, rtol=1e-9, atol=1e-12, equal_nan=True)
        if wrong.any():
            values = f"{together[wrong][0]:.6g} for one among {len(batch)} and {alone[wrong][0]:.6g} alone"
            raise self._refusal("depend on one configuration each", values)

    def _values(self, configurations: NDArray) -> NDArray[np.float64]:
        """What the function gives, a batch at a time."""
        n, size = len(configurations), math.prod(configurations.shape[1:])
        rows = max(1, _BATCH // max(1, size))
        return np.concatenate([self._of(configurations[k : k + rows]) for k in range(0, max(1, n), rows)])

    def _of(self, configurations: NDArray) -> NDArray[np.float64]:
        batch = np.array(configurations, np.float64, order="C")  # a copy, which the function may change
        shape = batch.shape
        allowed = f"give one real number per configuration, shape ({shape[0]},) for an array of shape {shape}"
        try:
            values = np.asarray(self.function(batch))
        except Exception as error:
            came = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise self._refusal(allowed, came) from error
        if values.dtype.kind not in "biuf" or values.shape != shape[:1]:
            raise self._refusal(allowed, f"shape {values.shape} of {values.dtype}")
        return values.astype(np.float64)

    def _refusal(self, allowed: str, came: str) -> ArgumentValueError:
        return ArgumentValueError(f"observable {self.name!r} must {allowed}, got {came}", "observables")


def observable(
    name: str, function: Callable[[NDArray[np.float64]], Any], *, definition: str, unit: str = ""
) -> OwnObservable:
    """An observable of one's own, for the argument `observables` of what draws.

    Parameters
    ----------
    name : str
        A word that no shipped observable has.
    function : callable
        Takes a batch of configurations, a float64 array of shape (n, *site dims) or (n, n_particles, n_axes),
        and gives n real numbers, each of one configuration alone. Chains call it from several threads.
    definition : str
        What the number is; stored with the data. Datasets of two definitions under one name are not merged.
    unit : str
        As axes show it, such as "J"; k_B = 1.

    Returns
    -------
    OwnObservable

    Raises
    ------
    ArgumentTypeError, ArgumentValueError
        If an argument is not what it must be, or the name is taken.

    Examples
    --------
    >>> import lattices
    >>> from edgphys import mcmc
    >>> from edgphys.systems import Ising
    >>> first = observable("first_spin", lambda s: s[:, 0], definition="spin at site 0")
    >>> system = Ising(lattices.build("chain", (6,)), temperature=2.0)
    >>> chains = mcmc.run(system, "metropolis", n_chains=2, n_sweeps=50, seed=1, observables=[first])
    >>> chains["first_spin"].dims, chains.attrs["observables"]
    (('chain', 'draw'), '["first_spin"]')
    """
    _check_name(instance(name, "name", str, "a str"))
    if not callable(function):
        raise ArgumentTypeError(f"function must be callable, got {type(function).__name__}", "function")
    if not instance(definition, "definition", str, "a str").strip():
        raise ArgumentValueError("definition must say what the number is, got an empty text", "definition")
    instance(unit, "unit", str, "a str")
    return OwnObservable(name, function, " ".join(definition.split()), unit.strip())


def as_observables(given: Any) -> tuple[OwnObservable, ...]:
    """One observable or several, or functions, which are named by themselves and by their docstrings.

    Raises
    ------
    ArgumentTypeError, ArgumentValueError
        If there is something else among them, a name twice, or a function without a name.
    """
    if given is None:
        return ()
    listed = [given] if isinstance(given, OwnObservable) or callable(given) else given
    if isinstance(listed, str | bytes) or not isinstance(listed, Iterable):
        came = one_line(given)
        raise ArgumentTypeError(f"observables must be made by ep.observable, got {came}", "observables")
    made = tuple(map(_as_observable, listed))
    for k, one in enumerate(made):
        if one.name in [other.name for other in made[:k]]:
            raise ArgumentValueError(
                f"observables must have each name once, got {one.name!r} twice", "observables"
            )
    return made


def _as_observable(one: Any) -> OwnObservable:
    if isinstance(one, OwnObservable):
        return one
    if not inspect.isfunction(one):
        came = one_line(one)
        raise ArgumentTypeError(f"observables must be made by ep.observable, got {came}", "observables")
    if one.__name__ == "<lambda>":
        words = "observables must have names, got a lambda: ep.observable(name, lambda ..., definition=...)"
        raise ArgumentValueError(words, "observables")
    docstring = inspect.getdoc(one) or f"{one.__module__}.{one.__qualname__} of a configuration"
    return observable(one.__name__, one, definition=docstring.splitlines()[0])


def _check_name(name: str) -> None:
    if not name.isidentifier():
        raise ArgumentValueError(f"name must be a word of letters, digits and _, got {name!r}", "name")
    if name in TABLE or name in _TAKEN or name.endswith(_SUFFIXES):
        raise ArgumentValueError(
            f"name must be one that no result or dimension of edgphys has, got {name!r}", "name"
        )
