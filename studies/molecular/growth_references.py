# SPDX-License-Identifier: MIT
"""Clusters: long references by chains, three seeds, and what a given error costs by each method.

    python -m studies.molecular.growth_references [--case NAME ...] [--seed 0 1 2] [--quick]

Writes growth_references.json here. Per case and seed: log_z and averages by MBAR on a path from a Gaussian;
averages and the density of the distances between particles, g(r), by parallel tempering with HMC. DW4 has
all by quadrature. "mean" holds the mean of the seeds, weighted by their errors, and chi^2 around it; "cost"
the evaluations and seconds that an error of 0.005 in log_z, or 0.02 in the energy, would take, from what each
method spent for its own: errors fall as the root, the seconds of a training stay. "CPU" are the seeds here,
CPU seconds; the others are the runs in clusters.json, on the clock.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np

import edgphys as ep
from studies.common import mbar_log_z, parser, pm, store, table, tempered
from studies.molecular.clusters import cases, ladder

FILE = Path(__file__).parent / "growth_references.json"
AVERAGES = ("energy", "distance", "radius_of_gyration")
ERRORS = {"log_z": 0.005, "energy": 0.02}
# Evaluations of the tempering, and of MBAR, per seed.
CALLS = {"LJ13 once": (3e7, 4.5e7), "LJ13 twice": (3e7, 4.5e7), "LJ55 once": (1.5e7, 3e7)}
EDGES = {
    "DW4": np.linspace(0.0, 10.0, 101),
    "LJ13 once": np.linspace(0.0, 6.0, 121),
    "LJ13 twice": np.linspace(0.0, 5.0, 101),
    "LJ55 once": np.linspace(0.0, 8.0, 161),
}


def by_quadrature(name: str) -> dict:
    """Exact values, and the density of the distances in the bins."""
    system = cases()[name].system
    exact, pairs = system.exact_results(), system.exact_pairs()
    fine = np.linspace(EDGES[name][0], EDGES[name][-1], 100 * (len(EDGES[name]) - 1) + 1)
    inside = np.interp(0.5 * (fine[1:] + fine[:-1]), pairs.distances, pairs.density, 0.0, 0.0)
    square = float(pairs.weights @ (pairs.density * pairs.distances**2))
    return exact | {
        # sum_i |x_i - mean|^2 = 1/n sum_(i<j) d_ij^2
        "square_radius_of_gyration": 0.5 * (system.n_particles - 1) / system.n_particles * square,
        "g": {"density": inside.reshape(-1, 100).mean(axis=1), "edges": EDGES[name]},
    }


def by_chains(name: str, seed: int, quick: bool) -> dict:
    """MBAR and tempering of one seed, each with its evaluations and CPU seconds."""
    case = cases()[name]
    n_tempering, n_mbar = (3e4, 3e4) if quick else CALLS[name]
    row = {"case": name, "seed": seed}
    begin = time.process_time()
    found = mbar_log_z(case.system, int(n_mbar), seed + 60, also=AVERAGES)
    row["mbar"] = found | {"cpu_s": time.process_time() - begin}
    begin = time.process_time()
    chains = tempered(case.system, ladder(case), int(n_tempering), seed + 50)
    cpu = time.process_time() - begin
    estimates = ep.estimate(chains)
    names = [one + end for one in AVERAGES for end in ("", "_err")]
    row["tempering"] = {one: float(estimates[one]) for one in names}
    row["tempering"] |= {"n_calls": chains.attrs["n_calls"], "cpu_s": cpu}
    density = ep.pair_distances(chains, bins=EDGES[name])
    row["g"] = {key: density[key].to_numpy() for key in ("density", "density_err")} | {"edges": EDGES[name]}
    return row


def together(rows: list[dict]) -> dict:
    """Means over the seeds, of everything both methods measured."""
    means = {}
    for kind, names in (("mbar", ("log_z", *AVERAGES)), ("tempering", AVERAGES)):
        for one in names:
            values, errors = (np.array([row[kind][key] for row in rows]) for key in (one, f"{one}_err"))
            weights = errors**-2.0
            mean = float(np.average(values, weights=weights))
            chi2 = float((weights * (values - mean) ** 2).sum())
            means[f"{kind} {one}"] = (mean, float(weights.sum() ** -0.5), chi2, len(rows))
    return means


def costs(rows: list[dict], known: list[dict]) -> dict:
    """Evaluations and seconds to the errors in `ERRORS`, by method: of seeds here, and of clusters.json."""
    spent: dict[str, list[tuple[float, float]]] = {}

    def add(name: str, err: float, n_calls: float, seconds: float, fixed: float = 0.0) -> None:
        """`fixed` seconds are those of a training, which no smaller error makes longer."""
        scale = (err / ERRORS[name.split()[-1]]) ** 2
        spent.setdefault(name, []).append((scale * n_calls, fixed + scale * seconds))

    for row in rows:
        for kind, one in (("mbar", "log_z"), ("mbar", "energy"), ("tempering", "energy")):
            add(f"{kind}, CPU, {one}", row[kind][f"{one}_err"], row[kind]["n_calls"], row[kind]["cpu_s"])
    for row in known:
        errors = {"log_z": row["log_z_err"], "energy": row["edg energy"][1]}
        for one, err in errors.items():
            add(f"EDG, {one}", err, row["n_calls"], row["sampling_s"], row["training_s"])
        add("tempering, energy", row["tempering energy"][1], row["opponent_calls"], math.nan)
        if "mbar" in row["reference_cost"]:
            found = row["reference_cost"]["mbar"]
            add("mbar, log_z", found["log_z_err"], found["n_calls"], found["seconds"])
    return {name: tuple(np.mean(pairs, axis=0)) for name, pairs in spent.items()}


def tables(results: dict) -> str:
    """Markdown."""
    rows = [
        [name.removesuffix(", mean"), *(pm(*means[key][:2]) for key in _COLUMNS)]
        for name, means in ((key, value) for key, value in results.items() if key.endswith(", mean"))
    ]
    spent = [
        [name.removesuffix(", cost"), key, f"{calls / 1e6:.3g}", f"{seconds:.3g}".replace("nan", "")]
        for name, one in ((key, value) for key, value in results.items() if key.endswith(", cost"))
        for key, (calls, seconds) in one.items()
    ]
    first = table(["case", *_COLUMNS], rows)
    return first + "\n" + table(["case", "method, of what", "10^6 evaluations", "s"], spent)


_COLUMNS = ("mbar log_z", "mbar energy", "tempering energy", "tempering radius_of_gyration")


def main() -> None:
    options = parser(__doc__ or "", ["DW4", *CALLS], seeds=(0, 1, 2))
    options.add_argument(
        "--only-cost", action="store_true", help="no chains: means and costs of what there is"
    )
    arguments = options.parse_args()
    learned = json.loads((FILE.parent / "clusters.json").read_text())["results"]
    before = json.loads(FILE.read_text())["results"] if FILE.exists() else {}
    for name in arguments.case:
        rows = []
        if name == "DW4":
            store(arguments, FILE, {"DW4, quadrature": plain(by_quadrature(name))})
        elif arguments.only_cost:
            rows = [row for key, row in before.items() if key.startswith(f"{name}, seed")]
        else:
            rows = [run(arguments, name, seed) for seed in arguments.seed]
        if rows:
            store(arguments, FILE, {f"{name}, mean": together(rows)})
        known = [row for key, row in learned.items() if key.startswith(f"{name}, seed")]
        print(tables(store(arguments, FILE, {f"{name}, cost": costs(rows, known)})), flush=True)


def run(arguments, name: str, seed: int) -> dict:
    """`by_chains`, stored."""
    row = plain(by_chains(name, seed, arguments.quick))
    store(arguments, FILE, {f"{name}, seed {seed}": row})
    return row


def plain(row: dict) -> dict:
    """Arrays as lists."""
    return json.loads(json.dumps(row, default=lambda one: np.asarray(one).tolist()))


if __name__ == "__main__":
    main()
