# SPDX-License-Identifier: MIT
"""Chains on a ladder from a system of known log Z, as methods: MBAR and thermodynamic integration.

1. The path from a system of known log Z (`edgphys.systems.reference_path`) is cut into rungs between which
   configurations swap equally often (`edgphys.mcmc.space_ladder`). On a lattice that system has free sites;
   for continuous coordinates it is a Gaussian that covers a short run
   (`edgphys.mcmc.continuous.gaussian_pilot`). For integration steps are shorter where a pilot run shows that
   averages bend (`edgphys.estimators.ladders.quadrature`).
2. Parallel tempering samples all rungs (`edgphys.mcmc.temper`).
3. log Z of the last rung, the system itself, follows from the first by MBAR or by thermodynamic integration
   (`edgphys.estimators`); all other estimates are those of the chains at the last rung.

Both methods use the same draws. They differ in what they assume: MBAR that neighbours overlap, which a
spaced ladder has by construction; thermodynamic integration that averages vary smoothly between the rungs,
whose failure ``log_z_quadrature`` shows.
"""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import count, number
from edgphys._sizes import at_most
from edgphys.methods.base import AbstractDrawingMethod, Look, make_options, seed_words
from edgphys.methods.chains import check_chains, check_counts, why_no_chains

if TYPE_CHECKING:
    import xarray as xr

    from edgphys.mcmc.core.checkpoint import Temporary

__all__ = ["MBAR", "TI", "LadderMethod", "LadderOptions"]

_PILOT_DRAWS = 20_000  # that tell where the integrand bends
_LEAST_SWAP_RATE = (
    0.05  # below, rungs are chains of their own: what one has not found, its neighbours do not bring
)


@dataclass(frozen=True)
class LadderOptions:
    """Settings of a ladder of chains, as `edgphys.free_energy` documents them."""

    n_rungs: int | None = None
    n_chains: int = 4
    n_sweeps: int = 5000
    n_warmup: int | None = None
    thin: int = 1
    swap: bool = True
    swap_rate: float = 0.6
    n_threads: int | None = None
    options: Mapping | None = None

    def __post_init__(self) -> None:
        check_counts(self)
        if self.n_rungs is not None:
            count(self.n_rungs, "n_rungs", 2)
            at_most(self.n_rungs, "n_rungs")
        number(self.swap_rate, "swap_rate", above=0.0, below=1.0)


# ----------------------------------------------------------------------------------------- the two estimators


def _by_mbar(ladder: xr.Dataset, log_z_reference: float) -> tuple[xr.Dataset, dict[str, float]]:
    from edgphys import estimators

    result = estimators.mbar(ladder, log_z_reference)
    return result, {"overlap": float(result["overlap"].min())}


def _by_integration(ladder: xr.Dataset, log_z_reference: float) -> tuple[xr.Dataset, dict[str, float]]:
    from edgphys import estimators

    result = estimators.thermodynamic_integration(ladder, log_z_reference)
    return result, {"log_z_quadrature": float(result["log_z_quadrature"][-1])}


@dataclass(frozen=True)
class _Estimator:
    """From a ladder to log Z.

    Attributes
    ----------
    name : str
    look : Look
    log_z : callable
        (ladder, log Z of the first rung) to log_z and log_z_err over the rungs, and diagnostics.
    first_knot : int
        The first of the knots of the path at which it needs a rung. MBAR starts its iteration from averages,
        which exist from the last on.
    placing : callable, optional
        Where it needs rungs: the number of draws at each and what `find_rungs` hands over, to places. None:
        where swaps need them.
    """

    name: str
    look: Look
    log_z: Callable[[Any, float], tuple[Any, dict[str, float]]]
    first_knot: int
    placing: Callable[..., NDArray[np.float64]] | None = None


def _where_it_bends(n_draws: int, ladder: xr.Dataset, places, coefficients_at, length: float, n_rungs):
    from edgphys.estimators.ladders.quadrature import place_rungs
    from edgphys.estimators.ladders.reading import pool_of

    pool = pool_of(ladder, most=_PILOT_DRAWS)
    return place_rungs(pool, places, coefficients_at, length=length, n_draws=n_draws, n_rungs=n_rungs)


MBAR = _Estimator("mbar", Look("MBAR"), _by_mbar, first_knot=-1)
TI = _Estimator("ti", Look("thermodynamic integration"), _by_integration, 0, _where_it_bends)


# ------------------------------------------------------------------------------------------------- the method


