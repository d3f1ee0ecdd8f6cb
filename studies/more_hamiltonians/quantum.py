# SPDX-License-Identifier: MIT
"""The quantum chain of 12 and the 3 x 3 torus against exact diagonalisation after extrapolation in the step.

    python -m studies.more_hamiltonians.quantum chains    # Swendsen-Wang, five fields, two temperatures
    python -m studies.more_hamiltonians.quantum edg       # log Z by EDG at the same points
    python -m studies.more_hamiltonians.quantum steps     # the error of the time step, without noise
    python -m studies.more_hamiltonians.quantum torus     # Swendsen-Wang and EDG on the square lattice
    python -m studies.more_hamiltonians.quantum table     # what is stored, as Markdown

Results are kept in `quantum.json` beside this file. Ten CPU minutes for the chains, three for the torus. The
chain is diagonalised by netket, the torus by `edgphys.exact.diagonalisation`, which agrees with it.
"""

from __future__ import annotations

import argparse
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

import edgphys as ep
import lattices
from edgphys.exact import transverse_chain
from studies.common import hardware, pm, table

OUT = Path(__file__).with_name("quantum.json")
FIELDS = (0.5, 0.75, 1.0, 1.25, 1.5)
SLICES = {1.0: (6, 8, 12, 16, 24), 0.2: (30, 40, 60, 96)}
NAMES = ("energy", "transverse_magnetization", "equal_time_magnetization_2", "susceptibility")
CHAIN = lattices.build("chain", (12,))
TORUS, TORUS_FIELDS, TORUS_SLICES = lattices.build("square", (3, 3)), (2.0, 3.0), (12, 24)


