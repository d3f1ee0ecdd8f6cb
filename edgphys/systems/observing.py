# SPDX-License-Identifier: MIT
"""How a system is told of observables of one's own, which it then measures beside those that it has.

Datasets say of them, in the system's attributes: ``observables`` (names), ``definitions`` and ``units``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys.errors import ArgumentValueError
from edgphys.observables import TABLE
from edgphys.systems.energy import AbstractEnergy
from edgphys.systems.own_observables import OwnObservable, as_observables

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["AbstractObserving"]

_Changed = TypeVar("_Changed", bound="AbstractObserving")


class AbstractObserving(AbstractEnergy):
    """What a system measures, with observables of one's own.

    Attributes
    ----------
    name, parameters, observables
        As `AbstractSystem` declares them.
    """

    name: str
    parameters: dict[str, Any]
    observables: tuple[str, ...] = ()
    _own: tuple[OwnObservable, ...] = ()
    _beside: tuple[OwnObservable, ...] = ()

    @property
    def measured_beside(self) -> tuple[OwnObservable, ...]:
        """What no kernel measures: functions that the system brings itself, and those it was told of."""
        return (*self._beside, *self._own)

    @property
    def own_observables(self) -> tuple[OwnObservable, ...]:
        """Those that `observing` has told it of."""
        return self._own

    def observing(self, observables: Any) -> Self:
        """The same system, which measures these too, wherever it measures its own.

        Parameters
        ----------
        observables : OwnObservable, function, sequence of them, or None
            See `edgphys.observable`; a function has its name, and its docstring for a definition.

        Raises
        ------
        ArgumentTypeError, ArgumentValueError
            If one is none, its name is that of an observable or a parameter of the system, or it does not
            give a number for each of some configurations.
        """
        new = [one for one in as_observables(observables) if one not in self._own]
        if not new:
            return self
        taken = {*self.observables, *self.parameters, *self.configuration_dims()}
        taken |= {one.name for one in self.measured_beside}
        for one in new:
            if one.name in taken:
                words = f"observables must have names that {self.name} does not use"
                raise ArgumentValueError(f"{words}, got {one.name!r}", "observables")
            one.check_on(self._some_configurations())
        told = copy.copy(self)
        told._own = (*self._own, *new)
        return told

    def measure(self, configurations: Tensor | NDArray) -> dict[str, NDArray[np.float64]]:
        values = super().measure(configurations)
        if not self.measured_beside:
            return values
        given = torch.as_tensor(configurations).detach().cpu().numpy()
        is_flat = given.shape[1:] != self.event_shape
        return values | self.measure_own(self._shaped(given) if is_flat else given)

    def measure_own(self, configurations: NDArray) -> dict[str, NDArray[np.float64]]:
        """All of `measured_beside`, by name, of configurations of shape (n_batch, *event_shape)."""
        return {one.name: one(configurations) for one in self.measured_beside}

    def configuration_dims(self) -> tuple[str, ...]:
        """Names of the dimensions of one configuration."""
        n_axes = len(self.event_shape)
        return ("coordinate",) if n_axes == 1 else tuple(f"axis_{k}" for k in range(n_axes))

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Spread configurations to start from, float64 (n, n_variables), in the system's own values."""
        raise NotImplementedError

    def _told(self, other: _Changed) -> _Changed:
        """`other`, a changed copy, with the observables of one's own that this system has been told of."""
        if self._own:
            other._own = self._own
        return other

    def _some_configurations(self) -> NDArray[np.float64]:
        """Three of them to try a function on, shape (3, *event_shape)."""
        return self._shaped(self.random_configurations(3, np.random.default_rng(0)))

    def _shaped(self, flat: NDArray) -> NDArray:
        """Flat configurations as functions of one's own see them, shape (n_batch, *event_shape)."""
        return flat.reshape(-1, *self.event_shape)

    def _own_definitions(self) -> dict[str, str]:
        return {one.name: one.definition for one in self.measured_beside}

    def _own_attrs(self, geometry: Mapping[str, Any]) -> dict[str, str]:
        """Names, with those that a system without a lattice names, and units; nothing without any."""
        shown = [one for one in self.measured_beside if one.name not in TABLE]
        if not shown:
            return {}
        names = [*json.loads(geometry.get("observables", "[]")), *(one.name for one in shown)]
        units = {one.name: one.unit for one in shown}
        return {"observables": json.dumps(names), "units": json.dumps(units)}
