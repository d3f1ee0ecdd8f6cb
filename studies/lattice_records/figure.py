# SPDX-License-Identifier: MIT
"""Picture of this study: effective sample size against the extent, and time against the number of sites.

    python -m studies.lattice_records.figure [--results results.jsonl] [--readme]

Writes ``lattice_records.png`` from ``results.jsonl`` and, where it is there, ``scaling.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from studies.lattice_records import scaling
from studies.lattice_records.run import RESULTS
from studies.lattice_records.table import GOALS, of_cases
from studies.lattice_records.tables import FOLDER, put, read_lines

FILE = FOLDER / "lattice_records.png"
COLOURS = {1: "#0072B2", 8: "#E69F00", 32: "#009E73"}
FAMILIES = {"ising": "Ising at $T_c$", "phi4": "$\\phi^4$, $m^2 = -4$"}


def mean_ess(groups: dict[str, list[dict[str, Any]]], family: str, suffix: str, k: int) -> dict[int, float]:
    """Mean over the seeds, by extent."""
    found = {}
    for name, group in groups.items():
        words = name.split("-")
        if words[0] == family and "-".join(words[2:]) == suffix and all(f"ess_{k}" in one for one in group):
            found[int(words[1])] = sum(one[f"ess_{k}"] for one in group) / len(group)
    return dict(sorted(found.items()))


def draw_ess(axes: Any, groups: dict[str, list[dict[str, Any]]], family: str) -> None:
    """One family: a line for each number of views, and what is published."""
    for k, colour in COLOURS.items():
        for suffix, style in (("", "o-"), ("edg", "s--")):
            found = mean_ess(groups, family, suffix, k)
            label = f"K = {k}" + (", EDG root" if suffix else "")
            if found:
                axes.plot(list(found), list(found.values()), style, color=colour, label=label)
    known = {int(name.split("-")[1]): goal.published for name, goal in GOALS.items() if _plain(name, family)}
    known = {extent: value for extent, value in sorted(known.items()) if value is not None}
    axes.plot(list(known), list(known.values()), "x", color="black", label="published")
    axes.set(title=FAMILIES[family], xlabel="extent L", ylabel="effective sample size", ylim=(0.0, 1.02))
    axes.set_xscale("log", base=2)
    axes.legend(fontsize=7)


def _plain(name: str, family: str) -> bool:
    """Whether the case is an extent of the family, with the default root."""
    words = name.split("-")
    return words[0] == family and len(words) == 2


def draw_times(axes: Any, lattices: dict[str, dict[str, Any]]) -> None:
    """Times on the square tori, with a line of slope 1."""
    found = [one for label, one in lattices.items() if not label.startswith("cubic")]
    sites = [one["n_sites"] for one in found]
    for quantity, words in scaling.QUANTITIES.items():
        axes.loglog(sites, [one[quantity] for one in found], "o-", label=words.removesuffix(", CPU s"))
    first = found[0]
    axes.loglog(
        sites, [first["view_s"] * n / first["n_sites"] for n in sites], ":", color="grey", label="linear"
    )
    axes.set(title="time", xlabel="sites", ylabel="CPU seconds")
    axes.legend(fontsize=7)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: beside this script")
    parser.add_argument("--out", type=Path, default=FILE, help="default: beside this script")
    parser.add_argument("--readme", action="store_true", help="put the picture into README.md too")
    arguments = parser.parse_args()
    groups = of_cases(read_lines(arguments.results))
    times = json.loads(scaling.FILE.read_text())["lattices"] if scaling.FILE.exists() else {}
    figure, axes = plt.subplots(1, 3 if times else 2, figsize=(12.0 if times else 8.0, 3.4))
    for place, family in zip(axes, FAMILIES, strict=False):
        draw_ess(place, groups, family)
    if times:
        draw_times(axes[-1], times)
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=130)
    put("figure", f"![Effective sample sizes and times]({arguments.out.name})", arguments.readme)


if __name__ == "__main__":
    main()
