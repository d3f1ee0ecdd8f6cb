# SPDX-License-Identifier: MIT
"""How often error bars of profiles and populations hold the exact value, and whether bad draws are flagged.

    python -m studies.profiles.run [--case NAME ...] [--n-seeds 100] [--quick]

One line of results.jsonl a case, and a table for the README. Nominal coverage is 0.683. Bins of one seed are
correlated: the error of a coverage is that over seeds. Exact values are quadratures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

import edgphys as ep
from studies.common import table

FILE = Path(__file__).parent / "results.jsonl"
WELL, SURFACE = ep.DoubleWell(1, barrier=4.0, tilt=0.5), ep.MuellerBrown(15.0)
EDGES = {WELL.name: np.linspace(-1.5, 1.5, 25), SURFACE.name: np.linspace(-1.3, 1.1, 25)}
# Without a second axis, and the range of that of Mueller-Brown.
HEIGHTS = {WELL.name: None, SURFACE.name: np.linspace(-1.5, 3.0, 1501)}


@dataclass(frozen=True)
class Case:
    """What is drawn from: a system, its observable of two basins, draws by seed, and what they are to be."""

    system: object
    label: str
    draw: Callable[[int], xr.Dataset]
    is_good: bool


def chains(system, algorithm: str, n_sweeps: int, thin: int = 1) -> Callable[[int], xr.Dataset]:
    """Eight chains by seed."""
    options = {"n_chains": 8, "n_sweeps": n_sweeps, "thin": thin, "keep": True, "n_threads": 1}
    return lambda seed: ep.mcmc.run(system, algorithm, seed=seed, **options)


def weighted(centre: float, width: float) -> Callable[[int], xr.Dataset]:
    """4000 draws of the double well from a Gaussian, with weights, by seed."""

    def draw(seed: int) -> xr.Dataset:
        noise = np.random.default_rng(seed).standard_normal(4000)
        x = (centre + width * noise)[:, None]
        log_weight = -WELL.beta * WELL.energy(x) + noise**2 / 2
        variables = {name: ("draw", values) for name, values in WELL.measure(x).items()}
        variables |= {"log_weight_joint": ("draw", log_weight), "configurations": (("draw", "coordinate"), x)}
        return xr.Dataset(variables, attrs=WELL.attrs())

    return draw


CASES = {
    "double well, long chains": Case(WELL, "right", chains(WELL, "random_walk", 40_000, 10), True),
    "double well, short chains": Case(WELL, "right", chains(WELL, "random_walk", 600), False),
    "double well, wide weights": Case(WELL, "right", weighted(0.0, 1.3), True),
    "double well, narrow weights": Case(WELL, "right", weighted(-0.5, 0.5), False),
    "Mueller-Brown, long chains": Case(SURFACE, "upper", chains(SURFACE, "random_walk", 200_000, 100), True),
    "Mueller-Brown, short chains": Case(SURFACE, "upper", chains(SURFACE, "hmc", 3000), False),
}


def exact_profile(system) -> np.ndarray:
    """-T log of the mean density in each bin."""
    edges, heights, n_fine = EDGES[system.name], HEIGHTS[system.name], 40
    step = (edges[1] - edges[0]) / n_fine
    fine = edges[0] + step * (np.arange(n_fine * (len(edges) - 1)) + 0.5)
    if heights is None:
        weights = np.exp(-system.beta * system.energy(fine[:, None]))
    else:
        points = np.stack(np.meshgrid(fine, heights, indexing="ij"), axis=-1).reshape(-1, 2)
        weights = np.exp(-system.beta * system.energy(points)).reshape(len(fine), -1).sum(1)
        weights *= heights[1] - heights[0]
    log_z = system.exact_results()["log_z"]
    return -np.log(weights.reshape(-1, n_fine).mean(1)) / system.beta + log_z / system.beta


def one_seed(case: Case, seed: int, exact: np.ndarray, exact_difference: float) -> dict:
    """z of every bin and of the difference of the basins, and whether the draws are trusted."""
    samples = case.draw(seed)
    profile = ep.free_energy_profile(samples, lambda x: x[:, 0], EDGES[case.system.name])
    basins = ep.basins(samples, case.label, ["other", case.label])
    difference, err = (float(basins[f"free_energy_difference{end}"][1]) for end in ("", "_err"))
    return {
        "z": ((profile.free_energy - exact) / profile.free_energy_err).values,
        "z_difference": (difference - exact_difference) / err,
        "trusted": profile.attrs["warning"] == basins.attrs["warning"] == "",
    }


def row(case: Case, n_seeds: int) -> dict:
    """Coverage over all seeds, and over those that are trusted."""
    exact, p = exact_profile(case.system), case.system.exact_results()[case.label]
    difference = -np.log(p / (1.0 - p)) / case.system.beta
    seeds = [one_seed(case, seed, exact, difference) for seed in range(n_seeds)]
    found = {"n_seeds": n_seeds, "good": case.is_good, "trusted": np.mean([one["trusted"] for one in seeds])}
    for words, used in {"": seeds, "_trusted": [one for one in seeds if one["trusted"]]}.items():
        if len(used) > 9:
            z, other = np.array([one["z"] for one in used]), np.array([one["z_difference"] for one in used])
            inside = np.array([np.mean(np.abs(one[np.isfinite(one)]) < 1.0) for one in z])
            found |= {
                f"coverage{words}": inside.mean(),
                f"coverage_err{words}": inside.std(ddof=1) / np.sqrt(len(used)),
                f"rms_z{words}": np.sqrt(np.nanmean(z**2)),
                f"largest_z{words}": np.nanmax(np.abs(z)),
                f"without_value{words}": np.isnan(z).mean(),
                f"coverage_basins{words}": np.mean(np.abs(other[np.isfinite(other)]) < 1.0),
            }
    return {name: round(float(value), 4) for name, value in found.items()}


def show(rows: dict[str, dict]) -> str:
    """The table of the README."""
    header = (
        "draws",
        "trusted",
        "coverage of bins",
        "rms z",
        "largest z",
        "bins without F",
        "coverage of basins",
    )
    lines = []
    for name, one in rows.items():
        cells = [f"{one[key]:.2f}" for key in ("rms_z", "largest_z", "without_value", "coverage_basins")]
        coverage = f"{one['coverage']:.3f} +- {one['coverage_err']:.3f}"
        lines.append((name, f"{one['trusted']:.2f}", coverage, *cells))
    return table(header, lines)


def main() -> None:
    """Measure, write results.jsonl, print the table."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES), help="default: all")
    made.add_argument("--n-seeds", type=int, default=60)
    made.add_argument("--quick", action="store_true", help="a smoke run: ten seeds, nothing written")
    options = made.parse_args()
    rows = {}
    if FILE.exists():
        rows = {one.pop("case"): one for one in map(json.loads, FILE.read_text().splitlines())}
    for name in options.case:
        rows[name] = row(CASES[name], 10 if options.quick else options.n_seeds)
        print(name, rows[name], flush=True)
        if not options.quick:
            kept = [{"case": each, **rows[each]} for each in CASES if each in rows]
            FILE.write_text("".join(json.dumps(one) + "\n" for one in kept))
    print(show({name: rows[name] for name in CASES if name in rows}))


if __name__ == "__main__":
    main()
