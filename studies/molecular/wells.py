# SPDX-License-Identifier: MIT
"""Wells: many-well-32, Mueller-Brown at kT = 15 and double wells, EDG against quadrature and tempering.

    python -m studies.molecular.wells [--case NAME ...] [--seed 0 1 2] [--quick]

Writes wells.json here, and mueller_brown.png. Every row has log_z, and where there are two basins their
free-energy difference, against quadrature; next to EDG parallel tempering with HMC (populations), and MBAR on
a path from a Gaussian (log_z), each at as many evaluations as EDG took for training and draws together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import xarray as xr

import edgphys as ep
from edgphys.estimators import average, basins, free_energy_profile
from studies.common import edg_row, mbar_log_z, parser, pm, store, table, tempered, z_score

FILE = Path(__file__).parent / "wells.json"


@dataclass(frozen=True)
class Case:
    """A system, the observable whose average is the population of a basin, and how it is run."""

    system: object
    label: str
    names: tuple[str, str]
    highest: float
    n_rungs: int
    n_draws: int
    options: dict = field(default_factory=dict)
    fit: dict = field(default_factory=dict)


def cases() -> dict[str, Case]:
    """`names`: basins where the observable is 0 and 1; the difference is F of `first` - F of the other."""
    sides = ("left", "right")
    return {
        "double well 1D": Case(ep.DoubleWell(1, barrier=6.0, tilt=0.5), "right", sides, 6.0, 4, 200_000),
        "double well 2D": Case(ep.DoubleWell(2, barrier=6.0, tilt=0.5), "right", sides, 6.0, 4, 200_000),
        "mueller-brown": Case(ep.MuellerBrown(15.0), "upper", ("lower", "upper"), 120.0, 6, 400_000),
        "many-well-32": Case(ep.ManyWell(32), "right", (), 8.0, 8, 100_000),
        "many-well-32, one block": Case(
            ep.ManyWell(32),
            "right",
            (),
            8.0,
            8,
            100_000,
            {"n_blocks": 1, "n_components": 1},
            {"annealing": 0.5},
        ),
    }


def first_basin(case: Case) -> int:
    """Index of the basin a of F_a - F_b as ``free_energy_difference`` has it."""
    return {"left": 1, "lower": 0}[case.names[0]]


def exact_population(system) -> float:
    """Of the basin that the observable marks, from the difference of free energies or the law of one pair."""
    if isinstance(system, ep.ManyWell):
        x = np.linspace(-5.0, 5.0, 20_001)
        density = np.exp(-system.beta * (x**4 - 6.0 * x**2 - 0.5 * x))
        return float(density[x > 0.0].sum() / density.sum())
    ratio = np.exp(-system.free_energy_difference() * system.beta)  # p_a / p_b
    share = ratio / (1.0 + ratio)
    return float(1.0 - share if isinstance(system, ep.MuellerBrown) else share)


def populations(case: Case, samples: xr.Dataset) -> dict[str, float]:
    """Mean energy, population, and the difference of free energies in units of kT where there are basins."""
    system, result = case.system, {}
    for name, exact in (
        ("energy", system.exact_results()["energy"]),
        (case.label, exact_population(system)),
    ):
        found = average(samples, name)
        value, err = float(found[name]), float(found[f"{name}_err"])
        key = "population" if name == case.label else name
        result |= {
            key: value,
            f"{key}_err": err,
            f"{key}_exact": exact,
            f"{key}_z": z_score(value, err, exact),
        }
    if case.names:
        first = first_basin(case)
        found = basins(samples, case.label, case.names, reference=1 - first)
        value, err = (
            float(found[k][first]) for k in ("free_energy_difference", "free_energy_difference_err")
        )
        exact = system.free_energy_difference() * system.beta
        value, err = value * system.beta, err * system.beta
        result |= {"df": value, "df_err": err, "df_exact": exact, "df_z": z_score(value, err, exact)}
    return result


def opponents(case: Case, n_calls: int, seed: int) -> dict:
    """Tempering for populations, MBAR for log_z."""
    ladder = np.geomspace(case.system.temperature, case.highest, case.n_rungs)
    cold = tempered(case.system, ladder, n_calls, seed, n_keep=40_000)
    kept = {key: cold.attrs[key] for key in ("n_calls", "swap_rate", "n_round_trips", "n_rungs", "wall_time")}
    kept["warning"] = ep.estimate(cold).attrs["warning"]
    found = mbar_log_z(case.system, n_calls, seed)
    exact = case.system.exact_results()["log_z"]
    found["z"] = z_score(found["log_z"], found["log_z_err"], exact)
    result = {"tempering": kept | populations(case, cold), "mbar": found}
    if isinstance(case.system, ep.MuellerBrown):
        result["tempering"]["profile"] = profile(cold)
    return result


EDGES = np.linspace(-1.6, 1.1, 55)


def profile(samples: xr.Dataset) -> dict:
    """F(x)/kT along the first coordinate, with errors."""
    found = free_energy_profile(samples, _first_coordinate, EDGES)
    t = float(samples.attrs["temperature"])
    return {
        "free_energy": (found["free_energy"] / t).to_numpy().tolist(),
        "err": (found["free_energy_err"] / t).to_numpy().tolist(),
        "outside": float(found["outside"]),
    }


def _first_coordinate(x: np.ndarray) -> np.ndarray:
    return x[:, 0]


def exact_profile(system: ep.MuellerBrown) -> np.ndarray:
    """-log of the mean density in each bin: Gauss-Legendre in x, trapezoidal rule in y."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half = 0.5 * np.diff(EDGES)
    x = EDGES[:-1, None] + half[:, None] * (1.0 + nodes)
    y = np.linspace(-1.5, 3.5, 1001)
    points = np.stack(np.broadcast_arrays(x[:, :, None], y), axis=-1).reshape(-1, 2)
    values = np.exp(-system.beta * system.energy(points) - system.exact_results()["log_z"])
    values = values.reshape(*x.shape, len(y)).sum(2) * (y[1] - y[0])
    return -np.log(0.5 * values @ weights)