@functools.cache
def diagonalised(field: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Energies of all states by netket, and <sx> and <M^2> / N^2 of each of them."""
    import netket

    hilbert = netket.hilbert.Spin(0.5, 12)
    h = netket.operator.Ising(hilbert, lattices.to_netket(CHAIN), h=field, J=-1.0)
    values, states = np.linalg.eigh(h.to_dense())
    m = hilbert.all_states().sum(1)
    energy_zz = states.T**2 @ h.to_dense().diagonal()
    return values, {
        "energy": values,
        "transverse_magnetization": (energy_zz - values) / (12 * field),
        "equal_time_magnetization_2": states.T**2 @ (m / 12.0) ** 2,
    }


def exact(field: float, temperature: float) -> dict[str, float]:
    """Averages by netket's energies; log Z too."""
    values, observables = diagonalised(field)
    log_z = float(np.logaddexp.reduce(-values / temperature))
    p = np.exp(-values / temperature - log_z)
    return {name: float(p @ each) for name, each in observables.items()} | {"log_z": log_z}


def chains(temperature: float, field: float, n_sweeps: int) -> dict[str, Any]:
    """Swendsen-Wang at several steps, fitted, and against the exact values."""

    def make(n_slices: int) -> ep.TransverseIsing:
        return ep.TransverseIsing(CHAIN, temperature, field, n_slices=n_slices)

    scan = ep.scan(
        make,
        n_slices=list(SLICES[temperature]),
        methods=["swendsen_wang"],
        seed=round(100 * field),
        mcmc={"n_sweeps": n_sweeps},
        progress=False,
    )
    limit, known = ep.extrapolate_time_step(scan, n_terms=2).isel(method=0), exact(field, temperature)
    row: dict[str, Any] = {"temperature": temperature, "field": field, "n_sweeps": n_sweeps}
    row["n_slices"] = list(SLICES[temperature])
    for name in NAMES:
        of_name = {
            key: float(limit[f"{name}{end}"])
            for key, end in (("value", ""), ("err", "_err"), ("chi2", "_chi2"))
        }
        row[name] = of_name | {"coarsest": float(scan[name].values.ravel()[0])}
        if name in known:
            row[name] |= {"exact": known[name], "z": (of_name["value"] - known[name]) / of_name["err"]}
    return row


def by_edg(temperature: float, field: float, n_steps: int) -> dict[str, Any]:
    """log Z by EDG at two steps, extrapolated, against netket; ESS."""
    n_slices = {1.0: (12, 24), 0.2: (48, 96)}[temperature]
    known, values, errors, ess = exact(field, temperature)["log_z"], [], [], []
    for n in n_slices:
        system = ep.TransverseIsing(CHAIN, temperature, field, n_slices=n)
        draws = (
            ep.EDG(system).fit(seed=0, n_steps=n_steps, progress=False).sample(4000, seed=1, progress=False)
        )
        found = ep.estimate(draws)
        values.append(float(found["log_z"]))
        errors.append(float(found["log_z_err"]))
        ess.append(float(found["ess"]))
    value, err = (4 * values[1] - values[0]) / 3, np.hypot(4 * errors[1], errors[0]) / 3
    row = {"temperature": temperature, "field": field, "n_slices": n_slices, "n_steps": n_steps, "ess": ess}
    at_step = [transverse_chain.log_z(12, temperature, field, 1.0, ring=True, n_slices=n) for n in n_slices]
    row |= {"z_at_step": [(v - x) / e for v, x, e in zip(values, at_step, errors, strict=True)]}
    return row | {"log_z": value, "log_z_err": err, "exact": known, "z": (value - known) / err}


def torus(temperature: float, field: float, n_steps: int) -> dict[str, Any]:
    """All estimates by both methods at two steps, extrapolated, and log Z as it is at the shorter step."""
    make = functools.partial(ep.TransverseIsing, TORUS, temperature, field)
    scan = ep.scan(
        lambda n_slices: make(n_slices=n_slices),
        n_slices=list(TORUS_SLICES),
        methods=["edg", "swendsen_wang"],
        seed=round(100 * field),
        edg={"n_steps": n_steps, "n_samples": 4000, "n_views": 1},
        mcmc={"n_sweeps": 10_000},
        progress=False,
    )
    limit, known = ep.extrapolate_time_step(scan), make().exact_results()
    row: dict[str, Any] = {"temperature": temperature, "field": field, "n_steps": n_steps}
    row["ess"] = ep.at(scan, method="edg")["ess"].values.tolist()
    for method in ("edg", "swendsen_wang"):
        one = ep.at(limit, method=method)
        row[method] = {
            name: {"value": value, "err": err, "exact": known[name], "z": (value - known[name]) / err}
            for name in ("log_z", *NAMES)
            if np.isfinite(value := float(one[name])) and (err := float(one[f"{name}_err"]))
        }
    last = ep.at(scan, method="edg").sel(n_slices=TORUS_SLICES[-1])
    row["z_without_extrapolation"] = (float(last["log_z"]) - known["log_z"]) / float(last["log_z_err"])
    return row


def steps(temperature: float, field: float) -> dict[str, Any]:
    """Error of log Z at halved steps, without noise, and its slope in the logarithm of the step."""
    n = np.array([8, 16, 32, 64]) * (1 if temperature == 1.0 else 5)
    limit = transverse_chain.log_z(12, temperature, field, 1.0, ring=True)
    errors = [
        transverse_chain.log_z(12, temperature, field, 1.0, ring=True, n_slices=int(k)) - limit for k in n
    ]
    slope = np.polyfit(np.log(1.0 / n), np.log(errors), 1)[0]
    return {
        "temperature": temperature,
        "field": field,
        "n_slices": n.tolist(),
        "errors": errors,
        "slope": slope,
    }


def shown(results: dict[str, list]) -> str:
    """Everything stored, as tables."""
    parts = []
    if rows := results.get("chains"):
        header = ["T", "Gamma", "energy", "exact", "z", "<sx>", "exact", "z", "<M^2>/N^2", "exact", "z"]
        lines = [
            [f"{row['temperature']}", f"{row['field']}"]
            + [
                word
                for name in NAMES[:3]
                for word in (
                    pm(row[name]["value"], row[name]["err"]),
                    f"{row[name]['exact']:.5f}",
                    f"{row[name]['z']:+.1f}",
                )
            ]
            for row in rows
        ]
        parts.append(table(header, lines))
        z = np.array([row[name]["z"] for row in rows for name in NAMES[:3]])
        parts.append(f"{len(z)} z-scores: largest {np.abs(z).max():.1f}, mean square {np.mean(z**2):.2f}.\n")
    if rows := results.get("edg"):
        header = ["T", "Gamma", "n_slices", "ESS", "z at the step", "log Z", "exact", "z"]
        lines = [
            [
                f"{row['temperature']}",
                f"{row['field']}",
                ", ".join(map(str, row["n_slices"])),
                ", ".join(f"{x:.3f}" for x in row["ess"]),
                ", ".join(f"{x:+.1f}" for x in row["z_at_step"]),
                pm(row["log_z"], row["log_z_err"]),
                f"{row['exact']:.5f}",
                f"{row['z']:+.1f}",
            ]
            for row in rows
        ]
        parts.append(table(header, lines))
    if rows := results.get("torus"):
        header = ["Gamma", "method", *("log Z", "energy", "<sx>", "<M^2>/N^2", "susceptibility")]
        lines = []
        for row in rows:
            for method in ("edg", "swendsen_wang"):
                found = [row[method].get(name) for name in ("log_z", *NAMES)]
                words = [one and f"{pm(one['value'], one['err'])}, {one['z']:+.1f}" for one in found]
                lines.append([f"{row['field']}", method, *(word or "" for word in words)])
            exact = [f"{row['edg'][name]['exact']:.5f}" for name in ("log_z", *NAMES)]
            lines.append([f"{row['field']}", "exact", *exact])
        parts.append(table(header, lines))
        z = np.array([one["z"] for row in rows for m in ("edg", "swendsen_wang") for one in row[m].values()])
        plain = ", ".join(f"{row['z_without_extrapolation']:+.0f}" for row in rows)
        ess = ", ".join(f"{x:.3f}" for row in rows for x in row["ess"])
        parts.append(
            f"{len(z)} z-scores: largest {np.abs(z).max():.1f}, mean square {np.mean(z**2):.2f}. z of log Z "
            f"at the shorter step, not extrapolated: {plain}. ESS: {ess}.\n"
        )
    if rows := results.get("steps"):
        header = ["T", "Gamma", *(f"step {k}" for k in ("1", "1/2", "1/4", "1/8")), "slope"]
        lines = [
            [
                f"{row['temperature']}",
                f"{row['field']}",
                *(f"{e:.2e}" for e in row["errors"]),
                f"{row['slope']:.3f}",
            ]
            for row in rows
        ]
        parts.append(table(header, lines))
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("chains", "edg", "steps", "torus", "table"))
    parser.add_argument("--n-sweeps", type=int, default=40_000)
    parser.add_argument("--n-steps", type=int, default=400)
    parser.add_argument("--temperature", type=float, nargs="+")
    parser.add_argument("--field", type=float, nargs="+")
    given = parser.parse_args()
    results = json.loads(OUT.read_text())["results"] if OUT.exists() else {}
    if given.what == "table":
        print(shown(results))
        return
    work = {
        "chains": lambda t, g: chains(t, g, given.n_sweeps),
        "edg": lambda t, g: by_edg(t, g, given.n_steps),
        "steps": steps,
        "torus": lambda t, g: torus(t, g, given.n_steps),
    }[given.what]
    temperatures, fields = ((1.0,), TORUS_FIELDS) if given.what == "torus" else ((1.0, 0.2), FIELDS)
    for temperature in given.temperature or temperatures:
        for field in given.field or fields:
            row = work(temperature, field)
            print(row, flush=True)
            others = [
                one
                for one in results.get(given.what, [])
                if (one["temperature"], one["field"]) != (temperature, field)
            ]
            results[given.what] = sorted([*others, row], key=lambda one: (-one["temperature"], one["field"]))
            OUT.write_text(
                json.dumps({"hardware": hardware(), "results": results}, indent=1, default=float) + "\n"
            )


if __name__ == "__main__":
    main()
