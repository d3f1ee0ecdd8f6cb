# SPDX-License-Identifier: MIT
"""Curves of 200 temperatures from the draws of one scan of the 16 x 16 Ising torus, against exact ones.

    python -m studies.one_model_per_scan.curve --seed 0 1 2 [--models FOLDER]

1000 draws at each of 24 temperatures serve all values; beside them, estimates from 1000 draws at each of the
24 alone. The picture shows the first seed.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr

import edgphys as ep
from edgphys.edg.core.conditions import Conditions
from studies.common import hardware, table
from studies.lattice_records.tables import describe, options_of, put
from studies.one_model_per_scan.run import FAMILIES, trained

RESULTS = Path(__file__).with_name("curve.json")
PICTURE = Path(__file__).with_name("curve.png")
README = Path(__file__).with_name("README.md")
N_NODES, N_EACH = 24, 1000
LOW, HIGH = FAMILIES["ising-16"].ends
NODES = np.array([node["temperature"] for node in Conditions({"temperature": (LOW, HIGH)}).nodes(N_NODES)])
VALUES = np.union1d(np.linspace(LOW, HIGH, 200), NODES)
EXACT = ("free_energy", "energy", "specific_heat")
COMPARED = ("log_z", "energy", "specific_heat", "abs_magnetization", "susceptibility")


def exact(values: np.ndarray) -> dict[str, np.ndarray]:
    """Exact results at all temperatures, by name."""
    system = FAMILIES["ising-16"].system()
    rows = [system.replace(temperature=float(value)).exact_results() for value in values]
    return {name: np.array([row[name] for row in rows]) for name in EXACT}


def run(seed: int, models: Path | None) -> tuple[dict[str, Any], xr.Dataset]:
    """Deviations from exact curves, and errors against those of single points."""
    edg, begin = trained("ising-16", seed, models), time.process_time()
    curve = edg.curve(VALUES, N_NODES * N_EACH, 1000 + seed, n_nodes=N_NODES, progress=False)
    middle, known = time.process_time(), exact(VALUES)
    single = [
        ep.estimate(edg.sample(N_EACH, 2000 + k, temperature=float(value), progress=False))
        for k, value in enumerate(NODES)
    ]
    at_nodes = curve.sel(temperature=NODES, method="nearest")
    z = {name: ((curve[name] - known[name]) / curve[f"{name}_err"]).values for name in EXACT}
    record = {
        "seed": seed,
        "largest": {name: float(np.abs(values).max()) for name, values in z.items()},
        "mean_square": {name: float((values**2).mean()) for name, values in z.items()},
        "gain": {
            name: float(np.mean([float(one[f"{name}_err"]) for one in single] / at_nodes[f"{name}_err"]))
            for name in COMPARED
        },
        "derivative": float(np.abs(curve["derivative_deviation"]).max()),
        "least_ess": float(curve["ess"].min()),
        "warning": curve.attrs["warning"],
        "curve_cpu_s": middle - begin,
        "hardware": hardware(),
    }
    return record, curve


def draw(curve: xr.Dataset) -> None:
    """F, E and C over the temperature, and how far they are from the exact values."""
    known = exact(VALUES)
    figure, axes = plt.subplots(2, 3, figsize=(11, 5.5), sharex=True, height_ratios=(2, 1), layout="tight")
    for name, (top, bottom) in zip(EXACT, axes.T, strict=True):
        value, error = curve[name].values, curve[f"{name}_err"].values
        top.plot(VALUES, known[name], "k--", lw=1, label="exact")
        top.plot(VALUES, value, color="#0072B2", lw=1, label="pooled draws")
        top.set_ylabel(name.replace("_", " "))
        bottom.fill_between(VALUES, -error, error, color="#0072B2", alpha=0.3, lw=0)
        bottom.plot(VALUES, value - known[name], color="#0072B2", lw=1)
        bottom.axhline(0.0, color="k", ls="--", lw=1)
        bottom.set_ylabel("minus exact")
        bottom.set_xlabel("T")
    axes[0, 0].legend(frameon=False)
    figure.savefig(PICTURE, dpi=110)


def curve_table(records: list[dict[str, Any]]) -> str:
    """What there is, and sentences about the check and the cost."""
    rows = []
    for name in dict.fromkeys([*EXACT, *COMPARED]):
        largest = [f"{one['largest'][name]:.1f}" for one in records] if name in EXACT else []
        square = [one["mean_square"][name] for one in records] if name in EXACT else []
        gains = [one["gain"][name] for one in records] if name in COMPARED else []
        rows.append([name, ", ".join(largest), describe(square, 2), describe(gains, 1)])
    header = ["", "largest deviation from exact, errors", "mean square", "error of single points over pooled"]
    slopes = ", ".join(f"{one['derivative']:.1f}" for one in records)
    seeds = ", ".join(str(one["seed"]) for one in records)
    seconds = describe([one["curve_cpu_s"] for one in records], 0)
    least = min(one["least_ess"] for one in records)
    return (
        table(header, rows)
        + f"\nOver {len(VALUES)} temperatures, training seeds {seeds}. Slope of log Z between nodes against "
        f"the mean energy: largest deviation {slopes} errors. Least pooled "
        f"ESS {least:.3f} of {N_NODES * N_EACH} draws; {seconds} CPU s a curve.\n\n![Curves](curve.png)\n"
    )


def main() -> None:
    parser = options_of(__doc__ or "")
    parser.add_argument("--models", type=Path, help="folder that keeps the trained samplers")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    records = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    for seed in [] if arguments.table else arguments.seed:
        if all(one["seed"] != seed for one in records):
            record, curve = run(seed, arguments.models)
            if not records:
                draw(curve)
            records.append(record)
            RESULTS.write_text(json.dumps(records, indent=1) + "\n")
    put("curve", curve_table(records), arguments.readme, README)


if __name__ == "__main__":
    main()
