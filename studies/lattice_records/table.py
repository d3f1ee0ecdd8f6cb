# SPDX-License-Identifier: MIT
"""Tables of this study from ``results.jsonl``: effective sample sizes, costs, log Z against what is known.

    python -m studies.lattice_records.table [--results results.jsonl] [--readme]

A cell has the mean over the seeds of the training and, in brackets, largest minus smallest; all values
where there are fewer than three. The true log Z is exact, or that of ``references.json``; where a case has
neither, that of the other seeds, weighted by their errors.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studies.common import pm, table, z_score
from studies.lattice_records.run import CASES, RESULTS
from studies.lattice_records.tables import FOLDER, describe, put, read_lines

REFERENCES = FOLDER / "references.json"
Record = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """Effective sample sizes to be compared with.

    Attributes
    ----------
    least, reach : float or None
        What is asked for, and what would be good.
    published : float or None
        The best that is published.
    """

    least: float | None = None
    reach: float | None = None
    published: float | None = None


_EIGHTY = Goal(0.8, 0.95)
_HOPPING = Goal(0.93, 0.97)
_ISING = {8: Goal(0.99, 0.998, 0.996), 16: Goal(0.96, 0.985, 0.978), 32: Goal(0.92, 0.95, 0.926)}
_ISING[64] = Goal(0.70, 0.8, 0.438)
_FREE = (
    "triangular",
    "triangular-frustrated",
    "triangular-frustrated-chains",
    "honeycomb",
    "kagome",
    "cubic",
    "cubic-chains",
    "open",
    "field",
)
GOALS: dict[str, Goal] = {
    **{f"ising-{length}": goal for length, goal in _ISING.items()},
    **{f"ising-{length}-edg": goal for length, goal in _ISING.items()},
    "ising-128": Goal(None, 0.2, 0.0),
    "phi4-6": Goal(0.98, 0.99),
    "phi4-12": Goal(0.97, 0.98),
    "phi4-20": Goal(0.95, 0.97),
    "phi4-32": Goal(0.91, 0.95, 0.904),
    "phi4-64": Goal(0.5, 0.75),
    **dict.fromkeys(_FREE, _EIGHTY),
    **{name: _HOPPING for name in CASES if name.startswith("kappa-")},
}


# -------------------------------------------------------------------------------------------- the true log Z


def reference_of(name: str, references: dict[str, Any]) -> dict[str, Any] | None:
    """The reference of a case, which it shares with the case of the same system in another training."""
    return references.get(name.removesuffix("-chains")) if CASES[name].reference else None


def truth(
    record: Record, others: list[Record], references: dict[str, Any], k: int
) -> tuple[float, float] | None:
    """log Z and its error: exact, from the references, or from the other seeds at as many views."""
    if "log_z_true" in record:
        return record["log_z_true"], record["log_z_true_err"]
    name = record["case"]
    known = reference_of(name, references)
    if known is not None:
        return known["log_z"], known["log_z_err"]
    weights = [one[f"log_z_err_{k}"] ** -2 for one in others]
    if not weights:
        return None
    values = [one[f"log_z_{k}"] for one in others]
    mean = sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)
    return mean, sum(weights) ** -0.5


@dataclass(frozen=True)
class Judged:
    """Deviations of the records of a case at K views, in errors.

    Attributes
    ----------
    pulls : list of float
        Of log Z.
    gaps : list of float
        True log Z minus the bound.
    excess : list of float
        Of the bound over the true log Z.
    """

    pulls: list[float]
    gaps: list[float]
    excess: list[float]


def judge(records: list[Record], references: dict[str, Any], k: int) -> Judged:
    """All records of one case against the true log Z."""
    found = Judged([], [], [])
    for record in records:
        if f"ess_{k}" not in record:
            continue
        others = [one for one in records if one is not record and f"ess_{k}" in one]
        known = truth(record, others, references, k)
        if known is None:
            continue
        found.pulls.append(z_score(record[f"log_z_{k}"], record[f"log_z_err_{k}"], *known))
        found.gaps.append(known[0] - record[f"elbo_{k}"])
        found.excess.append(z_score(record[f"elbo_{k}"], record[f"elbo_err_{k}"], *known))
    return found


# ------------------------------------------------------------------------------------------------ the tables


def of_cases(records: list[Record]) -> dict[str, list[Record]]:
    """Records by case, in the order of `CASES`."""
    groups = {name: [one for one in records if one["case"] == name] for name in CASES}
    return {name: group for name, group in groups.items() if group}


def views_of(group: list[Record]) -> list[int]:
    """Numbers of views that all records of a case have."""
    return [k for k in (1, 8, 32) if all(f"ess_{k}" in one for one in group)]


def share(value: float | None) -> str:
    """An effective sample size that may not be there."""
    return "" if value is None else f"{value:g}"


def ess_table(records: list[Record]) -> str:
    """Effective sample sizes beside what is asked for and what is published."""
    rows = []
    for name, group in of_cases(records).items():
        goal, views = GOALS.get(name, Goal()), views_of(group)
        cells = [describe([one[f"ess_{k}"] for one in group], 3) if k in views else "" for k in (1, 8, 32)]
        goals = [share(value) for value in (goal.least, goal.reach, goal.published)]
        rows.append([name, str(len(group)), *cells, *goals])
    header = ["case", "seeds", "ESS, K = 1", "K = 8", "K = 32", "at least", "reach for", "best published"]
    return table(header, rows)


def cost_table(records: list[Record], references: dict[str, Any]) -> str:
    """Gap and cost."""
    rows = []
    for name, group in of_cases(records).items():
        first, last = judge(group, references, 1), judge(group, references, views_of(group)[-1])
        per_site = [gap / group[0]["n_sites"] * 1e4 for gap in first.gaps]
        rows.append(
            [
                name,
                str(group[0]["training"]),
                f"{group[0]['n_steps']} x {group[0]['batch_size']}",
                describe([one["training_cpu_s"] for one in group], 0),
                describe([one["n_energy_calls_training"] / 1e6 for one in group], 2),
                describe([one["drawing_cpu_s"] for one in group], 0),
                describe(first.gaps, 4),
                describe(per_site, 2),
                describe(last.gaps, 4),
            ]
        )
    header = ["case", "training", "steps x batch", "training, CPU s", "10^6 energies of training"]
    header += ["drawing, CPU s", "gap (nats), K = 1", "10^4 gap per site", "gap, most views"]
    return table(header, rows)


def log_z_table(records: list[Record], references: dict[str, Any]) -> str:
    """log Z against the true value, in errors."""
    rows = []
    for name, group in of_cases(records).items():
        found = {k: judge(group, references, k) for k in (1, 8, 32)}
        listed = [", ".join(f"{pull:+.1f}" for pull in found[k].pulls) for k in (1, 8, 32)]
        pulls = [abs(pull) for one in found.values() for pull in one.pulls]
        excess = [value for one in found.values() for value in one.excess]
        most = f"{max(pulls):.1f}" if pulls else ""
        above = "" if not excess else "yes" if max(excess) > 3.0 else "no"
        rows.append([name, true_value(group, references), *listed, most, above])
    header = ["case", "true log Z", "pulls, K = 1", "K = 8", "K = 32", "largest", "a bound above by 3 errors"]
    return table(header, rows)


def true_value(group: list[Record], references: dict[str, Any]) -> str:
    """In words; empty where the other seeds stand in for it."""
    first = group[0]
    if "log_z_true" in first:
        return f"{first['log_z_true']:.5f}"
    known = reference_of(first["case"], references)
    if known is None:
        return "other seeds"
    way = "exact" if known["log_z_err"] == 0.0 else "MBAR"
    return (
        f"{pm(known['log_z'], known['log_z_err']) if way == 'MBAR' else format(known['log_z'], '.5f')}, {way}"
    )


def summary(records: list[Record], references: dict[str, Any]) -> str:
    """How many pulls there are, and how large they are."""
    judged = [judge(group, references, k) for group in of_cases(records).values() for k in views_of(group)]
    pulls = [pull for one in judged for pull in one.pulls if math.isfinite(pull)]
    if not pulls:
        return "No pulls yet."
    square = sum(pull**2 for pull in pulls) / len(pulls)
    n_large = sum(abs(pull) > 3.0 for pull in pulls)
    most = max(pulls, key=abs)
    return (
        f"{len(records)} trainings, {len(pulls)} pulls: mean square {square:.2f}, largest {most:+.1f}, "
        f"{n_large} beyond 3 errors. Pulls at several K are of the same draws."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: beside this script")
    parser.add_argument("--readme", action="store_true", help="put the tables into README.md too")
    arguments = parser.parse_args()
    records = read_lines(arguments.results)
    references = json.loads(REFERENCES.read_text()) if REFERENCES.exists() else {}
    blocks = {
        "ess": ess_table(records),
        "cost": cost_table(records, references),
        "log_z": log_z_table(records, references) + "\n" + summary(records, references),
    }
    for name, text in blocks.items():
        put(name, text, arguments.readme)


if __name__ == "__main__":
    main()