class LadderMethod(AbstractDrawingMethod):
    """log Z by chains on a ladder from a known reference.

    Parameters
    ----------
    estimator : `MBAR` or `TI`
    given : mapping
        Fields of `LadderOptions`.
    algorithm : str, optional
        One that serves all rungs; the best by default.
    """

    argument = "mcmc"

    def __init__(
        self, estimator: _Estimator, given: Mapping[str, Any] | None = None, *, algorithm: str | None = None
    ) -> None:
        self.name, self.look = estimator.name, estimator.look
        self._estimator, self._algorithm = estimator, algorithm
        self._given = dict(given or {})
        self.options = make_options(LadderOptions, self._given, self.argument)

    def settings(self) -> dict[str, Any]:
        return dict(self._given)

    def applies_to(self, system: Any) -> str | None:
        return system.why_no_ladder() or why_no_chains(system)

    def check(self, systems: Sequence[Any]) -> None:
        check_chains(systems[0], self._algorithm, self.options, self.options.n_rungs or 2)

    def beside_others(self) -> LadderMethod:
        given = {"n_threads": 1, **self._given}
        return LadderMethod(self._estimator, given, algorithm=self._algorithm)

    def run(
        self, system: Any, seed: np.random.SeedSequence, artefact: Any = None, checkpoint: str | None = None
    ) -> xr.Dataset:
        from edgphys.mcmc.core.checkpoint import Temporary

        (word,) = seed_words(seed, 1)
        return self.estimates(system, word, None if checkpoint is None else Temporary(checkpoint))

    def estimates(
        self,
        system: Any,
        seed: int,
        checkpoint: str | Path | Temporary | None = None,
        progress: bool = False,
    ) -> xr.Dataset:
        """Estimates of `system`, all seeds derived from one."""
        from edgphys import mcmc
        from edgphys.systems.base import check_energies

        check_energies(system)
        begin = time.perf_counter()
        pilot_seed, ladder_seed, gaussian_seed = seed_words(np.random.SeedSequence(seed), 3)
        subject, calls, settings = self._with_reference(system, gaussian_seed)
        path = subject.reference()
        if path.first == path.last:
            return self._at_reference(system, path.log_z, seed, settings | {"checkpoint": checkpoint})
        rungs, more_calls, earlier = self._kept_rungs(checkpoint, subject, path, pilot_seed, settings)
        ladder = mcmc.temper(
            subject,
            {path.coupling: rungs},
            n_sweeps=self.options.n_sweeps,
            seed=ladder_seed,
            swap=self.options.swap,
            n_warmup=self.options.n_warmup,
            thin=self.options.thin,
            checkpoint=checkpoint,
            progress=progress,
            keep=self._keeps,
            **settings,
        )
        ladder.attrs["n_energy_calls"] += calls[0] + more_calls[0]
        ladder.attrs["n_gradient_calls"] += calls[1] + more_calls[1]
        values, warning = self._log_z(ladder, path.log_z)
        samples = mcmc.rung(ladder, -1)
        samples.attrs |= {"system": system.name, "parameters": json.dumps(system.parameters)}
        self._write_draws(samples)
        table = _with_log_z(samples, values, warning, self.name)
        # Of the runs that were stopped before, from whose checkpoint this one went on.
        earlier += ladder.attrs.get("earlier_time", 0.0)
        table.attrs |= {"seed": int(seed), "wall_time": time.perf_counter() - begin + earlier}
        table.attrs |= {"earlier_time": earlier} if earlier else {}
        return table

    def _with_reference(self, system: Any, seed: int) -> tuple[Any, tuple[int, int], dict[str, Any]]:
        """The system as the end of a path from its reference, the calls this took, settings of all chains."""
        options = self.options
        settings = {
            "algorithm": self._algorithm,
            "n_chains": options.n_chains,
            "n_threads": options.n_threads,
        }
        if system.has_reference:
            return system, (0, 0), settings | {"options": options.options}
        from edgphys.mcmc.continuous.gaussian_pilot import find_gaussian_path

        pilot = {"n_threads": options.n_threads, "options": options.options}
        path, calls = find_gaussian_path(system, seed, self._algorithm, **pilot)
        # Near the Gaussian coordinates differ in scale, as they do in the system.
        unlike = bool(np.ptp(np.log(path.spread)) > math.log(2.0))
        return path, calls, settings | {"options": {"precondition": unlike} | dict(options.options or {})}

    def _at_reference(self, system: Any, log_z: float, seed: int, settings: dict) -> xr.Dataset:
        """The system is the reference itself: log Z is known, and chains give the rest."""
        from edgphys import mcmc

        algorithm = settings["algorithm"] or mcmc.best_algorithm(system)
        settings = settings | {"algorithm": algorithm, "n_sweeps": self.options.n_sweeps, "keep": self._keeps}
        samples = mcmc.run(system, seed=seed, **settings)
        self._write_draws(samples)
        return _with_log_z(samples, {"log_z": log_z, "log_z_err": 0.0, "n_rungs": 1.0}, "", self.name)

    def _kept_rungs(
        self, checkpoint: str | Path | Temporary | None, subject: Any, path: Any, seed: int, settings: dict
    ) -> tuple[NDArray[np.float64], tuple[int, int], float]:
        """`_rungs`, and the seconds that they took a run before, beside whose state they are."""
        from edgphys.mcmc.core.checkpoint import kept_beside

        if checkpoint is None:
            return *self._rungs(subject, path, seed, settings), 0.0
        identity = {"estimator": self.name, "pilot_seed": seed, **self.settings(), **subject.identity()}
        identity |= {"algorithm": settings["algorithm"], "n_threads": None}

        def find() -> dict[str, Any]:
            rungs, calls = self._rungs(subject, path, seed, settings)
            return {"rungs": rungs, "calls": np.array(calls)}

        found, earlier = kept_beside(checkpoint, "rungs", identity, find)
        return found["rungs"], (int(found["calls"][0]), int(found["calls"][1])), earlier

    def _rungs(
        self, subject: Any, path: Any, seed: int, settings: dict
    ) -> tuple[NDArray[np.float64], tuple[int, int]]:
        """Rungs that swap equally often, and all knots; the calls of the pilot runs."""
        from edgphys.mcmc.tempering.spacing import find_rungs

        knots, n_rungs = path.knots[self._estimator.first_knot :], self.options.n_rungs
        if n_rungs is not None:
            n_rungs = max(n_rungs - len(knots), 2)
        n_pilot = int(np.clip(self.options.n_sweeps // 5, 100, 1000))
        ends = {path.coupling: (path.first, path.last)}
        pilot: dict[str, Any] = settings | {"n_sweeps": n_pilot}
        if self._estimator.placing is not None:
            n_draws = self.options.n_chains * self.options.n_sweeps // self.options.thin
            pilot["placing"] = functools.partial(self._estimator.placing, n_draws)
        rungs, calls = find_rungs(subject, n_rungs, self.options.swap_rate, seed, ends, **pilot)
        return (np.union1d(rungs, knots) if knots else rungs), calls

    def _log_z(self, ladder: xr.Dataset, log_z_reference: float) -> tuple[dict[str, float], str]:
        """log Z of the last rung, its error, and diagnostics; why not to trust it."""
        result, more = self._estimator.log_z(ladder, log_z_reference)
        values = {"log_z": float(result["log_z"][-1]), "n_rungs": float(result["log_z"].size)}
        for name in ("log_z_err", "entropy_err"):
            values[name] = math.hypot(float(result[name][-1]), more.get("log_z_quadrature", 0.0))
        reasons = [result.attrs["warning"]]
        if "swap_rate" in ladder:
            values["swap_rate"] = float(ladder["swap_rate"].mean("chain").min())
            reasons += _without_exchange(ladder)
        return values | more, "; ".join(filter(None, reasons))


def _without_exchange(ladder: xr.Dataset) -> list[str]:
    """Why configurations do not wander over the ladder; none if they do."""
    rates = ladder["swap_rate"].mean("chain").values
    low = int(np.argmin(rates))
    if rates[low] < _LEAST_SWAP_RATE:
        return [
            f"swaps of rungs {low} and {low + 1} are accepted at {rates[low]:.2g}, below {_LEAST_SWAP_RATE}"
        ]
    if not ladder["n_round_trips"].sum():
        return ["no configuration has gone from one end of the ladder to the other and back: too few sweeps"]
    return []


def _with_log_z(samples: xr.Dataset, values: dict[str, float], warning: str, method: str) -> xr.Dataset:
    """Estimates of the samples with log Z put in."""
    from edgphys.estimators.estimate import estimate, estimate_beside_log_z, with_log_z

    if warning:
        values = values | {"converged": 0.0}
    # Frozen chains say nothing against log_z where swaps bring them what they do not find.
    trusted = not warning and "swap_rate" in values
    table = with_log_z((estimate_beside_log_z if trusted else estimate)(samples), values, warning)
    settings = json.loads(table.attrs["settings"]) | {"chains": samples.attrs["method"]}
    table.attrs |= {
        "method": method,
        "algorithm": samples.attrs["method"],
        "settings": json.dumps(settings),
    }
    return table
