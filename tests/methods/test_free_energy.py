# SPDX-License-Identifier: MIT
"""Absolute free energies from ladders of chains against enumeration, Kaufman and transfer matrices."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.integrate
from helpers.own_systems import opened
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.errors import NotExactError, UnknownNameError
from edgphys.systems import Harmonic, Ising, Phi4
from edgphys.systems.base import AbstractSystem


def ising(extent, temperature, coupling=1.0, field=0.0, name="square"):
    return Ising(lattices.build(name, extent), temperature, coupling, field)


def phi4(extent, kappa, lam, name="square"):
    return Phi4(lattices.build(name, extent), kappa, lam)


CASES = {
    "field": (lambda: ising((4, 4), 2.3, field=0.2), None, 0.05),
    "frustrated": (lambda: ising((3, 3), 1.5, coupling=-1.0, name="triangular"), None, 0.05),
    "antiferromagnet": (lambda: ising((4, 4), 2.3, coupling=-1.0), None, 0.05),
    "kaufman": (lambda: ising((8, 8), 2.3), None, 0.08),
    "chain": (lambda: phi4((16,), 0.25, 0.022, "chain"), None, 0.03),
    "free_field": (lambda: phi4((4, 4), 0.2, 0.0), None, 0.05),
}
# Not exact: transfer matrix of 8x8 truncated, with its stated error.
SLOW_CASES = {
    "phi4_symmetric": (lambda: phi4((8, 8), 0.25, 0.022), (42.9033, 0.0011), 0.06),
    "phi4_critical": (lambda: phi4((8, 8), 0.27, 0.022), (46.007, 0.002), 0.08),
    "kaufman_16": (lambda: ising((16, 16), 2.2), None, 0.1),
}


def found(case, method, seed, **settings):
    """System, table, and its log Z with the error and the exact value."""
    make, known, _ = case
    system = make()
    table = ep.free_energy(system, method, seed=seed, **settings)
    exact, exact_err = known or (system.exact_results()["log_z"], 0.0)
    return system, table, (float(table["log_z"]), math.hypot(float(table["log_z_err"]), exact_err), exact)


def check(case, method, seed, **settings):
    system, table, log_z = found(case, method, seed, **settings)
    dataset.validate(table)
    assert_z(*log_z, n_tests=20, max_err=case[2])
    assert float(table["free_energy"]) == -system.temperature * float(table["log_z"])
    if "energy" in system.exact:
        energy, error = float(table["energy"]), float(table["energy_err"])
        assert_z(energy, error, system.exact_results()["energy"], n_tests=20, max_err=1.0)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("antiferromagnet", "kaufman")]


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["field", "frustrated", "chain", "free_field", *SLOW])
def test_log_z_by_integration(name):
    check(CASES[name], "ti", 21, n_sweeps=2000)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["chain"])
def test_log_z_by_mbar(name):
    check(CASES[name], "mbar", 22, n_sweeps=1000)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("method", ["mbar", "ti"])
@pytest.mark.parametrize("name", [*CASES, *SLOW_CASES])
def test_log_z_of_larger_systems(name, method):
    check((CASES | SLOW_CASES)[name], method, 23, n_chains=8)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("temperature", [0.5, 0.3, 0.1])
def test_integration_is_right_where_the_system_freezes(temperature):
    case = (lambda: ising((8, 8), temperature), None, 0.1)
    _, table, log_z = found(case, "ti", 1, n_sweeps=1000)
    assert_z(*log_z, n_tests=3, max_err=0.1)
    assert float(table["log_z_quadrature"]) < 0.02 and float(table["n_rungs"]) < 32


@pytest.mark.parametrize("method", ["mbar", "ti"])
def test_rungs_too_few_are_not_converged(method):
    case = (lambda: ising((8, 8), 1.0), None, 0.1)
    _, table, (value, err, exact) = found(case, method, 1, n_rungs=2, n_sweeps=200)
    assert float(table["converged"]) == 0.0 and "swaps of rungs 0 and 1" in table.attrs["warning"]
    assert abs(value - exact) < 2 * err and err > 5.0


@pytest.mark.statistical
def test_a_wrong_reference_is_seen(monkeypatch):
    right = Ising.reference

    def wrong(system):
        path = right(system)
        return type(path)(path.coupling, path.first, path.last, system.n_sites * math.log(2.0))

    monkeypatch.setattr(Ising, "reference", wrong)  # forgets the field of the free spins
    strong = (lambda: ising((4, 4), 2.3, field=0.8), None, 0.05)
    assert_off(*found(strong, "ti", 21, n_sweeps=1000)[2], least=25.0, max_err=0.05)


def test_references_are_the_exact_free_systems():
    for system in (ising((4, 4), 1.7, field=0.3), ising((4, 4), 0.9), ising((4, 4), 0.9, field=-2.0)):
        path = system.reference()
        assert path.last == system.parameters[path.coupling] and path.first == 0.0
        free = system.replace(**{path.coupling: 0.0})
        assert abs(path.log_z - free.exact_results()["log_z"]) < 1e-9
    for lam in (0.3, 1.2, 40.0):  # one well, two wells, two deep ones
        site, _ = scipy.integrate.quad(
            lambda x, lam=lam: math.exp(-(x**2) * (1 - 2 * lam + lam * x**2) - lam), -9, 9, limit=500
        )
        path = phi4((5,), 0.2, lam, "chain").reference()
        assert abs(path.log_z - 5 * (math.log(site) + lam)) < 1e-7
    flow = Phi4.from_mass(lattices.build("square", (4, 4)), m2=1.0, lam=0.0, convention="flow")
    assert flow.reference().coupling == "hop"
    assert abs(flow.reference().log_z - 8 * math.log(math.pi / 5.0)) < 1e-9


def test_the_reference_itself_needs_no_ladder():
    table = ep.free_energy(ising((4, 4), 2.0, coupling=0.0, field=0.1), seed=1, n_sweeps=200)
    assert float(table["log_z_err"]) == 0.0
    np.testing.assert_allclose(float(table["log_z"]), 16 * math.log(2 * math.cosh(0.05)), rtol=1e-12)


def test_result_says_how_it_was_made_and_repeats_itself():
    system = CASES["field"][0]()
    tables = [ep.free_energy(system, "ti", seed=4, n_sweeps=300, n_threads=n) for n in (1, 2)]
    attrs = tables[0].attrs
    assert attrs["method"] == "ti" and attrs["seed"] == 4 and attrs["kind"] == "estimates"
    assert json.loads(attrs["settings"])["chains"] == "swendsen_wang"
    assert json.loads(attrs["parameters"]) == system.parameters
    assert float(tables[0]["n_rungs"]) >= 3 and 0.4 < float(tables[0]["swap_rate"]) < 0.9
    # Three pilots of 240 sweeps and the ladder of 360, for at least 3 rungs of 4 chains.
    assert attrs["n_energy_calls"] > 4 * 3 * (3 * 72 + 360)
    assert tables[0].equals(tables[1])


def test_scan_has_ladder_methods_beside_the_others():
    lattice = lattices.build("square", (4, 4))
    table = ep.scan(
        lambda t: Ising(lattice, temperature=t),
        temperature=[2.0, 3.0],
        methods=["ti", "exact"],
        seed=3,
        mcmc={"n_sweeps": 400},
    )
    estimate, exact = (table.sel({"method": name}) for name in ("ti", "exact"))
    for k in range(2):
        log_z, err = float(estimate["log_z"][k]), float(estimate["log_z_err"][k])
        assert_z(log_z, err, float(exact["log_z"][k]), max_err=0.2)
    assert json.loads(table.attrs["algorithms"])["ti temperature=2"] == "wolff"


def test_bad_arguments_are_refused():
    with pytest.raises(UnknownNameError, match="method must be one of mbar, ti, edg, bridge, got 'fep'"):
        ep.free_energy(CASES["field"][0](), "fep", seed=1)
    with pytest.raises(TypeError, match="mcmc: unknown option 'method'"):
        ep.scan(CASES["field"][0], methods=["ti"], seed=1, mcmc={"method": "mbar"}, x=[1.0])


@pytest.mark.parametrize("system", ["mb", Harmonic])
def test_what_is_no_system_is_refused(system):
    with pytest.raises(
        TypeError, match=f"system must be a system of edgphys.systems, got {type(system).__name__}"
    ):
        ep.free_energy(system, seed=0)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("mbar", {"n_samples": 20}, "n_samples must be left out for method='mbar', got 20"),
        ("ti", {"n_samples": 10_000}, "n_samples must be left out for method='ti', got 10000"),
        ("edg", {"n_sweeps": 5000}, "n_sweeps must be left out for method='edg', got 5000"),
        ("edg", {"n_chains": 0}, "n_chains must be left out for method='edg', got 0"),
        ("edg", {"thin": 2}, "thin must be left out for method='edg', got 2"),
        ("edg", {"swap": False}, "swap must be left out for method='edg', got False"),
        ("edg", {"swap_rate": 0.5}, "swap_rate must be left out for method='edg', got 0.5"),
        ("edg", {"n_rungs": 4}, "n_rungs must be left out for method='edg', got 4"),
    ],
)
def test_settings_of_another_method_are_refused(method, options, message):
    with pytest.raises(ValueError, match=message):
        ep.free_energy(Harmonic(), method, seed=0, **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_samples": 1}, ValueError, "n_samples must be an integer >= 2, got 1"),
        ({"n_samples": 9.5}, TypeError, "n_samples must be an integer >= 2, got 9.5"),
        ({"weights": "foo"}, UnknownNameError, "weights must be one of path, ode, got 'foo'"),
        ({"weights": "ode", "divergence": "x"}, UnknownNameError, "divergence must be one of exact, hutch"),
        ({"weights": "ode", "divergence": "hutchinson"}, NotExactError, "divergence must be 'exact' for"),
        (
            {"weights": "ode", "encoder": "gaussian"},
            ValueError,
            "weights must be 'path' for encoder='gaussian'",
        ),
        ({"n_anneal": -2}, ValueError, "n_anneal must be an integer >= 0, got -2"),
        ({"n_anneal": "two"}, TypeError, "n_anneal must be an integer >= 0, got 'two'"),
        ({"n_probes": None}, TypeError, "n_probes must be an integer >= 1, got None"),
        ({"n_ode_steps": 0}, ValueError, "n_ode_steps must be an integer >= 1, got 0"),
        ({"n_threads": 2}, TypeError, "unknown option 'n_threads'; there are (?!.*n_threads)"),
    ],
)
def test_settings_of_the_draws_are_checked_before_the_training(monkeypatch, options, error, message):
    monkeypatch.setattr(ep.EDG, "fit", lambda *arguments, **settings: pytest.fail("training began"))
    n_samples = {"n_samples": options["n_samples"]} if "n_samples" in options else {"options": options}
    with pytest.raises(error, match=message):
        ep.free_energy(Harmonic(), "edg", seed=0, **n_samples)


def test_a_lattice_cannot_be_annealed(monkeypatch):
    monkeypatch.setattr(ep.EDG, "fit", lambda *arguments, **settings: pytest.fail("training began"))
    with pytest.raises(ValueError, match="n_anneal must be 0 for the system ising, got 5"):
        ep.free_energy(CASES["field"][0](), "edg", seed=0, options={"n_anneal": 5})


def test_settings_without_effect_may_be_given():
    options = {"n_steps": 1, "n_components": 1, "n_anneal": None, "divergence": "hutchinson"}
    table = ep.free_energy(Harmonic(), "edg", seed=0, n_samples=50, options=options)
    assert np.isfinite(table["log_z"])


def test_systems_without_a_reference_or_chains_say_so():
    with opened(Harmonic):

        class NoReference(Harmonic):
            name = "other"

            def why_no_ladder(self):
                return AbstractSystem.why_no_ladder(self)

    with opened(Harmonic):

        class NoChains(Harmonic):
            family = name = "other"

    with pytest.raises(NotExactError, match="must have a reference of known log Z, got other"):
        ep.free_energy(NoReference(), seed=1)
    with pytest.raises(NotExactError, match="no algorithm of Markov chains serves other"):
        ep.free_energy(NoChains(), seed=1)
