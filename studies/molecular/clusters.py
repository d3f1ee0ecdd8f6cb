# SPDX-License-Identifier: MIT
"""Clusters: DW4, LJ13 (both conventions of counting pairs) and LJ55, EDG against tempering and quadrature.

    python -m studies.molecular.clusters [--case NAME ...] [--seed 0 1] [--quick]

Writes clusters.json here, and clusters_<case>.png (distances between particles). EDG is trained on an
easier system (`train_at`) and its draws are annealed to the system itself; `ess_start` is the joint
effective share of the network's own draws, for the easier system, `ess` that of the annealed draws, for the
system itself.
Beside it: parallel tempering with HMC at as many evaluations as EDG took in all, and the reference:
quadrature for DW4; for the others longer tempering (energy, distance) and MBAR on a path from a Gaussian
(log_z).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

import edgphys as ep
from studies.common import edg_row, mbar_log_z, parser, pm, store, table, tempered, z_score

FILE = Path(__file__).parent / "clusters.json"
OBSERVABLES = ("energy", "distance", "radius_of_gyration")


@dataclass(frozen=True)
class Case:
    """A system, how EDG is run, and the ladder of its opponent."""

    system: object
    n_anneal: int
    highest: float
    n_rungs: int
    n_draws: int = 10_000
    options: dict = field(default_factory=dict)
    fit: dict = field(default_factory=dict)
    n_reference: int = 60_000_000
    n_mbar: int = 60_000_000
    radius: float = 0.0


def cases() -> dict[str, Case]:
    """Names as in the table."""
    once, twice = (ep.LennardJones(pair_count=word) for word in ("once", "twice"))
    batch = {"n_steps": 600, "batch_size": 64}
    large = {"n_draws": 1000, "radius": 0.8, "n_reference": 40_000_000, "n_mbar": 20_000_000}
    large |= {"options": {"decoder_size": (8, 4)}, "fit": {"n_steps": 100, "batch_size": 16}}
    return {
        "DW4": Case(ep.DoubleWellParticles(), 2000, 8.0, 8, fit={"n_steps": 1500}),
        "LJ13 once": Case(once, 1000, 3.0, 5, radius=0.8, fit=batch),
        "LJ13 twice": Case(twice, 3000, 3.0, 6, radius=0.8, fit=batch),
        "LJ55 once": Case(ep.LennardJones(55), 10_000, 3.0, 8, **large),
    }


def quick(case: Case) -> Case:
    """Sizes of a smoke run."""
    sizes = {"n_anneal": 5, "n_draws": 300, "n_reference": 30_000, "n_mbar": 30_000, "fit": {"n_steps": 2}}
    kept = {name: getattr(case, name) for name in ("system", "highest", "n_rungs", "radius")}
    return Case(**kept | sizes, options={"decoder_size": (4, 2), "encoder_size": (4, 1)})


def reference(case: Case, seed: int) -> tuple[dict[str, tuple[float, float]], dict, xr.Dataset]:
    """log_z, averages with errors; what they cost; the draws."""
    start, system = time.perf_counter(), case.system
    chains = tempered(system, ladder(case), case.n_reference, seed + 50)
    estimates = ep.estimate(chains)
    values = {name: (float(estimates[name]), float(estimates[name + "_err"])) for name in OBSERVABLES}
    cost = {"n_calls": chains.attrs["n_calls"], "swap_rate": chains.attrs["swap_rate"]}
    if system.exact:
        exact = system.exact_results()
        values |= {"log_z": (exact["log_z"], 0.0), "energy": (exact["energy"], 0.0)}
        values["distance"] = (system.exact_pairs().distance, 0.0)
    else:
        found = mbar_log_z(system, case.n_mbar, seed + 60)
        values["log_z"] = (found["log_z"], found["log_z_err"])
        cost["mbar"] = found
    return values, cost | {"seconds": time.perf_counter() - start}, chains


def ladder(case: Case) -> np.ndarray:
    """Temperatures of the tempering."""
    return np.geomspace(case.system.temperature, case.highest, case.n_rungs)


def run(name: str, case: Case, seed: int, known, cost: dict, chains: xr.Dataset) -> tuple[dict, xr.Dataset]:
    """EDG and its opponent for one seed."""
    edg = ep.EDG(case.system, decoder="particles", **case.options).fit(seed, progress=False, **case.fit)
    samples = edg.sample(case.n_draws, seed + 1, n_anneal=case.n_anneal, n_views=1, keep=True, progress=False)
    row = edg_row(edg, samples, *known["log_z"])
    settings = json.loads(samples.attrs["settings"])
    row |= {"case": name, "seed": seed, "n_anneal": case.n_anneal, "ess_start": settings["ess_start"]}
    row |= {"train_at": settings["train_at"], "reference": known, "reference_cost": cost}
    opponent = tempered(case.system, ladder(case), row["n_calls"], seed + 10)
    for kind, draws in (("edg", samples), ("tempering", opponent)):
        estimates = ep.estimate(draws)
        for one in OBSERVABLES:
            value, err = float(estimates[one]), float(estimates[one + "_err"])
            row[f"{kind} {one}"] = (value, err, z_score(value, err, *known[one]))
    row["opponent_calls"] = opponent.attrs["n_calls"]
    row |= distances(samples, chains, seed)
    if case.radius:
        row["below_radius"] = float((samples["shortest_distance"] < case.radius).mean())
    return row, samples


def distances(samples: xr.Dataset, chains: xr.Dataset, seed: int) -> dict[str, tuple[float, float, float]]:
    """Wasserstein distances of energies and mean distances to the reference: value, error, floor."""
    rng, found = np.random.default_rng(seed), {}
    for name in ("energy", "distance"):
        thinned = chains[name].to_numpy().ravel()
        made = ep.wasserstein(
            samples[name].to_numpy(),
            thinned[rng.permutation(len(thinned))[:5000]],
            rng,
            log_weights=samples["log_weight_joint"].to_numpy(),
        )
        found[f"W1 {name}"] = tuple(float(made[key]) for key in ("distance", "distance_err", "floor"))
    return found


def figure(samples: dict[str, tuple[xr.Dataset, xr.Dataset]], path: Path) -> None:
    """Density of the distances between particles, EDG with errors over the reference."""
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(1, len(samples), figsize=(3.2 * len(samples), 2.8), squeeze=False)
    for (name, (draws, chains)), axis in zip(samples.items(), axes[0], strict=True):
        # The same bins for both: the first peak of a cluster is hardly wider than one.
        edges = np.linspace(0.0, 2.0 * float(chains["distance"].max()), 61)
        for data, style, label in ((chains, "k-", "tempering"), (draws, ".", "EDG")):
            found = ep.pair_distances(data, bins=edges)
            variable = next(iter(found.data_vars))
            r = found[variable].dims[0]
            err = found[variable + "_err"] if label == "EDG" else None
            axis.errorbar(found[r], found[variable], err, fmt=style, ms=3, lw=1, label=label)
        axis.set(title=name, xlabel="r")
    axes[0, 0].legend(frameon=False)
    drawn.tight_layout()
    drawn.savefig(path, dpi=150)


def tables(results: dict[str, dict]) -> str:
    """Markdown."""
    header = ["case", "seed", "draws", "rungs", "ESS start", "ESS", "log_z", "reference", "z", "calls"]
    header += [f"{kind} {one}" for one in ("energy", "distance") for kind in ("EDG", "PT", "reference")]
    rows = []
    for row in results.values():
        known = row["reference"]
        line = [row["case"], str(row["seed"]), str(row["n_draws"]), str(row["n_anneal"])]
        line += [f"{row['ess_start']:.2f}", f"{row['ess']:.2f}", pm(row["log_z"], row["log_z_err"])]
        line += [pm(*known["log_z"]), f"{row['z']:.1f}", f"{row['n_calls'] / 1e6:.1f}e6"]
        for one in ("energy", "distance"):
            line += [pm(*row[f"{kind} {one}"][:2]) for kind in ("edg", "tempering")] + [pm(*known[one])]
        rows.append(line)
    return table(header, rows)


def main() -> None:
    arguments = parser(__doc__, tuple(cases()), (0, 1)).parse_args()
    results, drawn = {}, {}
    for name in arguments.case:
        case = quick(cases()[name]) if arguments.quick else cases()[name]
        known, cost, chains = reference(case, 0)
        for seed in arguments.seed:
            row, samples = run(name, case, seed, known, cost, chains)
            drawn[name] = samples, chains
            results[f"{name}, seed {seed}"] = row
            merged = store(arguments, FILE, results)
            print(tables({name: row}), f"training {row['training_s']:.0f} s", flush=True)
    print(tables(merged))
    if not arguments.quick:
        for name, pair in drawn.items():
            file = f"clusters_{name.lower().replace(' ', '_')}.png"
            figure({name: pair}, (arguments.out or FILE.parent) / file)


if __name__ == "__main__":
    main()
