# SPDX-License-Identifier: MIT
"""The free field against an explicit covariance matrix, on periodic, open and many-sublattice lattices."""

from __future__ import annotations

import math

import numpy as np
import pytest

import lattices
from edgphys.exact import gaussian
from lattices.momenta import lattice_momenta


def covariance(lattice, hop, quadratic):
    matrix = np.zeros((lattice.n_sites, lattice.n_sites))
    for i, j in lattice.bonds:
        matrix[i, j] += 1
        matrix[j, i] += 1
    precision = 2 * (quadratic * np.eye(lattice.n_sites) - hop * matrix)
    return precision, np.linalg.inv(precision)


@pytest.mark.parametrize(
    ("name", "extent", "pbc"),
    [
        ("chain", (7,), True),
        ("square", (4, 5), True),
        ("square", (4, 3), (True, False)),
        ("cubic", (3, 4, 3), True),
        ("triangular", (4, 4), True),
        ("honeycomb", (3, 4), True),
        ("kagome", (3, 3), True),
    ],
)
@pytest.mark.parametrize(("hop", "quadratic"), [(0.2, 1.3), (-0.1, 1.0)])
def test_all_estimates(name, extent, pbc, hop, quadratic):
    lattice = lattices.build(name, extent, pbc=pbc)
    n = lattice.n_sites
    precision, inverse = covariance(lattice, hop, quadratic)
    found = gaussian.free_field(lattice, hop, quadratic)
    sign, log_det = np.linalg.slogdet(precision)
    assert sign == 1
    assert found["log_z"] == pytest.approx(0.5 * n * math.log(2 * math.pi) - 0.5 * log_det, rel=1e-12)
    assert found["free_energy"] == -found["log_z"]
    assert found["phi2"] == pytest.approx(np.trace(inverse) / n, rel=1e-12)
    assert found["susceptibility"] == pytest.approx(inverse.sum() / n, rel=1e-12)
    assert found["abs_magnetization"] == pytest.approx(math.sqrt(2 * inverse.sum() / math.pi) / n, rel=1e-12)
    assert (found["energy"], found["specific_heat"], found["binder_cumulant"]) == (n / 2, 0.5, 0.0)


@pytest.mark.parametrize(
    ("name", "extent"), [("square", (4, 6)), ("cubic", (3, 4, 5)), ("triangular", (5, 4))]
)
def test_correlation_length(name, extent):
    lattice = lattices.build(name, extent)
    _, inverse = covariance(lattice, 0.15, 1.5)
    lengths = []
    for axis, size in enumerate(lattice_momenta(lattice)):
        wave = np.exp(2j * np.pi * lattice.cells[:, axis] / extent[axis])
        power = (wave @ inverse @ wave.conj()).real
        lengths.append(math.sqrt(inverse.sum() / power - 1) / size)
    expected = np.mean(lengths)
    found = gaussian.free_field(lattice, 0.15, 1.5)["correlation_length"]
    assert found == pytest.approx(expected, rel=1e-11)


def test_momentum_space_and_dense_agree(monkeypatch):
    lattice = lattices.build("square", (5, 6))
    fast = gaussian.free_field(lattice, 0.2, 1.0)
    monkeypatch.setattr(gaussian, "_is_circulant", lambda lattice: False)
    assert gaussian.free_field(lattice, 0.2, 1.0) == pytest.approx(fast, rel=1e-12)


def test_double_bonds():
    lattice = lattices.build("square", (2, 3), allow_double_bonds=True)
    precision, _ = covariance(lattice, 0.1, 1.0)
    expected = 3 * math.log(2 * math.pi) - 0.5 * np.linalg.slogdet(precision)[1]
    assert gaussian.free_field(lattice, 0.1, 1.0)["log_z"] == pytest.approx(expected, rel=1e-12)


def test_a_large_lattice_is_cheap():
    """512^2 sites in momentum space: within the finite-size correction of the infinite-volume integral."""
    lattice = lattices.build("square", (64, 64))
    theta = 2 * np.pi * (np.arange(512) + 0.5) / 512
    modes = 2 * (1.2 - 0.4 * (np.cos(theta)[:, None] + np.cos(theta)))
    density = 0.5 * math.log(2 * math.pi) - 0.5 * np.log(modes).mean()
    assert gaussian.free_field(lattice, 0.2, 1.2)["log_z"] / 64**2 == pytest.approx(density, rel=1e-12)


def test_refusals():
    lattice = lattices.build("square", (4, 4))
    with pytest.raises(ValueError, match=r"quadratic must exceed 1 for a free field with hop = 0.25"):
        gaussian.free_field(lattice, 0.25, 1.0)
    with pytest.raises(ValueError, match="hop must be finite"):
        gaussian.free_field(lattice, math.inf, 1.0)


@pytest.mark.parametrize("extent", [(16, 4), (32, 4), (64, 8), (6, 4, 10), (8, 8)])
def test_correlation_length_is_one_over_the_mass_in_every_box(extent):
    name = "square" if len(extent) == 2 else "cubic"
    lattice = lattices.build(name, extent)
    exact = gaussian.free_field(lattice, 0.5, 0.5 * (2 * len(extent) + 1.0))  # G = 1 / (khat^2 + 1)
    assert exact["correlation_length"] == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "degree", "scale"), [("triangular", 6, 1.5), ("honeycomb", 3, 0.75), ("kagome", 4, 1.0)]
)
@pytest.mark.parametrize("extent", [(12, 12), (12, 18)])
def test_correlation_length_is_in_lattice_spacings(name, degree, scale, extent):
    """1/2 sum_<ij> (phi_i - phi_j)^2 is scale/2 |grad phi|^2 per site: a mass term scale/2 gives xi = 1."""
    exact = gaussian.free_field(lattices.build(name, extent), 0.5, 0.5 * (degree + scale))
    tolerance = (
        1e-12 if name == "triangular" else 2e-3
    )  # bands of cells of several sites bend at fourth order
    assert exact["correlation_length"] == pytest.approx(1.0, rel=tolerance)
