# SPDX-License-Identifier: MIT
"""What all systems share: observables against brute force, symmetries, exact results, registry, attrs."""

from __future__ import annotations

import inspect
import itertools
import json
import math

import numpy as np
import pytest
import torch
import xarray as xr

import lattices
from edgphys.errors import UnknownNameError
from edgphys.systems import AbstractSystem, Ising, Phi4, available, build, energy, sample_attrs
from edgphys.systems.registry import SYSTEMS as SYSTEMS_THAT_SHIP

WORKED_OUT = ("n_slices", "time_step")  # what a system finds for what is left to it

SYSTEMS = {
    "ising-enumeration": lambda: Ising(lattices.build("square", (3, 4)), 2.0, 1.0, 0.1),
    "ising-open": lambda: Ising(lattices.build("honeycomb", (2, 3), False), 1.5, -1.0),
    "ising-honeycomb": lambda: Ising(lattices.build("honeycomb", (3, 3)), 1.5),
    "ising-kaufman": lambda: Ising(lattices.build("square", (6, 8)), 2.3, -1.0),
    "ising-ring": lambda: Ising(lattices.build("chain", (25,)), 1.0, field=0.05),
    "ising-none": lambda: Ising(lattices.build("square", (5, 5)), 2.3, -1.0),
    "phi4-ring": lambda: Phi4(lattices.build("chain", (8,)), 0.25, 0.022),
    "phi4-free": lambda: Phi4(lattices.build("square", (4, 6)), 0.2, 0.0),
    "phi4-free-open": lambda: Phi4(lattices.build("square", (4, 5), (True, False)), 0.2, 0.0),
    "phi4-flow": lambda: Phi4.from_mass(lattices.build("square", (6, 6)), -4.0, 8.0, "flow"),
    "phi4-zero-hop": lambda: Phi4(lattices.build("chain", (5,)), 0.0, 0.1),
}


@pytest.fixture(params=SYSTEMS, scope="module")
def system(request):
    return SYSTEMS[request.param]()


def configurations(system, n_batch=6, seed=0):
    rng = np.random.default_rng(seed)
    shape = (n_batch, *system.event_shape)
    return rng.choice([-1.0, 1.0], size=shape) if system.name == "ising" else rng.normal(size=shape)


def reciprocal_vectors(basis):
    """From the textbook formulae in one, two and three dimensions."""
    if len(basis) == 1:
        return 2 * np.pi * basis / (basis @ basis.T)
    if len(basis) == 2:
        (a, b), (c, d) = basis
        return 2 * np.pi * np.array([[d, -c], [-b, a]]) / (a * d - b * c)
    volume = np.dot(basis[0], np.cross(basis[1], basis[2]))
    return 2 * np.pi * np.array([np.cross(basis[(i + 1) % 3], basis[(i + 2) % 3]) for i in range(3)]) / volume


@pytest.mark.parametrize(
    ("name", "extent"),
    [
        ("chain", (5,)),
        ("square", (3, 4)),
        ("triangular", (4, 3)),
        ("honeycomb", (3, 4)),
        ("cubic", (3, 4, 3)),
    ],
)
def test_measure_equals_direct_sums(name, extent):
    lattice = lattices.build(name, extent)
    system = Ising(lattice, 2.0, 0.7, 0.2)
    spins = configurations(system)
    measured = system.measure(spins)
    momenta = reciprocal_vectors(lattice.basis_vectors) / np.array(extent)[:, None]
    for draw, s in enumerate(spins.reshape(6, -1)):
        m = sum(s) / lattice.n_sites
        waves = [
            abs(sum(s[x] * np.exp(1j * lattice.positions[x] @ k) for x in range(len(s)))) ** 2
            for k in momenta
        ]
        expected = {
            "energy": -0.7 * sum(s[i] * s[j] for i, j in lattice.bonds) - 0.2 * sum(s),
            "magnetization": m,
            "abs_magnetization": abs(m),
            "magnetization_2": m**2,
            "magnetization_4": m**4,
            "correlator_zero": lattice.n_sites * m**2,
            "correlator_min": np.mean(waves) / lattice.n_sites,
        }
        if len(set(extent)) > 1:
            expected |= {
                f"correlator_min_{axis}": wave / lattice.n_sites
                for axis, wave in zip("xyz", waves, strict=False)
            }
        assert measured.keys() == expected.keys()
        for key, value in expected.items():
            assert measured[key].shape == (6,) and measured[key].dtype == np.float64
            assert measured[key][draw] == pytest.approx(value, abs=1e-11), key


