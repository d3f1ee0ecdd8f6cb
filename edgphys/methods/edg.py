# SPDX-License-Identifier: MIT
"""The energy-based diffusion generator as a method: trained, then weighted draws at each point.

One model is trained for all points of a scan, for the range that they cover, where they differ only in
couplings that it can be conditioned on (`conditions` of the system, and a decoder that takes them). Else, and
with the option ``per_point``, every point trains a model of its own. For a few points far apart that may be
cheaper; one model serves any number of points, and is the same wherever in its range they are.

Torch computes a cell on the CPU with a fixed number of threads (option ``n_threads``, default 1), see
`edgphys._threads`: another number changes the last digits and, through training, the samples.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edgphys._checks import count, flag
from edgphys._files import beside
from edgphys.errors import ArgumentValueError, NotExactError
from edgphys.methods.base import AbstractDrawingMethod, Look, seed_words
from edgphys.methods.condition_ranges import Ranges, condition_ranges, range_words
from edgphys.methods.shared_model import SharedModel, kept_at, middle, shared_model

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

__all__ = ["EDGMethod", "EDGOptions", "times_of"]


@dataclass(frozen=True)
class EDGOptions:
    """Settings of the generator at a point.

    Attributes
    ----------
    n_samples : int
        Weighted draws, at least 2: one has no error.
    n_threads : int or None
        Threads of torch in a cell of a scan; None: 1.
    per_point : bool
        A model for each point of a scan, even where one could serve all.
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
    per_point: bool = False
    model: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    sample: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from edgphys.edg.call_options import SampleOptions
        from edgphys.edg.weights.draw_weights import flow_of

        count(self.n_samples, "n_samples", 2)
        if self.n_threads is not None:
            count(self.n_threads, "n_threads", 1)
        flag(self.per_point, "per_point")
        if self.per_point and self.model.get("conditions") is not None:
            words = f"conditions must be left out with per_point, got {self.model['conditions']!r}"
            raise ArgumentValueError(words, "conditions")
        draws = SampleOptions(**self.sample)
        flow_of(draws, self.model.get("encoder") != "gaussian")
        if not draws.is_exact:
            words = "divergence must be 'exact' for weights='ode' to give log_z, got 'hutchinson'"
            raise NotExactError(words, "divergence")


