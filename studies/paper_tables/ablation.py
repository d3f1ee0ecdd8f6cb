# SPDX-License-Identifier: MIT
"""What the Hamiltonian decoder and the diffusion encoder are worth, each on and off, from one Gaussian.

    python -m studies.paper_tables.ablation [--case NAME ...] [--seed 0 1] [--quick]

Writes ablation.json here. Four variants with ``n_components=1``, so that nothing is solved by the start: GHD
or the one-shot decoder, diffusion encoder or a single Gaussian (VAE). All have the same number of steps,
batch, learning rate and annealing; GHD evaluates the energy more often for it, see the last column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import edgphys as ep
from studies.common import edg_row, parser, store, table
from studies.paper_tables.targets import NAMES, distances, reference_draws

FILE = Path(__file__).parent / "ablation.json"
VARIANTS = {
    "GHD, diffusion": {"decoder": "hamiltonian", "encoder": "diffusion"},
    "GHD, Gaussian": {"decoder": "hamiltonian", "encoder": "gaussian"},
    "one-shot, diffusion": {"decoder": "mixture", "encoder": "diffusion"},
    "one-shot, Gaussian (VAE)": {"decoder": "mixture", "encoder": "gaussian"},
}
N_DRAWS, N_STEPS, ANNEALING = 5000, 600, 0.3


def variant(target: str, options: dict, seed: int, quick: bool) -> dict:
    system = ep.Planar(target)
    n = 300 if quick else N_DRAWS
    edg = ep.EDG(system, n_components=1, **options)
    n_steps = 3 if quick else N_STEPS
    try:
        edg.fit(seed=seed, n_steps=n_steps, annealing=ANNEALING, patience=N_STEPS, progress=False)
    except ep.errors.TrainingError as error:
        return {"failed": str(error)}
    samples = edg.sample(n, seed=seed + 1, n_views=1, keep=True, progress=False)
    reference = reference_draws(system, n, np.random.default_rng(12345))
    x = samples["configurations"].to_numpy()
    shares = system.responsibilities(x).mean(0) / system.mode_weights()
    log_w = samples["log_weight_joint"].to_numpy()
    row = edg_row(edg, samples, system.exact_results()["log_z"])
    row |= {"raw": distances(x, reference), "weighted": distances(x, reference, log_w)}
    return row | {"least_share": float(shares.min()), "n_modes_half": int((shares > 0.5).sum())}


def case(target: str, seeds: list[int], quick: bool) -> dict:
    """Variant -> seed -> numbers."""
    return {
        name: {str(seed): variant(target, options, seed, quick) for seed in seeds}
        for name, options in VARIANTS.items()
    }


def order(results: dict[str, dict], key: str) -> dict[str, float]:
    """Mean place of each variant over the targets, 1 the best, by the median over the seeds."""
    places = {name: [] for name in VARIANTS}
    for variants in results.values():
        medians = {
            name: np.median([_value(run, key) for run in runs.values()]) for name, runs in variants.items()
        }
        for place, name in enumerate(sorted(medians, key=medians.get), 1):
            places[name].append(place)
    return {name: float(np.mean(found)) for name, found in places.items()}


def _value(run: dict, key: str) -> float:
    """The smaller the better; a training that failed is the worst."""
    if "failed" in run:
        return np.inf
    return {"mmd": run["raw"]["mmd"], "gap": run["gap"], "ess": -run["ess"]}[key]


def summary(results: dict[str, dict]) -> str:
    rows = []
    for target in (n for n in NAMES if n in results):
        for name, runs in results[target].items():
            values = list(runs.values())
            rows.append(
                [
                    target,
                    name,
                    *(
                        ", ".join(
                            "failed" if "failed" in run else f"{value(run):.{digits}f}" for run in values
                        )
                        for value, digits in (
                            (lambda r: r["raw"]["mmd"], 3),
                            (lambda r: r["weighted"]["mmd"], 3),
                            (lambda r: r["gap"], 2),
                            (lambda r: r["ess"], 3),
                            (lambda r: r["log_z"] - r["exact_log_z"], 3),
                            (lambda r: r["unseen_share"], 3),
                            (lambda r: r["reliable"], 0),
                            (lambda r: r["least_share"], 2),
                            (lambda r: r["training_s"], 0),
                            (lambda r: r["n_calls"] / 1e6, 2),
                        )
                    ),
                ]
            )
    head = "target|variant|MMD|weighted|gap (nats)|joint ESS|log_z - exact|unseen share|reliable|"
    head += "least share of a mode / exact|training (s)|10^6 evaluations"
    text = table(head.split("|"), rows)
    places = {key: order(results, key) for key in ("mmd", "gap", "ess")}
    means = [[name, *(f"{places[key][name]:.1f}" for key in places)] for name in VARIANTS]
    return text + "\n" + table(("mean place, 1 the best", "MMD", "gap", "joint ESS"), means)


def main(argv: list[str] | None = None) -> None:
    arguments = parser(__doc__, NAMES[:6], (0, 1)).parse_args(argv)
    torch.set_num_threads(1)
    seeds = arguments.seed[:1] if arguments.quick else arguments.seed
    results = {}
    for target in arguments.case[:1] if arguments.quick else arguments.case:
        results[target] = case(target, seeds, arguments.quick)
        everything = store(arguments, FILE, results)
        print(summary({target: results[target]}), flush=True)
    print(summary(everything))


if __name__ == "__main__":
    main()
