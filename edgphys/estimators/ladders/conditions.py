# SPDX-License-Identifier: MIT
"""Draws that may be reweighted, and the action coefficients of conditions that nothing was drawn at.

A ladder has the terms X of the action per draw and the coefficients a of its rungs. Plain chains have their
energy, the one term where it does not depend on the temperature, with a = beta. Between rungs a / beta is the
same at all temperatures, and linear in a coupling that the action is linear in: the rungs tell whether it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from edgphys import _checks
from edgphys.dataset.padding import drawn, flat
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.estimators.ladders.reading import read_ladder
from edgphys.observables import PRIMARIES

__all__ = ["Drawn", "read_drawn"]

_ROUNDING = 1e-9
_SAME = ("system", "lattice", "extent", "pbc", "n_sites", "n_variables")


@dataclass(frozen=True)
class Drawn:
    """Draws of rungs, or of runs.

    Attributes
    ----------
    parts : list of array, shape (n_rungs, n_chains, n_draws, n_terms)
        X; parts are independent of each other. NaN beyond the end of a shorter chain.
    coefficients : array, shape (n, n_terms)
        a of all rungs.
    rungs : list of dict
        ``parameters``, ``beta``, ``z2_symmetric`` of each.
    columns : dict of str to array, shape (n_all,)
        Observables of all draws, in the order of `parts`.
    attrs : dict
        Of the first rung.
    """

    parts: list[np.ndarray]
    coefficients: np.ndarray
    rungs: list[dict[str, Any]]
    columns: dict[str, np.ndarray]
    attrs: dict[str, Any]

    @property
    def varied(self) -> list[str]:
        """Couplings in which the rungs differ."""
        first = self.rungs[0]["parameters"]
        return [name for name in first if any(one["parameters"][name] != first[name] for one in self.rungs)]

    def at(self, conditions: Mapping[str, float]) -> tuple[np.ndarray, dict[str, Any]]:
        """Coefficients at a point, and the attributes of the system there.

        Raises
        ------
        ValueError
            If the draws do not determine them.
        """
        parameters = self.rungs[0]["parameters"] | dict(conditions)
        beta = 1.0 / parameters["temperature"] if "temperature" in parameters else self.rungs[0]["beta"]
        coefficients = beta * self._per_beta(parameters)
        z2 = (
            {"z2_symmetric": min(one["z2_symmetric"] for one in self.rungs)}
            if "lattice" in self.attrs
            else {}
        )
        own = {"parameters": json.dumps(parameters), "temperature": 1.0 / beta, "beta": beta}
        return coefficients, self.attrs | own | z2

    def _per_beta(self, parameters: Mapping[str, float]) -> np.ndarray:
        """a / beta: linear in the coupling that varies."""
        rows = self.coefficients / np.array([[one["beta"]] for one in self.rungs])
        names = [name for name in self.varied if name != "temperature"]
        values = np.array([[one["parameters"][name] for name in names] for one in self.rungs], dtype=float)
        design = np.column_stack([np.ones(len(rows)), values])
        solution, _, rank, _ = np.linalg.lstsq(design, rows, rcond=None)
        scale = np.abs(rows).max()
        if rank < design.shape[1] or not np.allclose(
            design @ solution, rows, rtol=_ROUNDING, atol=_ROUNDING * scale
        ):
            varied = ", ".join(self.varied)
            raise ArgumentValueError(
                f"draws must be from rungs whose action is linear in one coupling, got rungs over {varied}",
                "draws",
            )
        return np.concatenate([[1.0], [parameters[name] for name in names]]) @ solution


def read_drawn(draws: xr.Dataset | Sequence[xr.Dataset]) -> Drawn:
    """Take out what reweighting needs.

    Raises
    ------
    TypeError, ValueError
        If `draws` is neither a ladder nor chains, or chains of different systems.
    """
    datasets = [draws] if isinstance(draws, xr.Dataset) else list(draws)
    allowed = "a ladder (temper), or chains (mcmc.run) at one or several temperatures"
    if not datasets or not all(isinstance(one, xr.Dataset) for one in datasets):
        raise _checks.wrong(ArgumentTypeError, "draws", allowed, draws)
    if not all(one.attrs.get("weighs_energy", 1) for one in datasets):
        words = "draws must have weights exp(-energy / temperature), got those of a path integral"
        raise ArgumentValueError(words, "draws")
    kinds = {str(one.attrs.get("kind")) for one in datasets}
    if kinds == {"ladder"} and len(datasets) == 1:
        return _of_ladder(datasets[0])
    if kinds != {"samples"} or not all({"chain", "draw"} <= set(one.dims) for one in datasets):
        got = f"{len(datasets)} of kind {', '.join(sorted(kinds))}"
        hint = "; a scan keeps no draws" if "scan" in kinds else ""
        raise ArgumentValueError(f"draws must be {allowed}, got {got}{hint}", "draws")
    return _of_runs(datasets)


def _of_ladder(ladder: xr.Dataset) -> Drawn:
    data = read_ladder(ladder, 0.0, 0)
    rungs = json.loads(ladder.attrs["rungs"])
    dims = (data.dim, "chain", "draw")
    columns = {
        name: ladder[name].transpose(*dims).values.reshape(-1)
        for name in _columns_of(ladder)
        if set(ladder[name].dims) == set(dims)
    }
    attrs = {name: value for name, value in ladder.attrs.items() if name not in ("ladder", "rungs")}
    return Drawn([data.terms], data.coefficients, rungs, columns, attrs)


def _of_runs(runs: list[xr.Dataset]) -> Drawn:
    first = runs[0].attrs
    rungs: list[dict[str, Any]] = [
        {"parameters": json.loads(one.attrs["parameters"]), "beta": float(one.attrs["beta"])}
        | {"z2_symmetric": int(one.attrs.get("z2_symmetric", 0))}
        for one in runs
    ]
    for one, rung in zip(runs, rungs, strict=True):
        others = {name: value for name, value in rung["parameters"].items() if name != "temperature"}
        same = all(np.array_equal(one.attrs.get(name, ""), first.get(name, "")) for name in _SAME)
        if not same or others != {n: v for n, v in rungs[0]["parameters"].items() if n != "temperature"}:
            raise ArgumentValueError(
                "draws must be of one system at several temperatures, got chains that differ in more", "draws"
            )
    there = [drawn(one, ("chain", "draw")) for one in runs]
    energies = [
        np.where(inside, one["energy"].transpose("chain", "draw").values, np.nan)
        for one, inside in zip(runs, there, strict=True)
    ]
    names = set.intersection(*(set(_columns_of(one)) for one in runs))
    columns = {
        name: np.concatenate(
            [
                flat(one[name].transpose("chain", "draw").values, inside)
                for one, inside in zip(runs, there, strict=True)
            ]
        )
        for name in sorted(names)
    }
    coefficients = np.array([[rung["beta"]] for rung in rungs])
    return Drawn([energy[None, ..., None] for energy in energies], coefficients, rungs, columns, dict(first))


def _columns_of(ds: xr.Dataset) -> list[str]:
    own = json.loads(ds.attrs.get("observables", "[]"))
    return [name for name in (*PRIMARIES, *own) if name in ds]
