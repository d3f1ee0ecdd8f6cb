# SPDX-License-Identifier: MIT
"""A dataset computed once more, from nothing but its own record."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from edgphys.dataset.provenance import dataset_of, provenance
from edgphys.errors import DatasetError, EdgphysError
from edgphys.recording.machine import hardware, versions
from edgphys.recording.plain_values import others_in
from edgphys.recording.repeat import looking_in, repeat
from edgphys.reruns.comparison import differences

__all__ = ["Rerun", "check_repeatable", "rerun"]


@dataclass(frozen=True)
class Rerun:
    """What came out.

    Attributes
    ----------
    dataset : Dataset
        The new one.
    differences : tuple of str
        A line for each variable that is not the same, bit for bit; none if all are.
    reasons : tuple of str
        What is not as it was, versions and processor, and may be why.
    """

    dataset: xr.Dataset
    differences: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether all numbers are the same, bit for bit, but for seconds."""
        return not self.differences

    @property
    def lines(self) -> tuple[str, ...]:
        """In words.

        >>> Rerun(xr.Dataset(), ("energy: by up to 0.1",), ("numpy was 1.26.0 and is 2.0.0",)).lines[-1]
        'possible reasons: numpy was 1.26.0 and is 2.0.0'
        """
        if self.is_same:
            return ("the numbers are the same, bit for bit",)
        because = f"possible reasons: {'; '.join(self.reasons)}" if self.reasons else ""
        lines = (f"the numbers differ in {len(self.differences)} variables", *self.differences)
        return (*lines, because or "versions and processor are the same")


def rerun(dataset: xr.Dataset | str | Path) -> Rerun:
    """Compute a dataset once more from its own record, and compare the numbers.

    Parameters
    ----------
    dataset : Dataset or path
        Of any kind. What it was made from, a file of draws or a saved generator, must be where it was, or
        beside the file, and hold the same; draws and trainings of the same call are computed again too.

    Returns
    -------
    Rerun

    Raises
    ------
    TypeError
        If it is neither.
    DatasetError
        If it cannot be computed again: there is no record, it names a function, a system or data of one's
        own, or its source is missing or has changed. Nothing is computed before that is known of all
        arguments that files do not hold.

    Examples
    --------
    >>> import edgphys as ep
    >>> again = rerun(ep.wasserstein([0.0, 1.0], [1.0, 2.0], 3))
    >>> again.is_same, float(again.dataset["distance"])
    (True, 1.0)
    """
    before = dataset_of(dataset)
    told = check_repeatable(before)
    place = Path(dataset).parent if isinstance(dataset, str | Path) else None
    found: AbstractContextManager = nullcontext() if place is None else looking_in(place)
    try:
        with found:
            now = repeat(told["call"])
    except EdgphysError as error:
        raise DatasetError(f"dataset cannot be computed again: {error}", "dataset") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        words = f"its record does not fit this edgphys ({type(error).__name__}: {error})"
        raise DatasetError(f"dataset cannot be computed again: {words}", "dataset") from error
    return Rerun(now, differences(before, now), _changes(told))


def check_repeatable(dataset: xr.Dataset) -> dict[str, Any]:
    """Its provenance, if that holds all that a repetition needs, as far as the record tells.

    Raises
    ------
    DatasetError
        If it does not.
    """
    told = provenance(dataset)
    if told["call"] is None:
        raise DatasetError("dataset cannot be computed again: it has no record of its call", "dataset")
    for words in others_in(told["call"]):
        raise DatasetError(f"dataset cannot be computed again: its record holds {words}", "dataset")
    return told


def _changes(told: dict[str, Any]) -> tuple[str, ...]:
    now = {**versions(), **hardware()}
    before = {**told["versions"], **told["hardware"]}
    return tuple(
        f"{name} was {value} and is {now.get(name, 'not in use')}"
        for name, value in before.items()
        if value != now.get(name)
    )
