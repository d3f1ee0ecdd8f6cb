# SPDX-License-Identifier: MIT
"""The energy-based diffusion generator as a method: trained at the point, then weighted draws.

Torch computes a cell on the CPU with a fixed number of threads (option ``n_threads``, default 1, the fastest
for small lattices): another number sums in another order, which changes the last digits and, through
training, the samples.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgphys._checks import count
from edgphys.errors import ArgumentValueError, NotExactError
from edgphys.methods.base import AbstractMethod, Look, seed_words

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

__all__ = ["EDGMethod", "EDGOptions"]


@dataclass(frozen=True)
class EDGOptions:
    """Settings of the generator at a point.

    Attributes
    ----------
    n_samples : int
        Weighted draws, at least 2: one has no error.
    n_threads : int or None
        Threads of torch in a cell of a scan; None: 1.
    model, fit, sample : dict
        Options of `EDG`, `EDG.fit` and `EDG.sample`, see `edgphys.edg.call_options.split`.

    Raises
    ------
    TypeError, ValueError
        If an option is not what it must be.
    NotExactError
        If the weights would be too noisy for a free energy.
    """

    n_samples: int = 10_000
    n_threads: int | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    sample: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from edgphys.edg.call_options import SampleOptions
        from edgphys.edg.weights.weighted_draws import flow_of

        count(self.n_samples, "n_samples", 2)
        if self.n_threads is not None:
            count(self.n_threads, "n_threads", 1)
        draws = SampleOptions(**self.sample)
        flow_of(draws, self.model.get("encoder") != "gaussian")
        if not draws.is_exact:
            words = "divergence must be 'exact' for weights='ode' to give log_z, got 'hutchinson'"
            raise NotExactError(words, "divergence")


class EDGMethod(AbstractMethod):
    """An energy-based diffusion generator, trained and sampled at each point.

    Parameters
    ----------
    given : mapping
        Options of `EDG`, its ``fit`` and its ``sample``.
    n_samples, n_threads : int
        See `EDGOptions`.
    """

    name = "edg"
    look: Look = Look("EDG", "#0072B2", "o")
    argument = "edg"

    def __init__(
        self,
        given: Mapping[str, Any] | None = None,
        *,
        n_samples: int = 10_000,
        n_threads: int | None = None,
    ) -> None:
        from edgphys.edg.call_options import split

        self._given = dict(given or {})
        model, fit, sample = split(self._given)
        self.options = EDGOptions(n_samples, n_threads, model, fit, sample)

    def settings(self) -> dict[str, Any]:
        """Those given, and the number of views unless it is 1, as in scans from before there were several."""
        settings = {"n_samples": self.options.n_samples, "n_views": "auto", **self._given}
        if settings["n_views"] == 1:
            del settings["n_views"]
        n_threads = self.options.n_threads
        return settings if n_threads is None else settings | {"n_threads": n_threads}

    def check(self, systems: Sequence[Any]) -> None:
        """Options of the model, which depend on the system."""
        from edgphys.edg import EDG

        for system in systems:
            EDG(system, **self.options.model)
            n_anneal = self.options.sample.get("n_anneal")
            if n_anneal and system.lattice is not None:
                words = f"n_anneal must be 0 for the system {system.name}, got {n_anneal}"
                raise ArgumentValueError(words, "n_anneal")

    def cells_at_once(self, n_cpus: int) -> int:
        from edgphys._checks import device

        on_gpu = device(self.options.fit.get("device")).type == "cuda"
        return 1 if on_gpu else n_cpus // (self.options.n_threads or 1)

    def run(
        self, system: Any, seed: np.random.SeedSequence, artefact: Any = None, checkpoint: str | None = None
    ) -> xr.Dataset:
        with _torch_threads(self.options.n_threads or 1):
            return self.estimates(system, *seed_words(seed, 3), checkpoint=checkpoint, progress=False)

    def estimates(
        self,
        system: Any,
        fit_seed: int,
        draw_seed: int,
        estimate_seed: int,
        *,
        checkpoint: str | None,
        progress: bool | None,
    ) -> xr.Dataset:
        """Estimates of weighted draws of a generator trained here; one seed for each of the three."""
        from edgphys.edg import EDG
        from edgphys.estimators import estimate

        begin = time.perf_counter()
        options = self.options
        edg = EDG(system, **options.model)
        edg = edg.fit(seed=fit_seed, progress=progress, checkpoint=checkpoint, **options.fit)
        samples = edg.sample(options.n_samples, seed=draw_seed, progress=progress, **options.sample)
        table = estimate(samples, seed=estimate_seed)
        table.attrs["wall_time"] = time.perf_counter() - begin
        return table


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Threads within an operation of torch called from this thread; other threads keep theirs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
