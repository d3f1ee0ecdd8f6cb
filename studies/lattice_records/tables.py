# SPDX-License-Identifier: MIT
"""Records, one json line each, and tables in the README between marks: what all scripts share."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "FOLDER",
    "add_line",
    "describe",
    "figures",
    "measure_and_put",
    "measured",
    "options_of",
    "put",
    "read_lines",
]

FOLDER = Path(__file__).parent
Record = dict[str, Any]


def read_lines(path: Path) -> list[Record]:
    """All records of a file; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def add_line(path: Path, record: Record) -> None:
    """Append one record."""
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


def measured(
    path: Path, names: Sequence[str], seeds: Sequence[int], run: Callable[[str, int], Record]
) -> None:
    """Add the records of all names and seeds that are not there yet."""
    for seed in seeds:
        for name in names:
            if not any(one["case"] == name and one["seed"] == seed for one in read_lines(path)):
                record = run(name, seed)
                add_line(path, record)
                print({key: value for key, value in record.items() if key != "hardware"}, flush=True)


def options_of(doc: str, seeds: Sequence[int] = (0, 1, 2)) -> argparse.ArgumentParser:
    """What every script that measures and prints a table takes."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--seed", nargs="+", type=int, default=list(seeds), help="of the training")
    parser.add_argument("--table", action="store_true", help="no runs, only the table")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md too")
    return parser


def measure_and_put(
    doc: str,
    cases: Sequence[str],
    results: Path,
    run: Callable[[str, int], Record],
    table: Callable[[list[Record]], str],
) -> None:
    """A whole script: options, the records that are missing, and their table in the README beside them."""
    parser = options_of(doc)
    parser.add_argument("--case", nargs="+", choices=list(cases), default=list(cases), help="default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.table:
        measured(results, arguments.case, arguments.seed, run)
    put(results.stem, table(read_lines(results)), arguments.readme, results.with_name("README.md"))


def figures(log_w: Tensor) -> dict[str, float]:
    """Kish's effective sample size as a share, log Z with its error, and the bound with its error.

    >>> figures(torch.zeros(4, dtype=torch.float64))["ess"]
    1.0
    """
    w = torch.exp(log_w - log_w.max())
    mean, n = w.mean(), len(w)
    return {
        "ess": float(w.sum() ** 2 / (w**2).sum()) / n,
        "log_z": float(log_w.max() + torch.log(mean)),
        "log_z_err": float(w.std() / mean) / math.sqrt(n),
        "elbo": float(log_w.mean()),
        "elbo_err": float(log_w.std()) / math.sqrt(n),
    }


def describe(values: Sequence[float], digits: int) -> str:
    """Mean with the spread, largest minus smallest; one or two values as they are.

    >>> describe([0.5, 0.6, 0.7], 2), describe([0.5, 0.6], 2), describe([], 2)
    ('0.60 (0.20)', '0.50, 0.60', '')
    """
    if len(values) < 3:
        return ", ".join(f"{value:.{digits}f}" for value in values)
    return f"{sum(values) / len(values):.{digits}f} ({max(values) - min(values):.{digits}f})"


def put(name: str, text: str, readme: bool, path: Path = FOLDER / "README.md") -> None:
    """Print `text`; with `readme` put it between ``<!-- name -->`` and ``<!-- /name -->`` of the file."""
    print(f"{name}\n\n{text}")
    if not readme:
        return
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before = path.read_text()
    if before.count(begin) != 1 or before.count(end) != 1:
        raise ValueError(f"{path} must have {begin} and {end} once each")
    block = f"{begin}\n\n{text.strip()}\n\n{end}"
    path.write_text(
        re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, before, flags=re.DOTALL)
    )
