# SPDX-License-Identifier: MIT
"""What is exactly known but cannot be had is a blank with a note, in every place that shows exact values."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

import edgphys as ep
import lattices
from edgphys.cli import slow_exact
from edgphys.estimators.estimate import estimates_from_exact
from edgphys.report.text import print_dataset
from edgphys.systems.known import known_exactly

RING = lattices.build("chain", (6,))


def shown(table):
    out = io.StringIO()
    print_dataset(table, console=Console(file=out, width=200))
    return out.getvalue()


@pytest.mark.parametrize(
    ("system", "words"),
    [
        (ep.Phi4(RING, kappa=1e300, lam=1.0), "its numbers leave float64"),
        (ep.Phi4(RING, kappa=0.1, lam=1e300), "its numbers leave float64"),
        (ep.Ising(RING, temperature=1e-300), r"Ising\(chain 6, temperature=1e-300, .*float division by zero"),
    ],
)
def test_a_value_that_cannot_be_had_is_blank(system, words):
    with np.errstate(all="ignore"), pytest.raises((ArithmeticError, ValueError, IndexError)):
        system.exact_results()
    values, note = known_exactly(system)
    assert values == {}
    assert re.search(words, note)


def test_a_scan_goes_on_without_it():
    table = ep.scan(lambda kappa: ep.Phi4(RING, kappa, 1.0), kappa=[0.1, 1e300], methods=["exact"], seed=0)
    first, second = table["log_z"].values.ravel()
    assert first == pytest.approx(ep.Phi4(RING, 0.1, 1.0).exact_results()["log_z"])
    assert second != second
    assert "No results of exact at kappa=1e+300: Phi4(chain 6, kappa=1e+300, lam=1)" in shown(table)


def test_estimates_are_shown_without_it(monkeypatch, capsys):
    """Beside an estimate of a system whose exact values leave float64; and kept, where they took long."""
    system = ep.Phi4(RING, kappa=1e300, lam=1.0)
    table = estimates_from_exact({"energy": 1.0}, system.attrs() | {"seed": 0})
    table.attrs["kind"] = "estimates"
    assert "No exact results of Phi4(chain 6, kappa=1e+300, lam=1)" in shown(table)
    slow_exact.keep_slow_exact(table)
    assert "exact" not in table.attrs
    monkeypatch.setattr(slow_exact, "_PATIENCE", 0.0)
    slow_exact.keep_slow_exact(table)
    assert json.loads(table.attrs["exact"])[0] == {}
    assert "No exact results of Phi4(chain 6, kappa=1e+300, lam=1)" in shown(table)