class EDGMethod(AbstractDrawingMethod):
    """An energy-based diffusion generator, trained for all points of a scan or at each, sampled at each.

    Parameters
    ----------
    given : mapping
        Options of `EDG`, its ``fit`` and its ``sample``. With ``conditions`` one model is trained for these
        ranges, wherever in them the points are.
    n_samples, n_threads, per_point
        See `EDGOptions`.
    """

    name = "edg"
    look: Look = Look("EDG", "#0072B2", "o")
    argument = "edg"
    counted = "n_samples"

    def __init__(
        self,
        given: Mapping[str, Any] | None = None,
        *,
        n_samples: int = 10_000,
        n_threads: int | None = None,
        per_point: bool = False,
    ) -> None:
        from edgphys.edg.call_options import split

        self._given = dict(given or {})
        model, fit, sample = split(self._given)
        self.options = EDGOptions(n_samples, n_threads, per_point, model, fit, sample)
        self._ranges: Ranges = {}  # of the one model for all points; none for a model per point

    def settings(self) -> dict[str, Any]:
        """Those given, the number of views, and the ranges of one model for all points.

        Without views if it is one, and without ranges for a model per point, as in scans from before there
        were several views, and one model.
        """
        settings = {"n_samples": self.options.n_samples, "n_views": "auto", **self._given}
        if settings["n_views"] == 1:
            del settings["n_views"]
        if self._ranges:
            settings["conditions"] = {name: list(ends) for name, ends in self._ranges.items()}
        n_threads = self.options.n_threads
        return settings if n_threads is None else settings | {"n_threads": n_threads}

    def check(self, systems: Sequence[Any]) -> None:
        """Options of the model, which depend on the system."""
        from edgphys.edg import EDG
        from edgphys.edg.call_options import SampleOptions, not_annealed
        from edgphys.edg.weights.weighted_draws import check_draws

        check_draws(systems[0], self.options.n_samples, SampleOptions(**self.options.sample).batch_size)
        for system in systems:
            edg, n_anneal = EDG(system, **self.options.model), self.options.sample.get("n_anneal")
            if n_anneal and not edg.can_anneal:
                raise not_annealed(system.name, n_anneal)

    def cells_at_once(self, n_cpus: int) -> int:
        from edgphys._checks import device

        on_gpu = device(self.options.fit.get("device")).type == "cuda"
        return 1 if on_gpu else n_cpus // (self.options.n_threads or 1)

    def for_all(self, systems: Sequence[Any], points: Sequence[Mapping[str, float | str]]) -> Self:
        """With one model for all points, if they differ in conditions only and the decoder takes these.

        Raises
        ------
        ArgumentValueError
            If ``conditions`` are given and a point is outside of them.
        """
        planned = copy.copy(self)
        planned._ranges, planned.plan = self._planned(systems, tuple(points[0]))
        return planned

    def drawing(self, count: int) -> Self:
        fewer = copy.copy(self)
        fewer.options = dataclasses.replace(self.options, n_samples=max(count, 2))
        return fewer

    def adopting(
        self,
        settings: Mapping[str, Any],
        systems: Sequence[Any],
        points: Sequence[Mapping[str, float | str]],
    ) -> Self:
        ranges = settings.get("conditions")
        if (
            ranges is None
            or not _are_ranges(ranges)
            or self.options.per_point
            or "conditions" in self.options.model
        ):
            return self.for_all(systems, points)
        given = copy.copy(self)
        given_ranges = {name: tuple(ends) for name, ends in (ranges or {}).items()}
        model = {**self.options.model, "conditions": given_ranges}
        given.options = dataclasses.replace(self.options, model=model)
        try:
            given = given.for_all(systems, points)
        except ArgumentValueError:  # points elsewhere, which have a model of their own
            return self.for_all(systems, points)
        given.options = self.options
        return given

    def training(self) -> dict[str, Any] | None:
        if not self._ranges:
            return None
        of_draws = {"n_samples", "n_threads", *self.options.sample, "n_views", "device"}
        return {name: value for name, value in self.settings().items() if name not in of_draws}

    def _planned(self, systems: Sequence[Any], names: tuple[str, ...]) -> tuple[Ranges, str]:
        """The ranges of one model, and words for what is trained."""
        if self.options.model.get("conditions") is not None:
            ranges = self._given_ranges(systems)
        elif self.options.per_point or len(systems) < 2:
            return {}, f"a model per point ({len(systems)} points)" if len(systems) > 1 else ""
        else:
            try:
                ranges = condition_ranges(systems, names)
                self._check_model(systems[0], ranges)
            except ArgumentValueError as error:
                return {}, f"a model per point: {error}"
        return ranges, f"one model for {range_words(ranges)} ({len(systems)} points)" if ranges else ""

    def _given_ranges(self, systems: Sequence[Any]) -> Ranges:
        from edgphys.edg.core.conditions import Conditions

        conditions = Conditions.of(systems[0], self.options.model["conditions"])
        for name in condition_ranges(systems, tuple(conditions.ranges)):
            if name not in conditions.ranges:
                words = f"conditions must have a range of {name}, in which the points differ"
                raise ArgumentValueError(f"{words}, got {conditions}", "conditions")
        for system in systems:
            conditions.couplings(system, {})
        return dict(conditions.ranges)

    def _check_model(self, system: Any, ranges: Ranges) -> None:
        """Whether the decoder takes the ranges."""
        from edgphys.edg import EDG

        if ranges:
            EDG(middle(system, ranges), **self._model_options(ranges))

    def _model_options(self, ranges: Ranges) -> dict[str, Any]:
        return {**self.options.model, "conditions": ranges}

    def _threaded(self, model: Mapping[str, Any]) -> dict[str, Any]:
        return {**model, "n_threads": self.options.n_threads or 1}

    def prepare(
        self, systems: Sequence[Any], seed: np.random.SeedSequence, checkpoint: str | None = None
    ) -> SharedModel | None:
        """The one model for all points, if there is one: the trained one if that is beside `checkpoint`."""
        if not self._ranges:
            return None
        model = self._threaded(self._model_options(self._ranges))
        word, *_ = seed_words(seed, 3)
        system = middle(systems[0], self._ranges)
        return shared_model(system, model, self.options.fit, word, len(systems), checkpoint)

    def kept_at(self, checkpoint: str) -> Path | None:
        return kept_at(checkpoint) if self._ranges else None

    def packed(self, artefact: SharedModel | None) -> bytes | None:
        return None if artefact is None else artefact.packed()

    def run(
        self, system: Any, seed: np.random.SeedSequence, artefact: Any = None, checkpoint: str | None = None
    ) -> xr.Dataset:
        words = seed_words(seed, 3)
        shared = {"artefact": artefact, "checkpoint": checkpoint}
        return self.estimates(system, *words, **shared, progress=False)

    def sampler(
        self,
        system: Any,
        seed: int,
        artefact: SharedModel | None,
        checkpoint: str | None,
        *,
        progress: bool | None,
    ) -> Any:
        """The generator of `system`: the one model for all points at its couplings, or one trained here."""
        from edgphys.edg import EDG

        if artefact is not None:
            return artefact.at(system)
        options = {"progress": progress, "checkpoint": checkpoint, **self.options.fit}
        return EDG(system, **self._threaded(self.options.model)).fit(seed=seed, **options)

    def estimates(
        self,
        system: Any,
        fit_seed: int,
        draw_seed: int,
        estimate_seed: int,
        *,
        artefact: SharedModel | None = None,
        checkpoint: str | None,
        progress: bool | None,
    ) -> xr.Dataset:
        """Estimates of weighted draws of a generator; one seed for each of the three."""
        from edgphys.estimators import estimate

        begin = time.perf_counter()
        edg = self.sampler(system, fit_seed, artefact, checkpoint, progress=progress)
        options: dict[str, Any] = {"progress": progress, "keep": self._keeps, **self.options.sample}
        if checkpoint is not None:
            options["checkpoint"] = beside(checkpoint, "draws")
        samples = edg.sample(self.options.n_samples, seed=draw_seed, **options)
        self._write_draws(samples)
        table = estimate(samples, seed=estimate_seed)
        if artefact is not None:
            artefact.count_share(table)
        table.attrs |= times_of(edg, artefact, begin, samples)
        return table


def _are_ranges(value: Any) -> bool:
    """Whether it is a range for each name; of a scan over sizes it may be more."""
    return isinstance(value, dict) and all(isinstance(one, list) and len(one) == 2 for one in value.values())


def times_of(edg: Any, artefact: SharedModel | None, begin: float, *parts: xr.Dataset) -> dict[str, float]:
    """Seconds of a cell that began at `begin`, as attributes.

    Of earlier runs, stopped before, too: of its own training, and of what its `parts` went on from.
    """
    earlier = edg.earlier_time if artefact is None else 0.0
    earlier += sum(float(part.attrs.get("earlier_time", 0.0)) for part in parts)
    told = {"wall_time": time.perf_counter() - begin + earlier}
    return told | ({"earlier_time": earlier} if earlier else {})
