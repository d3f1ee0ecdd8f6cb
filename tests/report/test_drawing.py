# SPDX-License-Identifier: MIT
"""Pictures of every kind of dataset: what stands on the axes, with units, and the values that are drawn."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import xarray as xr
from helpers.datasets import ATTRS, chains, exact, weighted
from helpers.scaling_tables import by_law, falling
from helpers.scans import stub_scan

import edgphys as ep
import lattices
from edgphys import dataset, estimators
from edgphys.cli.app import main
from edgphys.dataset.schema import KINDS
from edgphys.errors import ArgumentTypeError, ArgumentValueError, DatasetError, UnknownNameError
from edgphys.report.drawing.registry import DRAWERS

LONG = {"parameters": json.dumps({"temperature": 2.0, "coupling": 1.0, "field": 0.0})}
X = np.arange(3.0)
NORMAL = np.random.default_rng(0).standard_normal((2, 64))


def over(kind, dims, coords, **variables):
    data = {name: (dims, np.asarray(values, float)) for name, values in variables.items()}
    return xr.Dataset(data, coords, {**ATTRS, **LONG, "kind": kind})


def history(n=200, stages=(0, 1), bounds=1):
    stage = np.repeat(stages, n // len(stages)).astype(float)
    table = over(
        "history", ("step",), {}, bound=5.0 - 1.0 / (1 + np.arange(n)), learning_rate=np.ones(n), stage=stage
    )
    return table.assign_attrs(bounds_log_z=bounds)


@functools.cache
def ladder():
    well = ep.DoubleWell()
    return ep.mcmc.temper(well, {"temperature": [1.0, 1.3, 1.7]}, "hmc", 2, 300, 1)


MADE = {
    "samples": lambda: chains(2, 64).assign_attrs(LONG),
    "estimates": lambda: ep.estimate(weighted(400).assign_attrs(LONG)),
    "scan": stub_scan,
    "curve": lambda: dataset_of_curve(),
    "ladder": ladder,
    "correlation": lambda: over("correlation", ("distance",), {"distance": X}, connected=X, connected_err=X),
    "profile": lambda: ep.energy_histogram(chains(2, 64).assign_attrs(LONG), 4),
    "rungs": lambda: over("rungs", ("temperature",), {"temperature": X + 1}, log_z=X, log_z_err=X, overlap=X),
    "times": lambda: estimators.autocorrelation_times(chains(2, 64)),
    "distance": lambda: ep.wasserstein(np.arange(50.0), np.arange(50.0) + 1, 0),
    "bound": lambda: over("bound", ("chain", "draw"), {}, log_weight_reverse=NORMAL),
    "history": history,
    "crossings": lambda: ep.scaling.crossings(by_law(1, falling), "binder_cumulant", n_resamples=50),
    "collapse": lambda: ep.scaling.collapse(
        by_law(1, falling), "binder_cumulant", n_resamples=2, nu=1.0, exponent=0.0
    ),
}  # fmt: skip
LABELS = {
    "samples": ("draw", "energy $E$ [$J$]"),
    "estimates": ("energy $E$ [$J$]",),
    "scan": (r"temperature $T$ [$J/k_\mathrm{B}$]", r"$\langle E\rangle/N$ [$J$]"),
    "curve": (r"temperature $T$ [$J/k_\mathrm{B}$]",),
    "ladder": ("energy $E$ [units of $T$]", "with the next rung", r"temperature $T$ [$k_\mathrm{B}=1$]"),
    "correlation": ("distance $r$ [lattice spacing]", r"$\langle s_0 s_r\rangle - \langle s\rangle^2$"),
    "profile": ("energy $E$ [$J$]", "density [1/($J$)]"),
    "rungs": (r"temperature $T$ [$J/k_\mathrm{B}$]", r"$\ln Z$", "overlap with the next rung"),
    "times": (r"$\tau_\mathrm{int}$ [draws]",),
    "distance": ("distance $r$ [units of length]",),
    "bound": (r"$\ln w$ [nats]", "density [1/(nats)]"),
    "history": ("step", r"bound on $\ln Z$ [nats]", r"$\ln Z$ - bound [nats]", "learning rate"),
    "crossings": ("$1/L$ [1/lattice spacing]", "coupling of the crossing"),
    "collapse": (r"$(c - c_\mathrm{crit})\, L^{1/\nu}$",),
}


def dataset_of_curve():
    names = ("energy", "energy_err", "ess", "reliable")
    table = over("curve", ("temperature",), {"temperature": X + 1}, **dict.fromkeys(names, X + 1))
    return table.assign_attrs(couplings='["temperature"]', parameters='{"coupling": 1.0, "field": 0.0}')


def axes_of(figure):
    inner = [axes for part in figure.subfigs for axes in part.axes]
    return [*figure.axes, *(axes for axes in inner if axes not in figure.axes)]


def labels(figure):
    return {text for axes in axes_of(figure) for text in (axes.get_xlabel(), axes.get_ylabel())}


def faces(axes):
    """Whether the points of each group are filled, and how many there are."""
    drawn = [one.lines[0] for one in axes.containers]
    return [(str(line.get_markerfacecolor()) != "white", len(line.get_xdata())) for line in drawn]


def test_every_kind_of_the_schema_is_drawn():
    assert set(DRAWERS) == set(KINDS) == set(MADE)


@pytest.mark.parametrize("kind", KINDS)
def test_axes_say_what_they_are_and_the_paper_is_a_column_wide(kind):
    made = MADE[kind]()
    figure = ep.plot(made, style="paper")
    assert made.attrs["kind"] == kind and set(LABELS[kind]) <= labels(figure)
    assert figure.get_figwidth() == 3.4


def test_vectors_keep_their_text(tmp_path):
    made = chains(2, 64)
    for style, name in (("paper", "a.svg"), ("screen", "b.svg"), ("paper", "a.pdf")):
        ep.plot(made, path=tmp_path / name, style=style)
    paper, screen = ((tmp_path / name).read_text() for name in ("a.svg", "b.svg"))
    assert "STIX" in paper and "<text" in paper and "STIX" not in screen
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_points_and_errors_are_those_of_the_dataset():
    profile = MADE["profile"]().assign_attrs(warning="")
    profile["n_visits"][:] = [3.0, 20.0, 20.0, 20.0]
    (axes,) = ep.plot(profile, ["density"]).axes
    assert faces(axes) == [(True, 3), (False, 1)]
    np.testing.assert_array_equal(axes.containers[0].lines[0].get_ydata(), profile["density"][1:])
    bars = axes.containers[0].lines[2][0].get_segments()
    half = [(bar[1, 1] - bar[0, 1]) / 2 for bar in bars]
    np.testing.assert_allclose(half, profile["density_err"][1:])
    (axes,) = ep.plot(profile.assign_attrs(warning="too short"), ["density"]).axes
    assert faces(axes) == [(False, 4)]


def test_a_profile_of_two_coordinates_is_a_map():
    values = np.array([[0.0, 1.0, np.nan], [2.0, 3.0, 4.0]])
    coords = {"coordinate": [0.5, 1.5], "other": [0.0, 1.0, 2.0]}
    table = over("profile", ("coordinate", "other"), coords, free_energy=values, free_energy_err=values)
    dataset.validate(table)
    axes, bar = ep.plot(table).axes
    drawn = axes.collections[0].get_array()
    np.testing.assert_array_equal(drawn.filled(-1.0), np.nan_to_num(values.T, nan=-1.0))
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == (
        "coordinate",
        "other",
        "free energy $F$ [$J$]",
    )
    assert axes.get_xlim() == (0.0, 2.0)


def test_a_ladder_shows_swap_rates_and_overlaps_between_its_rungs():
    made = ladder()
    upper, lower = ep.plot(made).axes
    rates, overlaps = (one.lines[0].get_xydata() for one in lower.containers)
    np.testing.assert_allclose(rates[:, 0], [1.15, 1.5])
    np.testing.assert_allclose(rates[:, 1], made["swap_rate"].mean("chain"))
    np.testing.assert_allclose(overlaps[:, 1], estimators.mbar(made)["overlap"][:-1])
    assert sum(n for _, n in faces(upper)) == 3


def test_a_training_shows_the_exact_log_z_and_the_gap_of_its_last_stage():
    made = history()
    known = ep.Ising(lattices.build("chain", (4,)), temperature=2.0).exact_results()["log_z"]
    bound, gap, rate = ep.plot(made).axes
    exact_line = next(line for line in bound.lines if "exact" in str(line.get_label()))
    np.testing.assert_allclose(exact_line.get_ydata(), known)
    drawn = gap.lines[0].get_ydata()
    assert np.isnan(drawn[:100]).all()
    np.testing.assert_allclose(drawn[100:], known - made["bound"].values[100:])
    assert bound.get_title(loc="left") == "200 steps, 2 stages"
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), 1.0)
    assert len(ep.plot(history(bounds=0)).axes) == 2  # a likelihood bounds no log Z


def test_estimates_stand_beside_exact_results():
    made = ep.estimate(weighted(400).assign_attrs(LONG, warning="few"))
    (axes,) = ep.plot(made, ["log_z"]).axes
    known = ep.Ising(lattices.build("chain", (4,)), temperature=2.0).exact_results()["log_z"]
    lines = [line for line in axes.lines if list(np.unique(line.get_xdata())) == [known]]
    assert len(lines) == 1 and faces(axes) == [(False, 1)]


def test_a_scan_of_no_coupling_has_its_methods_below_each_other():
    merged = ep.merge([ep.estimate(weighted(400).assign_attrs(LONG)), exact().assign_attrs(LONG)])
    (axes,) = ep.plot(merged, ["log_z"]).axes
    assert [one.get_text() for one in axes.get_yticklabels()] == ["EDG", "exact"]


def test_a_pair_of_methods_shows_every_difference_over_its_error():
    table = stub_scan(z=1.5)
    (axes,) = ep.plot(table, methods=["edg", "exact"]).axes
    np.testing.assert_allclose(np.concatenate([one.lines[0].get_xdata() for one in axes.containers]), 1.5)
    assert axes.get_xlabel() == "(EDG - exact) / error of both" and "0 % beyond" in axes.get_title(loc="left")
    (wrong,) = ep.plot(stub_scan(z=4.0), methods=["edg", "exact"]).axes
    assert "100 % beyond" in wrong.get_title(loc="left")


@pytest.mark.parametrize(
    ("made", "options", "error", "message"),
    [
        (stub_scan, {"methods": ["edg"]}, ArgumentValueError, "methods must be two of edg, wolff, exact"),
        (stub_scan, {"methods": ["edg", "no"]}, UnknownNameError, "methods must be among .*got 'no'"),
        (chains, {"methods": ["a", "b"]}, ArgumentValueError, "methods must be left out"),
        (chains, {"style": "poster"}, UnknownNameError, "style must be one of screen, paper, got 'poster'"),
        (chains, {"variables": "energy"}, ArgumentTypeError, "variables must be a sequence of names"),
        (chains, {"variables": ["no"]}, UnknownNameError, "variables must be among energy, got 'no'"),
        (lambda: chains().assign_attrs(kind="poem"), {}, DatasetError, "that edgphys writes .*got 'poem'"),
        (lambda: history(0, (0,)), {}, DatasetError, "history must have a step to be drawn"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_in_a_line(made, options, error, message):
    with pytest.raises(error, match=message) as raised:
        ep.plot(made(), **options)
    assert "\n" not in str(raised.value)


def test_commands_draw_and_show_the_training_of_a_generator(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    edg = ep.EDG(ep.Potential(lambda x: (x**2).sum(1), 2)).fit(seed=0, n_steps=3, progress=False)
    edg.save("model.pt")
    assert main(["plot", "model.pt", "-o", "a.png"]) == 0 and main(["show", "model.pt"]) == 0
    assert "1 to 1" in capsys.readouterr().out
    dataset.write(edg.history, "history.nc")
    again = dataset.read("history.nc")
    np.testing.assert_array_equal(again["bound"], edg.history["bound"])
    assert list(again["stage"]) == [0.0] * 3 and (again["learning_rate"] > 0).all()
