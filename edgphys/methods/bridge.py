# SPDX-License-Identifier: MIT
"""A generator and a Markov chain together, as a method: log Z from both sides.

See `edgphys.edg.weights.bridge`. The generator is trained as for "edg"; the chain, of the best algorithm,
runs at each point with a seed of its own, so that training has not seen it. Observables are those of the
chain.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edgphys._files import beside
from edgphys.errors import ArgumentValueError
from edgphys.methods.base import AbstractDrawingMethod, Look, make_options, seed_words
from edgphys.methods.chains import check_chains, check_counts, why_no_chains
from edgphys.methods.edg import EDGMethod, times_of

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

__all__ = ["BridgeMethod", "ReferenceOptions"]

# Configurations that are kept of each chain: as many as there are draws, and at least so many.
_LEAST_KEPT = 1000
# Options of the draws that have a meaning for both sides.
_OF_BOTH_SIDES = ("n_path_steps", "n_views")


@dataclass(frozen=True)
class ReferenceOptions:
    """Settings of the chain, as `edgphys.mcmc.run` documents them.

    Attributes
    ----------
    algorithm : str or None
        None: the best for the system.
    thin : int or None
        None: so that about as many configurations are kept as there are draws of the generator.
    """

    algorithm: str | None = None
    n_chains: int = 8
    n_sweeps: int = 20_000
    n_warmup: int | None = None
    thin: int | None = None
    n_threads: int | None = None
    options: Mapping | None = None

    def __post_init__(self) -> None:
        check_counts(self)


class BridgeMethod(AbstractDrawingMethod):
    """log Z by Bennett's acceptance ratio between a generator and a Markov chain.

    Parameters
    ----------
    given : mapping
        Options of `EDG`, its ``fit``, and ``n_views``.
    chains : mapping
        Fields of `ReferenceOptions`.
    n_samples, n_threads, per_point
        See `edgphys.methods.edg.EDGOptions`.

    Raises
    ------
    TypeError, ValueError
        If there is no such option, or it has no meaning for the reference, as annealing and weights of the
        flow have none.
    """

    name = "bridge"
    look: Look = Look("EDG and chains", "#56B4E9", "P")
    argument = "edg"

    def __init__(
        self,
        given: Mapping[str, Any] | None = None,
        chains: Mapping[str, Any] | None = None,
        **of_edg: Any,
    ) -> None:
        self._generator, self._chains = EDGMethod(given, **of_edg), dict(chains or {})
        for name, value in self._generator.options.sample.items():
            if name not in _OF_BOTH_SIDES:
                raise ArgumentValueError(f"{name} must be left out for method='bridge', got {value!r}", name)
        self.options = make_options(ReferenceOptions, self._chains, "mcmc")

    def settings(self) -> dict[str, Any]:
        return self._generator.settings() | self._chains

    def all_settings(self) -> dict[str, Any]:
        return self._generator.all_settings() | super().all_settings()

    def applies_to(self, system: Any) -> str | None:
        return why_no_chains(system)

    def check(self, systems: Sequence[Any]) -> None:
        self._generator.check(systems)
        check_chains(systems[0], self.options.algorithm, self.options)

    def cells_at_once(self, n_cpus: int) -> int:
        return self._generator.cells_at_once(n_cpus)

    def beside_others(self) -> Self:
        """With one thread of the chains."""
        beside = copy.copy(self)
        beside.options = dataclasses.replace(self.options, n_threads=self.options.n_threads or 1)
        return beside

    def for_all(self, systems: Sequence[Any], points: Sequence[Mapping[str, float | str]]) -> Self:
        planned = copy.copy(self)
        planned._generator = self._generator.for_all(systems, points)
        planned.plan = planned._generator.plan
        return planned

    def prepare(
        self, systems: Sequence[Any], seed: np.random.SeedSequence, checkpoint: str | None = None
    ) -> Any:
        return self._generator.prepare(systems, seed, checkpoint)

    def kept_at(self, checkpoint: str) -> Path | None:
        return self._generator.kept_at(checkpoint)

    def packed(self, artefact: Any) -> bytes | None:
        return self._generator.packed(artefact)

    def run(
        self, system: Any, seed: np.random.SeedSequence, artefact: Any = None, checkpoint: str | None = None
    ) -> xr.Dataset:
        return self.estimates(system, seed, artefact, checkpoint, progress=False)

    def estimates(
        self,
        system: Any,
        seed: np.random.SeedSequence,
        artefact: Any = None,
        checkpoint: str | None = None,
        *,
        progress: bool | None,
    ) -> xr.Dataset:
        """Estimates of `system`, all seeds derived from one."""
        begin = time.perf_counter()
        fit_seed, bridge_seed, chain_seed = seed_words(seed, 3)
        edg = self._generator.sampler(system, fit_seed, artefact, checkpoint, progress=progress)
        reference = self._reference(system, chain_seed, checkpoint, bool(progress))
        self._write_draws(reference)
        sides = {"n_samples": self._generator.options.n_samples, "seed": bridge_seed, "progress": progress}
        if checkpoint is not None:
            sides["checkpoint"] = beside(checkpoint, "draws")
        table = edg.bridge(reference, **sides, **self._generator.options.sample)
        if artefact is not None:
            artefact.count_share(table)
        table.attrs |= times_of(edg, artefact, begin, table, reference)
        table.attrs["algorithm"] = reference.attrs["method"]
        return table

    def _reference(self, system: Any, seed: int, checkpoint: str | None, progress: bool) -> xr.Dataset:
        from edgphys import mcmc
        from edgphys.mcmc.core.checkpoint import Temporary

        given = {field.name: getattr(self.options, field.name) for field in dataclasses.fields(self.options)}
        given["algorithm"] = self.options.algorithm or mcmc.best_algorithm(system)
        if self.options.thin is None:
            kept = max(self._generator.options.n_samples // self.options.n_chains, _LEAST_KEPT)
            given["thin"] = max(1, self.options.n_sweeps // kept)
        store = None if checkpoint is None else Temporary(beside(checkpoint, "chains"))
        return mcmc.run(system, seed=seed, keep=True, progress=progress, checkpoint=store, **given)