@pytest.mark.parametrize(
    ("name", "extent", "pbc"),
    [("square", (4, 6), True), ("honeycomb", (3, 3), True), ("square", (3, 4), (False, True))],
)
def test_staggered_observables_are_those_of_turned_spins(name, extent, pbc):
    lattice = lattices.build(name, extent, pbc)
    antiferromagnet, ferromagnet = (Ising(lattice, 2.0, coupling) for coupling in (-1.0, 1.0))
    spins = configurations(antiferromagnet)
    turned = ferromagnet.measure((spins.reshape(6, -1) * lattice.bipartition).reshape(spins.shape))
    measured = antiferromagnet.measure(spins)
    assert measured.keys() == turned.keys() | {f"staggered_{key}" for key in turned.keys() - {"energy"}}
    for key in turned.keys() - {"energy"}:
        np.testing.assert_array_equal(measured[f"staggered_{key}"], turned[key])
    frustrated = Ising(lattices.build("triangular", (3, 3)), 2.0, -1.0)
    assert not any(key.startswith("staggered_") for key in frustrated.measure(configurations(frustrated)))


def test_lowest_correlator_is_a_line_of_the_discrete_fourier_transform():
    system = Phi4(lattices.build("square", (4, 6)), 0.2, 0.1)
    phi = configurations(system)
    power = np.abs(np.fft.fft2(phi)) ** 2 / 24
    measured = system.measure(phi)
    np.testing.assert_allclose(measured["correlator_min"], (power[:, 1, 0] + power[:, 0, 1]) / 2, rtol=1e-11)
    np.testing.assert_allclose(measured["correlator_zero"], power[:, 0, 0], rtol=1e-11)
    np.testing.assert_allclose(measured["phi2"], (phi**2).mean((1, 2)), rtol=1e-12)
    assert np.abs(power[:, 1, 1] - measured["correlator_min"]).max() > 0.01  # negative control


def test_measure_is_the_same_for_all_kinds_and_shapes_of_input(system, monkeypatch):
    values = configurations(system)
    whole = system.measure(values)
    flat = values.reshape(6, -1)
    read_only = values.copy()
    read_only.flags.writeable = False
    monkeypatch.setattr(energy, "_CHUNK", 2 * system.n_sites)
    tensors = (torch.from_numpy(flat), torch.from_numpy(values).requires_grad_())
    for variant in (flat, read_only, *tensors):
        for key, value in system.measure(variant).items():
            np.testing.assert_allclose(value, whole[key], rtol=1e-12, atol=1e-12)
    for key, value in system.measure(values[::-1]).items():
        np.testing.assert_allclose(value[::-1], whole[key], rtol=1e-12, atol=1e-12)
    assert system.measure(values[:0])["energy"].shape == (0,)


def test_energy_returns_the_kind_that_came_in(system):
    values = configurations(system)
    assert isinstance(system.energy(values), np.ndarray)
    assert system.energy(torch.from_numpy(values).float()).dtype == torch.float32
    np.testing.assert_allclose(
        system.energy(values), system.measure(values)["energy"], rtol=1e-12, atol=1e-12
    )


def test_every_observable_and_exact_result_is_defined(system):
    names = {*system.measure(configurations(system)), *system.exact}
    assert names <= system.definitions.keys()


def test_exact_results_have_the_declared_names(system):
    results = system.exact_results()
    assert tuple(results) == system.exact
    assert all(isinstance(value, float) for value in results.values())
    if results:
        assert results["free_energy"] == pytest.approx(-system.temperature * results["log_z"])
    assert ("correlation_length" in results) <= all(system.lattice.pbc)


@pytest.mark.parametrize("key", ["ising-enumeration", "ising-open"])
def test_enumerated_results_equal_explicit_averages_of_measure(key):
    """Definitions agree: every estimate from measure() on all states with Boltzmann weights."""
    system = SYSTEMS[key]()
    n, beta = system.n_sites, system.beta
    states = np.array(list(itertools.product([-1, 1], repeat=n)), dtype=np.int8)
    values = system.measure(states)
    weight = np.exp(-beta * values["energy"])
    mean = {name: float((weight * v).sum() / weight.sum()) for name, v in values.items()}
    energy_2 = float((weight * values["energy"] ** 2).sum() / weight.sum())
    m = 0.0 if "z2" in system.symmetries else mean["magnetization"]
    expected = {
        "log_z": math.log(weight.sum()),
        "energy": mean["energy"],
        "specific_heat": beta**2 * (energy_2 - mean["energy"] ** 2) / n,
        "magnetization": m,
        "abs_magnetization": mean["abs_magnetization"],
        "susceptibility": beta * n * (mean["magnetization_2"] - m**2),
        "binder_cumulant": 1 - mean["magnetization_4"] / (3 * mean["magnetization_2"] ** 2),
    }
    exact = system.exact_results()
    for name, value in expected.items():
        assert exact[name] == pytest.approx(value, rel=1e-10, abs=1e-10), name


