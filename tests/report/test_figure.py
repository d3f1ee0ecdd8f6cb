# SPDX-License-Identifier: MIT
"""The picture of a scan: what is drawn where, at the values of the table; its looks are for the eye."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from helpers.scans import stub_scan

import edgphys as ep
import lattices
from edgphys.errors import DatasetError, UnknownNameError
from edgphys.report import exact_curve
from edgphys.report.comparison import format_value, reference_method, troubles, z_scores


def panels(figure):
    """Axes by title, each with the one beneath it (or None)."""
    found = {}
    for panel in figure.subfigs:
        if panel.axes:
            found[panel.axes[0].get_title(loc="left")] = (*panel.axes, None)[:2]
    return found


def points(axes):
    """Positions of all markers with error bars, one array per method."""
    return [container.lines[0].get_xydata() for container in axes.containers]


def test_panels_hold_the_values_per_site():
    table = stub_scan()
    figure = ep.plot(table)
    upper, lower = panels(figure)["energy per site"]
    expected = table["energy"].values / 64
    np.testing.assert_allclose([xy[:, 1] for xy in points(upper)], expected[:2])
    np.testing.assert_allclose(upper.lines[0].get_xydata()[:, 1], expected[2])
    np.testing.assert_allclose([xy[:, 1] for xy in points(lower)], 1.0)
    assert set(panels(figure)) == {
        "free energy per site", "energy per site", "specific heat per site", "absolute magnetization",
    }  # fmt: skip


def test_error_bars_are_those_of_the_table():
    table = stub_scan()
    upper, _ = panels(ep.plot(table, ["specific_heat"]))["specific heat per site"]
    segments = upper.containers[0].lines[2][0].get_segments()
    half = [(segment[1, 1] - segment[0, 1]) / 2 for segment in segments]
    np.testing.assert_allclose(half, table["specific_heat_err"].sel({"method": "edg"}))


def test_without_exact_the_reference_is_the_markov_chain():
    table = stub_scan()
    assert reference_method(table, "energy") == "exact"
    assert reference_method(table, "abs_magnetization") == "wolff"
    assert reference_method(table, "ess") is None
    _, lower = panels(ep.plot(table, ["abs_magnetization"]))["absolute magnetization"]
    assert "Wolff" in lower.get_ylabel()
    np.testing.assert_allclose(points(lower)[0][:, 1], 0.0)


def test_z_combines_both_errors():
    table = stub_scan(methods=("edg", "wolff"), z=0.0)
    table["energy"][0] += 5.0 * table["energy_err"].values[0]
    np.testing.assert_allclose(z_scores(table, "energy", "edg", "wolff"), 5.0 / np.sqrt(2))


def test_what_the_data_do_not_determine_is_left_out():
    table = stub_scan()
    table["energy_err"][0, 1] = np.inf
    assert np.isnan(z_scores(table, "energy", "edg", "exact").values[1])
    for axes in panels(ep.plot(table, ["energy"]))["energy per site"]:
        assert [len(xy) for xy in points(axes)] == [3, 4]


def test_failed_cells_are_open_and_named():
    table = stub_scan()
    table["reliable"][0, 2] = 0
    upper, _ = panels(ep.plot(table, ["energy"]))["energy per site"]
    faces = [container.lines[0].get_markerfacecolor() for container in upper.containers]
    assert faces.count("white") == 1
    ((method, point, reason),) = troubles(table)
    assert (method, point) == ("edg", {"temperature": 2.4})
    assert reason == "weights not reliable (ESS 0.71, largest weight 0.003)"


def test_far_residuals_are_arrows_at_the_edge():
    _, lower = panels(ep.plot(stub_scan(z=40.0), ["energy"]))["energy per site"]
    low, high = lower.get_ylim()
    marks = np.concatenate([line.get_ydata() for line in lower.lines if line.get_marker() in (6, 7)])
    assert marks.size == 8 and np.all((marks > low) & (marks < high)) and high < 10


def test_one_point_and_one_method_can_be_drawn(tmp_path):
    ep.plot(stub_scan(methods=("edg",), temperature=[2.3]), path=tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 10_000


def test_second_coupling_gives_further_lines():
    table = stub_scan(temperature=[2.0, 2.5, 3.0], field=[0.0, 0.1])
    upper, _ = panels(ep.plot(table, ["energy"]))["energy per site"]
    assert len(points(upper)) == 4
    with pytest.raises(
        ValueError, match="at most 4 curves over temperature to be drawn, got 5; select values of field"
    ):
        ep.plot(stub_scan(temperature=np.arange(1.0, 8.0), field=np.arange(5.0)))


def test_phi4_shows_the_action():
    table = stub_scan(kappa=[0.2, 0.25])
    table.attrs["system"] = "phi4"
    assert "action per site" in panels(ep.plot(table))


def test_systems_without_a_lattice_show_totals():
    table = stub_scan()
    for name in ("lattice", "extent", "pbc", "n_sites", "z2_symmetric"):
        del table.attrs[name]
    table.attrs |= {
        "system": "many_well",
        "n_variables": 4,
        "parameters": '{"n_dims": 4, "temperature": 2.0}',
    }
    figure = ep.plot(table)
    assert figure.get_suptitle() == "many_well  ·  n_dims = 4, $T = 2$"
    assert set(panels(figure)) == {
        "free energy", "energy", "specific heat per variable", "absolute magnetization",
    }  # fmt: skip
    upper, _ = panels(figure)["energy"]
    assert upper.get_ylabel() == r"$\langle E\rangle$ [units of $T$]"
    np.testing.assert_allclose([xy[:, 1] for xy in points(upper)], table["energy"].values[:2])


def test_nothing_global_is_touched(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    ep.plot(stub_scan(), path=tmp_path / "scan.pdf")
    assert dict(matplotlib.rcParams) == before


# --------------------------------------------------------------------------------------------------- curves


def exact_scan(make=None, **couplings):
    lattice = lattices.build("square", (4, 4))
    make = make or functools.partial(ep.Ising, lattice)
    return ep.scan(make, methods=["exact"], seed=0, **couplings or {"temperature": [3.0, 2.0, 2.5]})


def exact_line(table, name="energy"):
    figure = ep.plot(table, [name])
    (line,) = figure.subfigs[0].axes[0].lines
    return line.get_xydata()


@pytest.fixture
def patient(monkeypatch):
    """However busy the machine is."""
    for name in ("_SECONDS", "_WANTED"):
        monkeypatch.setattr(exact_curve, name, 1e6)


def test_exact_results_are_a_smooth_line(patient):
    xy = exact_line(exact_scan())
    assert len(xy) > 200 and {2.0, 2.5, 3.0} <= set(xy[:, 0])
    for x, y in xy[::50]:
        system = ep.Ising(lattices.build("square", (4, 4)), temperature=x)
        np.testing.assert_allclose(16 * y, system.exact_results()["energy"])


def test_second_coupling_has_smooth_lines_too(patient):
    table = exact_scan(temperature=[2.0, 3.0], field=[0.0, 0.3])
    lines = ep.plot(table, ["energy"]).subfigs[0].axes[0].lines
    system = ep.Ising(lattices.build("square", (4, 4)), temperature=2.0, field=0.3)
    assert len(lines) == 2 and len(lines[1].get_xdata()) > 100
    np.testing.assert_allclose(16 * lines[1].get_ydata()[0], system.exact_results()["energy"])


def test_a_system_without_a_lattice_has_a_smooth_line(patient):
    assert len(exact_line(exact_scan(ep.Harmonic, temperature=[1.0, 2.0]))) == 200


def doubled(temperature):
    """Not the system that its attributes tell of."""
    system = ep.Ising(lattices.build("square", (4, 4)), temperature=temperature)
    vars(system)["exact_results"] = lambda: {"energy": -2.0}
    return system


@pytest.mark.parametrize(
    "table",
    [
        lambda: exact_scan(doubled),
        lambda: exact_scan(lambda t: ep.Ising(lattices.build("square", (4, 4)), temperature=t), t=[1, 2, 3]),
        lambda: exact_scan().assign_attrs(system="mine"),
        lambda: exact_scan().assign_attrs(lattice="penrose"),
        lambda: exact_scan().drop_vars("wall_time"),
        lambda: exact_scan().assign(wall_time=lambda table: table["wall_time"] + 1e5),
    ],
    ids=["another system", "another name", "no system", "no lattice", "no time", "too slow"],
)
def test_where_the_system_cannot_be_had_the_line_joins_the_points(patient, table):
    assert len(exact_line(table())) == 3


def test_a_method_of_one_model_is_a_curve_with_a_band():
    table = stub_scan(temperature=np.linspace(2.0, 2.6, 8))
    table["energy_err"][0, 1] = np.inf
    assert len(panels(ep.plot(table, ["energy"]))["energy per site"][0].lines) == 1 + 2 * 3
    table.attrs["settings"] = '{"edg": {"conditions": {"temperature": [2.0, 2.6]}}}'
    upper, lower = panels(ep.plot(table, ["energy"]))["energy per site"]
    values, errors = (table[name].values[0] / 64 for name in ("energy", "energy_err"))
    (curve,) = (line for line in upper.lines if line.get_color() == "#0072B2" and line.get_linestyle() == "-")
    np.testing.assert_allclose(np.delete(curve.get_ydata(), 1), np.delete(values, 1))
    assert np.isnan(curve.get_ydata()[1])
    (band,) = (one for one in upper.collections if one.get_alpha() == 0.2)
    heights = np.concatenate([path.vertices[:, 1] for path in band.get_paths()])
    np.testing.assert_allclose(heights.min(), (values - errors)[-1])
    for axes in (upper, lower):  # markers are on the curve
        np.testing.assert_allclose(points(axes)[0][:, 0], np.delete(table["temperature"].values, 1))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"variables": ["enthalpy"]}, UnknownNameError, "variables must be among log_z, .*got 'enthalpy'"),
        ({"path": "missing/a.png"}, DatasetError, "folder missing does not exist"),
        ({"path": "a.nope"}, ValueError, "path must end in one of .*png"),
        ({"path": "old.png"}, DatasetError, "old.png exists and is not overwritten; .*--overwrite"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, monkeypatch, arguments, error, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.png").write_bytes(b"old")
    with pytest.raises(error, match=message):
        ep.plot(stub_scan(), **arguments)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize(
    "part",
    [
        lambda table: table.isel(temperature=0),
        lambda table: table.sel({"method": "wolff"}),
        lambda table: table.isel(method=0, temperature=1),
        lambda table: ep.at(table, method="exact"),
    ],
)
def test_a_part_of_a_scan_is_drawn(part):
    table = stub_scan()
    figure = ep.plot(part(table), ["energy"])
    shown = panels(figure)["energy per site"][0]
    whole = part(table)["energy"].values.size
    drawn = [line for line in shown.lines if np.size(line.get_xdata())]
    assert drawn and whole


def test_a_part_that_lost_a_dimension_says_how_to_keep_it():
    lost = "^table must have the dimension temperature, which is missing; a selection keeps it for a list"
    with pytest.raises(DatasetError, match=lost):
        ep.plot(stub_scan().isel(temperature=0, drop=True))
    with pytest.raises(TypeError, match=r"^table must be an xarray\.Dataset, got DataArray$"):
        ep.plot(stub_scan()["energy"])


def test_samples_are_no_scan():
    with pytest.raises(DatasetError, match="attrs of kind samples must have"):
        ep.plot(stub_scan().assign_attrs(kind="samples"))


@pytest.mark.parametrize(
    ("value", "err", "text"),
    [
        (-1.43213, 0.00123, "-1.4321(12)"),
        (1.0, 0.0996, "1.00(10)"),
        (1.0, 0.99, "1.00(99)"),
        (1.0, 0.996, "1.0(1.0)"),
        (7.0, 9.96, "7(10)"),
        (0.0, 1e-12, "0.0000000000000(10)"),
        (5.0, 0.0, "5"),
        (5.0, np.nan, "5(?)"),
        (64.69314867937062, 8.6e-16, "64.693148679370623(14)"),
        (np.nan, np.nan, "-"),
        (np.inf, 1.0, "-"),
        (1.0, np.inf, "-"),
    ],
)
def test_values_are_written_with_two_digits_of_the_error(value, err, text):
    assert format_value(value, err) == text
