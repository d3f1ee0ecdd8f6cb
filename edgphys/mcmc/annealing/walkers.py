# SPDX-License-Identifier: MIT
"""What moves along a ladder of systems: a batch of configurations, each on its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgphys.systems.base import AbstractSystem

__all__ = ["AbstractWalkers"]


class AbstractWalkers(ABC):
    """A batch on its way from one system to the next; concrete classes are final.

    `move` leaves exp(-u) of the system at hand invariant for any fixed steps. Only `tune` chooses steps, by
    what it sees: it is for batches that are thrown away.

    Attributes
    ----------
    x : array, shape (n_batch, n_variables)
        Where they are.
    pilot_rungs : tuple of int
        Rungs of the two rounds of a pilot that is to find out how many it takes.
    """

    pilot_rungs: ClassVar[tuple[int, int]]
    x: NDArray

    @abstractmethod
    def switch(self, system: AbstractSystem) -> NDArray[np.float64]:
        """Go over to another rung; minus the work of every walker, u before minus u after."""

    @abstractmethod
    def first_steps(self) -> NDArray[np.float64]:
        """A guess of the steps at the beginning of a ladder, shape (n_steps,)."""

    @abstractmethod
    def tune(self, steps: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find steps from a guess, and move with them: the steps, and a guess for the next rung."""

    @abstractmethod
    def move(self, steps: NDArray[np.float64]) -> None:
        """One move of every walker."""

    @abstractmethod
    def calls(self) -> tuple[int, int]:
        """Energies and gradients so far, counted per configuration; a gradient gives the energy with it."""