def test_kaufman_enumeration_and_transfer_agree_where_they_meet():
    from edgphys.exact import enumeration, kaufman, transfer

    for coupling in (1.0, -1.0):
        by_states = enumeration.ising(lattices.build("square", (4, 4)), 2.3, coupling)
        assert by_states["log_z"] == pytest.approx(kaufman.log_z(4, 4, 2.3, coupling), rel=1e-12)
        assert by_states["energy"] == pytest.approx(kaufman.energy(4, 4, 2.3, coupling), rel=1e-10)
        ring = transfer.ising_chain(9, 2.3, coupling, 0.3)
        states = enumeration.ising(lattices.build("chain", (9,)), 2.3, coupling, 0.3)
        for name in ("log_z", "energy", "susceptibility"):
            assert ring[name] == pytest.approx(states[name], rel=1e-10)


def test_no_exact_results_where_none_are_known():
    # Too wide for transfer matrices, and a field, bonds that cross, or a third dimension.
    assert Ising(lattices.build("square", (9, 9)), 2.0, field=0.1).exact == ()
    assert Ising(lattices.build("square-j1j2", (9, 9)), 2.0).exact == ()
    assert Ising(lattices.build("cubic", (5, 5, 5)), 2.0).exact == ()
    assert SYSTEMS["phi4-flow"]().exact == ()


def test_declared_symmetries_hold(system):
    x = torch.randn(system.n_sites, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    lattice = system.lattice
    groups = dict.fromkeys(("translation", "periodic_translation"), lattice.translations)
    groups["point_group"] = lattice.point_group
    for name in system.symmetries:
        moved = -x[None] if name == "z2" else x[torch.from_numpy(groups[name].astype(np.int64))]
        both = system.reduced_energy(torch.cat([x[None], moved]))
        torch.testing.assert_close(both, both[:1].expand_as(both), rtol=1e-11, atol=1e-11)
    assert ("translation" in system.symmetries) == all(lattice.pbc)
    assert ("periodic_translation" in system.symmetries) == (any(lattice.pbc) and not all(lattice.pbc))


def test_parameters_rebuild_the_system(system):
    again = build(system.name, system.lattice, **system.parameters)
    x = torch.from_numpy(configurations(system))
    assert torch.equal(again.reduced_energy(x), system.reduced_energy(x))
    assert set(system.conditions) == set(system.couplings)
    assert all(isinstance(value, float) for value in system.parameters.values())
    assert math.isclose(system.beta * system.temperature, 1.0)
    assert repr(again) == repr(system)
    with pytest.raises(TypeError):
        system.replace(no_such_parameter=1.0)


def test_registry_lists_the_constructors():
    for record in available():
        assert issubclass(record.system_class, AbstractSystem) and record.system_class.name == record.name
        needed = {"q": 4}  # where 0.1 will not do
        given = {
            p.name: needed.get(p.name, 0.1) if p.default is None else p.default for p in record.parameters
        }
        place = () if record.lattices == "none" else (lattices.build("chain", (4,)),)
        made = build(record.name, *place, **given).parameters
        assert {name: made[name] for name in given if name not in WORKED_OUT} == {
            name: value for name, value in given.items() if name not in WORKED_OUT
        }
        assert build(record.name, *place, **made).parameters == made
    with pytest.raises(UnknownNameError, match=r"system must be one of ising, phi4, .*, got 'vertex'"):
        build("vertex", lattices.build("chain", (4,)))


def test_records_are_the_constructors_of_their_classes():
    for one in SYSTEMS_THAT_SHIP:
        keywords = inspect.signature(one).parameters
        for parameter in one.record.parameters:
            default = keywords[parameter.name].default
            none = parameter.default is None and default in (None, inspect.Parameter.empty)
            assert none or default == parameter.default, f"{one.name}: {parameter.name}"
            assert parameter.takes_names == ("| str" in str(keywords[parameter.name].annotation))
        assert one.record.system_class is one
        assert (one.record.lattices == "none") == (one.geometry != "lattice")


def test_sample_attrs_survive_netcdf(system, tmp_path):
    attrs = sample_attrs(
        system,
        method="edg",
        seed=3,
        wall_time=1,
        settings={"n_path_steps": 8},
        n_energy_calls=10,
        n_gradient_calls=0,
    )
    xr.Dataset(attrs=attrs).to_netcdf(tmp_path / "samples.nc", engine="h5netcdf")
    read = xr.load_dataset(tmp_path / "samples.nc", engine="h5netcdf").attrs
    assert read["schema_version"] == 1 and read["kind"] == "samples" and read["method"] == "edg"
    lattice = lattices.build(
        read["lattice"],
        tuple(np.atleast_1d(read["extent"])),
        tuple(bool(p) for p in np.atleast_1d(read["pbc"])),
    )
    again = build(read["system"], lattice, **json.loads(read["parameters"]))
    assert repr(again) == repr(system)
    assert read["z2_symmetric"] == int("z2" in system.symmetries)
    assert read["linear_size"] == pytest.approx(np.prod(lattice.extent) ** (1 / lattice.n_axes))
    assert json.loads(read["settings"]) == {"n_path_steps": 8}
    assert "torch" in json.loads(read["versions"]) and json.loads(read["definitions"]) == system.definitions
    assert read["created"].endswith("+00:00") and isinstance(attrs["wall_time"], float)
