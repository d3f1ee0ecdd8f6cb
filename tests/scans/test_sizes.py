# SPDX-License-Identifier: MIT
"""Sizes of a lattice as a coordinate of a scan: labels, geometry, one model for each, what reads them.

The sampler is a stub (helpers/scans.py); exact values are those of each size's own system.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from helpers.scans import install_stub_edg

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.errors import DatasetError

TEMPERATURES = [2.0, 2.5, 3.0]


@pytest.fixture
def stub(monkeypatch):
    return install_stub_edg(monkeypatch, conditional=True)


def make(extent, temperature):
    cells = (extent, extent) if isinstance(extent, int) else extent
    return ep.Ising(lattices.build("square", cells), temperature=temperature)


def run(extent=(3, 4), temperature=tuple(TEMPERATURES), methods=("edg", "exact"), make=make, **options):
    couplings = {"extent": extent, "temperature": temperature}
    return ep.scan(make, methods=methods, seed=0, n_samples=200, **{"workers": 1} | options | couplings)


def assert_same(one: xr.Dataset, other: xr.Dataset, but=("wall_time",)) -> None:
    assert set(one.data_vars) == set(other.data_vars)
    for name in set(one.data_vars) - set(but):
        xr.testing.assert_equal(one[name].drop_attrs(), other[name].drop_attrs())


def test_every_size_has_its_own_exact_results_and_geometry(stub, tmp_path):
    table = run(out=tmp_path / "scan.nc")
    assert table["energy"].dims == ("method", "extent", "temperature")
    assert table["extent"].values.tolist() == [3, 4] and table["extent"].dtype.kind == "i"
    for extent in (3, 4):
        for temperature in TEMPERATURES:
            known = make(extent, temperature).exact_results()
            cell = ep.at(table, method="exact", extent=extent, temperature=temperature)
            assert all(float(cell[name]) == value for name, value in known.items())
    sizes = json.loads(table.attrs["extents"])
    assert sizes["4"]["extent"] == [4, 4] and sizes["3"]["n_sites"] == 9
    assert not {"extent", "n_sites", "linear_size", "lattice_momenta"} & set(table.attrs)
    xr.testing.assert_identical(dataset.read(tmp_path / "scan.nc"), table)


def test_one_model_is_trained_for_each_size(stub, capsys):
    table = run(progress=True)
    words = "edg: one model for temperature 2 to 3 (3 points) for each of 2 sizes"
    assert capsys.readouterr().err.splitlines()[0] == words
    assert [trained_at for trained_at, _ in stub.trained] == [2.5, 2.5]
    (_, small), (_, large) = stub.trained
    assert small != large and [call[1] for call in stub.log] == [small] * 3 + [large] * 3
    assert len({call[2] for call in stub.log}) == 6
    assert json.loads(table.attrs["settings"])["edg"]["conditions"] == {"temperature": [2.0, 3.0]}


def test_sizes_depend_on_nothing_but_themselves(stub):
    both = run(methods=["edg"])
    assert_same(run(methods=["edg"], workers=4), both)
    for extent in (3, 4):
        assert_same(run(methods=["edg"], extent=[extent]), both.sel(extent=[extent]))


def test_a_killed_scan_over_sizes_goes_on_and_may_get_more(stub, tmp_path):
    path, options = tmp_path / "scan.nc", {"methods": ["edg"], "temperature": [2.0, 3.0]}
    stub.fail_at = 3
    with pytest.raises(KeyboardInterrupt):
        run(out=path, **options)
    stub.fail_at = None
    assert main(["show", str(path)]) == 0
    stub.trained.clear()
    assert_same(run(out=path, **options), run(**options))
    assert stub.trained[0][0] == 2.5 and len(stub.trained) == 2, "both models were there, these are of run()"
    assert_same(run(extent=[3, 4, 5], out=path, **options), run(extent=[3, 4, 5], **options))


def test_ranges_may_differ_between_sizes(stub):
    table = run(make=lambda extent, temperature: make(extent, 2.0 + temperature / extent))
    by_size = json.loads(table.attrs["settings"])["edg"]["conditions"]
    assert by_size["4"] == {"temperature": [2.5, 2.75]} and set(by_size) == {"3", "4"}


@pytest.mark.parametrize("extent", [["3x4", "3x6"], [(3, 4), (3, 6)]])
def test_shapes_are_labels_of_text(stub, tmp_path, extent):
    options = {"methods": ["exact"], "temperature": [2.0, 2.5]}
    table = run(extent=extent, out=tmp_path / "scan.nc", **options)
    assert table["extent"].values.tolist() == ["3x4", "3x6"]
    known = make((3, 6), 2.5).exact_results()["log_z"]
    assert float(ep.at(table, method="exact", extent="3x6", temperature=2.5)["log_z"]) == known
    assert main(["show", str(tmp_path / "scan.nc")]) == 0
    ep.plot(table, path=tmp_path / "a.png", variables=["energy"])
    ep.plot(table.isel(temperature=[0]), path=tmp_path / "b.png", variables=["energy"])


def test_integers_stay_integers(stub):
    def harmonic(stiffness):
        assert isinstance(stiffness, int)
        return ep.Harmonic(2, stiffness=stiffness)

    table = ep.scan(harmonic, methods=["exact"], seed=0, stiffness=np.array([1, 2]))
    assert table["stiffness"].dtype.kind == "i"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extent": [3, 3]}, "extent must not name a value twice"),
        ({"extent": ["3x4", (3, 4)]}, "extent must not name a value twice"),
        ({"extent": []}, "extent must be integers, or all text"),
        ({"extent": [3.5]}, "extent must be integers, or all text such as 16x8 or tuples .*, got 3.5"),
        ({"extent": [3, "3x4"]}, "extent must be integers, or all text"),
        ({"extent": [0]}, "extent must be at least 1, got 0"),
        ({"make": lambda extent, temperature: make(3, temperature)}, "a lattice of its own for each extent"),
        ({"make": lambda extent, temperature: make(3 if temperature < 2.2 else 4, temperature)},
         "one lattice for extent 3"),
    ],
)  # fmt: skip
def test_wrong_sizes_are_refused(stub, tmp_path, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        run(out=tmp_path / "scan.nc", **options)
    assert not stub.trained and not list(tmp_path.iterdir())


def test_another_lattice_under_the_same_label_is_another_scan(stub, tmp_path):
    run(out=tmp_path / "scan.nc", methods=["exact"])
    strips = lambda extent, temperature: make((extent, 2 * extent), temperature)  # noqa: E731
    with pytest.raises(DatasetError, match=r"holds another scan \(extents is"):
        run(out=tmp_path / "scan.nc", make=strips, extent=[3, 4, 5], methods=["exact"])


def test_pictures_have_a_curve_per_size_and_exact_lines_of_each(stub):
    table = run(methods=["exact"])
    figure = ep.plot(table, ["free_energy"])
    axes = figure.subfigs[0].axes[0] if figure.subfigs else figure.axes[0]
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) > 20]
    assert len(lines) == 2
    for line, extent in zip(lines, (3, 4), strict=True):
        known = make(extent, 2.0).exact_results()["free_energy"] / extent**2
        np.testing.assert_allclose(line.get_ydata()[0], known, rtol=1e-12)


def test_the_command_line_scans_sizes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = "scan ising --temperature 2.2:2.3:2 --method exact --quiet".split()
    assert main([*words, "--extent", "3,4", "--out", "a.nc"]) == 0
    table = dataset.read("a.nc")
    assert table["energy"].dims == ("method", "extent", "temperature")
    for out, extent in (("b.nc", "3"), ("c.nc", "4")):
        assert main([*words, "--extent", extent, "--out", out]) == 0
        alone = dataset.read(out)["log_z"].values
        np.testing.assert_array_equal(table["log_z"].sel(extent=int(extent)).values, alone)
    assert main(["merge", "b.nc", "c.nc", "--out", "d.nc"]) == 0
    merged = dataset.read("d.nc")
    assert_same(merged, table)
    assert merged.attrs["extents"] == table.attrs["extents"]
    assert main([*words, "--extent", "3,3x3", "--out", "e.nc"]) == 2
    assert "--extent must not name a size twice" in capsys.readouterr().err
    assert main([*"sample ising --temperature 2 --extent 3,4 --out e.nc".split()]) == 2
    assert "--extent must be one size here, got '3,4'; a scan takes several" in capsys.readouterr().err
