# SPDX-License-Identifier: MIT
"""Observables of phi^4 on 16 x 16 by one model for a range of kappa, beside those of Markov chains.

    python -m studies.one_model_per_scan.observables --seed 0 [--models FOLDER]

10,000 draws from 8 sides at each point; eight chains of 20,000 sweeps of the best algorithm.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from studies.lattice_records.observables import N_VIEWS, estimates_of, observable_table, of_chains
from studies.lattice_records.tables import measured, options_of, put, read_lines
from studies.one_model_per_scan.run import FAMILIES, trained

RESULTS = Path(__file__).with_name("observables.jsonl")
POINTS = {f"kappa-{kappa}": kappa for kappa in FAMILIES["kappa-16"].points}


def run(name: str, seed: int, models: Path | None = None) -> dict[str, Any]:
    """One point of the model, and the chains there."""
    edg, begin = trained("kappa-16", seed, models).at(kappa=POINTS[name]), time.process_time()
    draws = edg.sample(10_000, seed + 1, n_views=N_VIEWS, progress=False)
    of_edg = {"edg": estimates_of(draws), "drawing_cpu_s": time.process_time() - begin}
    return {"case": name, "seed": seed, **of_edg, **of_chains(edg.system, seed + 2)}


def main() -> None:
    parser = options_of(__doc__ or "")
    parser.add_argument("--models", type=Path, help="folder that keeps the trained samplers")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.table:
        measured(RESULTS, list(POINTS), arguments.seed, lambda name, seed: run(name, seed, arguments.models))
    text = observable_table(read_lines(RESULTS))
    put("observables", text, arguments.readme, RESULTS.with_name("README.md"))


if __name__ == "__main__":
    main()
