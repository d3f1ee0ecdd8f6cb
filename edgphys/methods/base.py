# SPDX-License-Identifier: MIT
"""What a method is: something that gives estimates of a system, with settings that are checked once.

A scan asks a method only for what is declared here:

    check(systems) -> refuses what it cannot serve      before anything is computed
    for_all(systems, points) -> itself, with a plan     what it is going to share is part of its settings
    prepare(systems, seed) -> artefact                  once for all points: a training, a ladder they share
    run(system, seed, artefact) -> estimates            once for each point

so that a method of one's own is one class, handed to `edgphys.scan` as an object; one that is to have a name
for everybody is one entry more, in `edgphys.methods.registry`.
"""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from edgphys.errors import ArgumentTypeError
from edgphys.recording.plain_values import plain

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

__all__ = ["AbstractDrawingMethod", "AbstractMethod", "Look", "make_options", "seed_words"]


@dataclass(frozen=True)
class Look:
    """How tables and pictures show a method.

    Attributes
    ----------
    label : str
        Its name for readers.
    colour, marker : str
        As matplotlib takes them; "" leaves them to the picture.
    is_exact : bool
        Its results have no error.
    reference_rank : int
        The others are compared with the method of the lowest: 0 exact results, 1 Markov chains, 2 the rest.
    """

    label: str
    colour: str = ""
    marker: str = ""
    is_exact: bool = False
    reference_rank: int = 2


class AbstractMethod(ABC):
    """Declaration of a method; concrete methods are final and hold their fields themselves.

    A class must give `name` and `run`; the rest has defaults.

    Attributes
    ----------
    name : str
        One word; with the point it is the key of a cell of a scan and of its seed.
    look : Look or None
        How it is shown; None: by its name.
    argument : str
        Argument of `edgphys.scan` that holds the options of this method where it is given by name; "" if it
        has none.
    counted : str
        The option that counts independent draws, of which a scan may be given more later; "" if none does.
    options : frozen dataclass or None
        Its settings, checked when they are made.
    plan : str
        A line that tells readers what `prepare` is going to do; "" if there is nothing to tell.

    Examples
    --------
    >>> class Guess(AbstractMethod):
    ...     name = "guess"
    ...     def run(self, system, seed, artefact=None, checkpoint=None):
    ...         import xarray as xr
    ...         return xr.Dataset({"log_z": 1.0, "log_z_err": 0.1})
    >>> float(Guess().run(None, None)["log_z"]), Guess().settings()
    (1.0, {})
    """

    name: str
    look: Look | None = None
    argument: ClassVar[str] = ""
    counted: ClassVar[str] = ""
    options: Any = None
    plan: str = ""

    def settings(self) -> dict[str, Any]:
        """What a dataset records of the settings; cells are shared by scans that agree in it.

        By default all options that differ from the default.
        """
        if self.options is None:
            return {}
        return {
            field.name: getattr(self.options, field.name)
            for field in dataclasses.fields(self.options)
            if getattr(self.options, field.name) != field.default
        }

    def all_settings(self) -> dict[str, Any]:
        """All `options` with their defaults, in JSON types; what is still None, the system decides."""
        if self.options is None:
            return {}
        return {
            field.name: plain(getattr(self.options, field.name)) for field in dataclasses.fields(self.options)
        }

    def applies_to(self, system: Any) -> str | None:
        """Why the method cannot serve `system`; None if it can."""
        return None

    def check(self, systems: Sequence[Any]) -> None:
        """Refuse what cannot be computed for `systems` together; each has passed `applies_to`."""
        return None

    def cells_at_once(self, n_cpus: int) -> int:
        """Cells of this method that so many CPUs can work on at a time."""
        return n_cpus

    def beside_others(self) -> Self:
        """The same method where other cells use the other CPUs: the same numbers, with one thread."""
        return self

    def for_all(self, systems: Sequence[Any], points: Sequence[Mapping[str, float | str]]) -> Self:
        """The same method for a scan of these systems at these points of the grid, in the same order.

        Its settings say all that a cell depends on, so that cells are shared by scans that agree in them.
        """
        return self

    def default_of(self, option: str) -> Any:
        """The default of an option."""
        return next(field.default for field in dataclasses.fields(self.options) if field.name == option)

    def drawing(self, count: int) -> Self:
        """The same method with another number of what it counts, of a method that has `counted`."""
        raise NotImplementedError(f"{self.name} counts no draws")

    def adopting(
        self,
        settings: Mapping[str, Any],
        systems: Sequence[Any],
        points: Sequence[Mapping[str, float | str]],
    ) -> Self:
        """As `for_all`, but planned as an earlier scan of these `settings` was, if that serves all points."""
        return self.for_all(systems, points)

    def training(self) -> dict[str, Any] | None:
        """The settings that a trained model depends on; None where `prepare` trains none."""
        return None

    def prepare(
        self, systems: Sequence[Any], seed: np.random.SeedSequence, checkpoint: str | None = None
    ) -> Any:
        """What all points of a scan share, from all their systems; handed to every `run`.

        `checkpoint` is a file that a long computation may keep its state in, and its result: it stays until
        the scan is complete.
        """
        return None

    def kept_at(self, checkpoint: str) -> Path | None:
        """The file in which `prepare` keeps its result, for this `checkpoint`; None if it keeps none."""
        return None

    def keeping(self, draws: Path) -> Self | None:
        """The same method, whose `run` writes draws with configurations to a file; None if it has none."""
        return None

    def packed(self, artefact: Any) -> bytes | None:
        """The content of that file, from where there is none; None if there is nothing to keep."""
        return None

    @abstractmethod
    def run(
        self, system: Any, seed: np.random.SeedSequence, artefact: Any = None, checkpoint: str | None = None
    ) -> xr.Dataset:
        """Estimates of `system`.

        Parameters
        ----------
        system : AbstractSystem
        seed : numpy.random.SeedSequence
            All randomness of the cell, for ``numpy.random.default_rng`` or `seed_words`.
        artefact
            What `prepare` gave.
        checkpoint : str, optional
            File that a long computation may keep its state in.

        Returns
        -------
        Dataset
            Of kind "estimates": scalars ``<name>`` with ``<name>_err``, diagnostics. An attr ``algorithm``
            tells what was run where this is not the attr ``method``, ``warning`` why not to trust it,
            ``shared_time`` the part of the seconds of `prepare` that this cell is to count, ``earlier_time``
            those of runs that were stopped before, from whose checkpoint this one went on.
        """


