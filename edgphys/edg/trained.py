# SPDX-License-Identifier: MIT
"""What draws, chains and bounds need of a sampler, and the dataset that its configurations become."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.model_options import ModelOptions
from edgphys.edg.targets.base import Calls
from edgphys.edg.targets.eased import towards
from edgphys.systems.base import AbstractSystem
from edgphys.systems.provenance import sample_attrs

__all__ = ["Run", "TrainedModel", "measured", "spawned_generator"]


@dataclass(frozen=True)
class TrainedModel:
    """A model, trained or at its start, with what a dataset says of it.

    Attributes
    ----------
    system : AbstractSystem
    options : ModelOptions
    settings : dict
        The same as JSON types, and how it was trained.
    model : AbstractEDGModel
    calls : Calls
        What search and training have evaluated.
    reason : str
        Why the decoder is this one, where it was chosen among several; else empty.
    is_eased : bool
        Whether its draws are of an easier system, from which they are annealed to `system` unless told.
    """

    system: AbstractSystem
    options: ModelOptions
    settings: Mapping[str, Any]
    model: AbstractEDGModel
    calls: Calls
    reason: str = ""
    is_eased: bool = False

    def observing(self, observables: Any) -> TrainedModel:
        """The same, with observables of one's own, see `AbstractSystem.observing`."""
        return replace(self, system=self.system.observing(observables))

    def towards(self, system: AbstractSystem, anneal_from: Mapping[str, float]) -> TrainedModel:
        """The same model on its way to another lattice system, from the couplings it is at."""
        settings = {**self.settings, "anneal_from": dict(anneal_from)}
        model = towards(self.model, system)
        return replace(self, system=system, settings=settings, model=model, is_eased=True)


@dataclass(frozen=True)
class Run:
    """One call of a sampler, from its beginning on; it ends in a dataset.

    Attributes
    ----------
    method : str
        As the dataset names it.
    seed : int
    keep : bool
        Whether configurations are kept.
    begin : float
        Of ``time.perf_counter``.
    earlier_time : float
        Seconds of calls that were stopped before, from whose checkpoint this one goes on.
    """

    method: str
    seed: int
    keep: bool
    begin: float
    earlier_time: float = 0.0

    def dataset(
        self,
        trained: TrainedModel,
        columns: Mapping[str, NDArray[np.float64]],
        configurations: NDArray | None,
        settings: Mapping[str, Any],
        spent: Calls,
        chains: tuple[int, int] | None = None,
    ) -> xr.Dataset:
        """Wrap everything.

        Parameters
        ----------
        trained : TrainedModel
        columns : mapping of str to float64 array, shape (n_samples,)
            What `measured` gives, and more.
        configurations : array, shape (n_samples, n_variables)
            Where they are kept.
        settings : mapping
            Of this call, with ``n_samples``: so many draws, each with one energy of its own.
        spent : Calls
            What decoder and encoder evaluated besides for these draws.
        chains : tuple of int, optional
            Splits the draws into (n_chains, n_draws).
        """
        system, dims = trained.system, ("draw",) if chains is None else ("chain", "draw")
        shape = (int(settings["n_samples"]),) if chains is None else chains
        variables: dict[str, Any] = {name: (dims, values.reshape(shape)) for name, values in columns.items()}
        if self.keep and configurations is not None:
            kept = configurations.reshape(*shape, *system.event_shape)
            variables["configurations"] = ((*dims, *system.configuration_dims()), kept)
        attrs = sample_attrs(
            system,
            method=self.method,
            seed=self.seed,
            wall_time=time.perf_counter() - self.begin + self.earlier_time,
            settings={**trained.settings, **settings},
            n_energy_calls=int(settings["n_samples"]) + (spent + trained.calls).total,
            n_gradient_calls=(spent + trained.calls).n_gradient_calls,
        )
        earlier = {"earlier_time": self.earlier_time} if self.earlier_time else {}
        return xr.Dataset(variables, attrs=attrs | earlier)


def measured(system: AbstractSystem, configurations: Tensor) -> dict[str, NDArray[np.float64]]:
    """Observables of flat configurations, shape (n_batch, n_variables), and their reduced energy.

    In units of k_B T: the exponent that a Monte Carlo of the configurations would see.
    """
    return system.measure_with_action(configurations.reshape(-1, *system.event_shape))


def spawned_generator(sequence: np.random.SeedSequence, device: torch.device) -> torch.Generator:
    """A generator of torch on the device, seeded from numpy's sequence."""
    seed = int(sequence.generate_state(1, np.uint64)[0]) >> 1
    return torch.Generator(device=device).manual_seed(seed)