def one_seed(case: Case, seed: int, quick: bool) -> dict:
    small = {"n_components": 4} if quick else {}
    edg = ep.EDG(case.system, **(case.options | small))
    edg.fit(seed=seed, **(case.fit | ({"n_steps": 3} if quick else {})), progress=False)
    n = 2000 if quick else case.n_draws
    samples = edg.sample(n, seed=seed + 1, n_views=1, keep=True, batch_size=2000, progress=False)
    row = edg_row(edg, samples, case.system.exact_results()["log_z"]) | populations(case, samples)
    if isinstance(case.system, ep.MuellerBrown):
        row["profile"] = profile(samples)
    return row


def run(name: str, seeds: list[int], quick: bool) -> dict:
    case = cases()[name]
    result = {"edg": {str(seed): one_seed(case, seed, quick) for seed in seeds}}
    n_calls = 200_000 if quick else result["edg"][str(seeds[0])]["n_calls"]
    return result | opponents(case, n_calls, seeds[0])


def picture(result: dict, path: Path) -> dict[str, float]:
    """Profiles of EDG's first seed and of tempering against quadrature; chi^2 per bin."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    exact = exact_profile(ep.MuellerBrown(15.0))
    middle = 0.5 * (EDGES[1:] + EDGES[:-1])
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(6, 5.5), sharex=True, height_ratios=(2, 1))
    top.plot(middle, exact, "k-", lw=1, label="quadrature")
    chi = {}
    runs = {"EDG": next(iter(result["edg"].values())), "tempering": result["tempering"]}
    for (label, entry), marker in zip(runs.items(), ("o", "x"), strict=True):
        value, err = (np.array(entry["profile"][key], float) for key in ("free_energy", "err"))
        seen = np.isfinite(value) & (err > 0) & (err < 0.3)
        top.errorbar(middle[seen], value[seen], err[seen], fmt=marker, ms=3, lw=1, label=label)
        bottom.errorbar(middle[seen], (value - exact)[seen], err[seen], fmt=marker, ms=3, lw=1)
        chi[label] = float((((value - exact) / err)[seen] ** 2).mean())
    bottom.axhline(0.0, color="k", lw=1)
    top.set(ylabel="F(x) / kT", title="Mueller-Brown, kT = 15")
    bottom.set(xlabel="x", ylabel="difference / kT")
    top.legend()
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
    return chi


def summary(results: dict[str, dict]) -> str:
    first, second = [], []
    for name in (n for n in cases() if n in results):
        r = results[name]
        exact = next(iter(r["edg"].values()))["exact_log_z"]
        for seed, run_ in r["edg"].items():
            first.append(_line(name, f"EDG, seed {seed}", run_, exact, run_["training_s"]))
            second.append(_populations(name, f"EDG, seed {seed}", run_))
        first.append(_line(name, _named("MBAR", r["mbar"]), r["mbar"], exact, r["mbar"]["seconds"]))
        second.append(_populations(name, _named("tempering", r["tempering"]), r["tempering"]))
    heads = (
        "system|method|log_z|quadrature|z|joint ESS|Pareto k|10^6 evaluations|training or all (s)",
        "system|method|F_a - F_b (kT)|quadrature|z|population|quadrature|z|mean energy|exact|z",
    )
    return "\n".join(table(h.split("|"), rows) for h, rows in zip(heads, (first, second), strict=True))


def _named(method: str, r: dict) -> str:
    """The method, with a mark if its result came with a warning."""
    return f"{method} (warned)" if r.get("warning") else method


def _line(name: str, method: str, r: dict, exact: float, seconds: float) -> list[str]:
    return [
        name,
        method,
        pm(r["log_z"], r["log_z_err"]),
        f"{exact:.5f}",
        f"{r['z']:+.1f}",
        f"{r['ess']:.3f}" if "ess" in r else "",
        f"{r['pareto_k']:.2f}" if "ess" in r else "",
        f"{r['n_calls'] / 1e6:.2f}",
        f"{seconds:.0f}",
    ]


def _populations(name: str, method: str, r: dict) -> list[str]:
    cells = [name, method]
    for key, digits in (("df", 5), ("population", 5), ("energy", 4)):
        if key in r:
            cells += [pm(r[key], r[f"{key}_err"]), f"{r[f'{key}_exact']:.{digits}f}", f"{r[f'{key}_z']:+.1f}"]
        else:
            cells += ["", "", ""]
    return cells


def main(argv: list[str] | None = None) -> None:
    arguments = parser(__doc__, list(cases()), (0, 1, 2)).parse_args(argv)
    torch.set_num_threads(1)
    seeds = arguments.seed[:1] if arguments.quick else arguments.seed
    results = {}
    # Longer exploration and short chains that are refused make the others too slow for a smoke run.
    for name in arguments.case[:3:2] if arguments.quick else arguments.case:
        results[name] = run(name, seeds, arguments.quick)
        if name == "mueller-brown" and not (arguments.quick and arguments.out is None):
            path = (arguments.out or FILE.parent) / "mueller_brown.png"
            results[name]["chi_squared_per_bin"] = picture(results[name], path)
        everything = store(arguments, FILE, results)
        print(summary({name: results[name]}), flush=True)
    print(summary(everything))


if __name__ == "__main__":
    main()