class AbstractDrawingMethod(AbstractMethod):
    """A method whose numbers are those of draws of the system, which it can write to a file."""

    _draws: Path | None = None

    def keeping(self, draws: Path) -> Self:
        keeping = copy.copy(self)
        keeping._draws = draws
        return keeping

    @property
    def _keeps(self) -> bool:
        """Whether draws are to have configurations."""
        return self._draws is not None

    def _write_draws(self, samples: xr.Dataset) -> None:
        """Write them, if they are to be kept."""
        from edgphys.dataset.files import write

        if self._draws is not None:
            write(samples, self._draws, overwrite=True)


def make_options(kind: Any, given: Mapping[str, Any], argument: str) -> Any:
    """``kind(**given)``, a dataclass of options; None leaves an option at its default.

    Raises
    ------
    TypeError
        If there is no such option; the message lists what there is in `argument`.

    Examples
    --------
    >>> make_options(Look, {"name": "x"}, "look")
    Traceback (most recent call last):
    edgphys.errors.ArgumentTypeError: look: unknown option 'name'; there are colour, is_exact, label, ...
    """
    known = sorted(field.name for field in dataclasses.fields(kind))  # pyright: ignore[reportArgumentType]
    for name in given:
        if name not in known:
            words = f"{argument}: unknown option {name!r}; there are {', '.join(known)}"
            raise ArgumentTypeError(words, argument)
    return kind(**{name: value for name, value in given.items() if value is not None})


def seed_words(seed: np.random.SeedSequence, count: int) -> list[int]:
    """Seeds below 2**63, which torch, numba and netCDF attributes all take.

    Examples
    --------
    >>> import numpy as np
    >>> seed_words(np.random.SeedSequence(0), 2) == seed_words(np.random.SeedSequence(0), 3)[:2]
    True
    """
    import numpy as np

    return [int(word) >> 1 for word in seed.generate_state(count, np.uint64)]
