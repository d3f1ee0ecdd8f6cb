# SPDX-License-Identifier: MIT
"""Lattice momenta: the sines of a hypercubic lattice, the bands of the others, and small momenta."""

from __future__ import annotations

import numpy as np
import pytest

import lattices
from lattices import momenta
from lattices.momenta import lattice_momenta, lowest_momenta


@pytest.mark.parametrize(("name", "extent"), [("chain", (7,)), ("square", (8, 3)), ("cubic", (4, 4, 6))])
def test_hypercubic_lattices_have_sines(name, extent):
    lattice = lattices.build(name, extent)
    sines = 2.0 * np.sin(np.pi / np.array(extent, float))
    np.testing.assert_array_equal(lattice_momenta(lattice), sines)
    bonds = momenta._cell_bonds(lattice)
    bands = [momenta._size(*bonds, 1, k) for k in lowest_momenta(lattice)]
    np.testing.assert_allclose(bands, sines, rtol=1e-14)


def test_triangular_lattice_has_the_sum_over_its_three_directions():
    for length in (3, 6, 9):
        lattice = lattices.build("triangular", (length, length))
        # k along an axis makes the phases 2 pi / L, -2 pi / L and 0 with the three directions
        expected = np.sqrt(2.0 / 3.0 * 2.0 * (2.0 - 2.0 * np.cos(2.0 * np.pi / length)))
        np.testing.assert_allclose(lattice_momenta(lattice), expected, rtol=1e-13)


def test_honeycomb_lattice_has_the_lower_band():
    length = 5
    lattice = lattices.build("honeycomb", (length, length))
    phase = 2.0 * np.pi / length
    band = 3.0 - abs(2.0 + np.exp(1j * phase))
    np.testing.assert_allclose(lattice_momenta(lattice), np.sqrt(4.0 * band / 3.0), rtol=1e-13)


@pytest.mark.parametrize("name", ["triangular", "honeycomb", "kagome"])
def test_small_momenta_are_cartesian(name):
    """To fourth order: twice the extent leaves a quarter of the relative difference."""
    ratios = []
    for length in (24, 48):
        lattice = lattices.build(name, (length, length))
        size = np.linalg.norm(lowest_momenta(lattice), axis=1)
        ratios.append((lattice_momenta(lattice) / size)[0] - 1.0)
    assert abs(ratios[0]) < 1e-2 and ratios[0] / ratios[1] == pytest.approx(4.0, rel=1e-2)


def test_spacing_is_the_unit(tmp_path):
    cell = (
        'name = "wide"\nbasis_vectors = [[2.0, 0.0], [0.0, 2.0]]\nsite_offsets = [[0.0, 0.0]]\n'
        "bonds = [{ sites = [0, 0], cell = [1, 0] }, { sites = [0, 0], cell = [0, 1] }]"
    )
    (tmp_path / "wide.toml").write_text(cell)
    wide = lattices.build(tmp_path / "wide.toml", (6, 6))
    square = lattices.build("square", (6, 6))
    np.testing.assert_allclose(lattice_momenta(wide), lattice_momenta(square), rtol=1e-13)


def test_an_axis_without_bonds_has_none(tmp_path):
    cell = (
        'name = "rows"\nbasis_vectors = [[1.0, 0.0], [0.0, 1.0]]\nsite_offsets = [[0.0, 0.0]]\n'
        "bonds = [{ sites = [0, 0], cell = [1, 0] }]"
    )
    (tmp_path / "rows.toml").write_text(cell)
    along, across = lattice_momenta(lattices.build(tmp_path / "rows.toml", (4, 4)))
    assert along == pytest.approx(np.sqrt(2.0)) and np.isnan(across)
