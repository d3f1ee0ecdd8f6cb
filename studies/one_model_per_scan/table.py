# SPDX-License-Identifier: MIT
"""Tables of this study from ``results.jsonl``: ESS, bounds and log Z at the points of every family.

    python -m studies.one_model_per_scan.table [--readme]

A cell has the mean over the seeds of the training and, in brackets, largest minus smallest; all values
where there are fewer than three. Pulls are deviations of log Z in units of its error.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path
from typing import Any

import edgphys as ep
from studies.common import table
from studies.lattice_records.tables import describe, put, read_lines
from studies.one_model_per_scan.run import FAMILIES, RESULTS, SQUARE

README = Path(__file__).with_name("README.md")
VIEWS = (1, 8, 32)
# Lower bounds on log Z at T = 2 of arXiv:2401.02080, and of what it compares with.
PUBLISHED = {2.0: {"EDG": 270.32, "NeuralRG": 260.24, "PIS": 210.17}}
Record = dict[str, Any]


def of(records: list[Record], name: str) -> list[Record]:
    """Those of one family."""
    return [one for one in records if one["case"] == name]


def at_points(group: list[Record], name: str) -> dict[float, list[Record]]:
    """What all seeds found at each point."""
    coupling = FAMILIES[name].name
    points: dict[float, list[Record]] = {}
    for record in group:
        for point in record["points"]:
            points.setdefault(point[coupling], []).append(point)
    return points


def point_table(group: list[Record], name: str) -> str:
    """Effective sample sizes, gaps and pulls at every point."""
    rows = []
    for value, found in at_points(group, name).items():
        cells = [describe([one[f"ess_{k}"] for one in found], 3) for k in VIEWS]
        row = [f"{value:.6g}", *cells]
        if "log_z_true" in found[0]:
            for k in VIEWS:
                row.append(describe([one["log_z_true"] - one[f"elbo_{k}"] for one in found], 4))
            row += [", ".join(f"{pull(one, k):+.1f}" for one in found) for k in VIEWS]
        else:
            row.append(", ".join(f"{one['log_z_8']:.4f}({one['log_z_err_8'] * 1e4:.0f})" for one in found))
        rows.append(row)
    header = [FAMILIES[name].name, *(f"ESS, K = {k}" for k in VIEWS)]
    if "log_z_true" in group[0]["points"][0]:
        header += [*(f"gap, K = {k}" for k in VIEWS), *(f"pulls, K = {k}" for k in VIEWS)]
    else:
        header.append("log Z, K = 8")
    return table(header, rows)


def pull(point: Record, k: int) -> float:
    return (point[f"log_z_{k}"] - point["log_z_true"]) / point[f"log_z_err_{k}"]


def summary(group: list[Record], name: str) -> str:
    """Worst effective sample sizes, costs, and how far log Z is off."""
    seconds = describe([one["training_cpu_s"] for one in group], 0)
    worst = {k: min(point[f"ess_{k}"] for one in group for point in one["points"]) for k in VIEWS}
    words = [
        f"{len(group)} trainings of {group[0]['n_steps']} steps, {seconds} CPU s each; worst ESS of all "
        f"points and seeds {worst[1]:.3f}, {worst[8]:.3f}, {worst[32]:.3f} with K = 1, 8, 32 views."
    ]
    points = [point for one in group for point in one["points"] if "log_z_true" in point]
    if points:
        pulls = [pull(point, k) for point in points for k in VIEWS]
        above = [
            (point[f"elbo_{k}"] - point["log_z_true"]) / point[f"elbo_err_{k}"]
            for point in points
            for k in VIEWS
        ]
        words.append(
            f"{len(pulls)} pulls: mean square {sum(one**2 for one in pulls) / len(pulls):.2f}, largest "
            f"{max(pulls, key=abs):+.1f}; the bound nearest to the exact value, or above it, is "
            f"{max(above):+.1f} of its errors from it."
        )
        words.append(moves(group))
    return " ".join(words) + "\n"


def moves(group: list[Record]) -> str:
    """Differences of log Z between points of one model, against exact ones."""
    pulls = []
    for record in group:
        for one, other in combinations(record["points"], 2):
            error = (one["log_z_err_8"] ** 2 + other["log_z_err_8"] ** 2) ** 0.5
            exact = one["log_z_true"] - other["log_z_true"]
            pulls.append((one["log_z_8"] - other["log_z_8"] - exact) / error)
    return (
        f"Differences of log Z between two points of one model (K = 8): {len(pulls)} pulls, largest "
        f"{max(pulls, key=abs):+.1f}; draws of different points share their seed."
    )


def paper_table(group: list[Record]) -> str:
    """Bounds and log Z at the temperatures of the table of arXiv:2401.02080."""
    points, rows = at_points(group, "ising-16"), []
    for value in (2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7):
        found = points[value]
        exact = ep.Ising(SQUARE, temperature=value).exact_results()["log_z"]
        bound = describe([one["elbo_32"] for one in found], 4)
        log_z = ", ".join(f"{one['log_z_32']:.4f}({one['log_z_err_32'] * 1e4:.0f})" for one in found)
        published = PUBLISHED.get(value, {})
        rows.append(
            [f"{value}", bound, log_z, f"{exact:.4f}"]
            + [f"{published[name]:g}" if name in published else "" for name in ("EDG", "NeuralRG", "PIS")]
        )
    header = ["T", "bound, K = 32", "log Z, K = 32", "exact"]
    return table([*header, "EDG, published", "NeuralRG", "PIS"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="put the tables into README.md too")
    arguments = parser.parse_args()
    records = read_lines(RESULTS)
    for name in FAMILIES:
        group = of(records, name)
        if group:
            text = point_table(group, name) + "\n" + summary(group, name)
            put(name, text, arguments.readme, README)
    if of(records, "ising-16"):
        put("paper", paper_table(of(records, "ising-16")), arguments.readme, README)


if __name__ == "__main__":
    main()
