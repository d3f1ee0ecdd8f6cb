# SPDX-License-Identifier: MIT
"""Systems without a lattice: energies, gradients and kernels agree; exact results; a user's function."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.integrate
import torch
import xarray as xr
from numba import njit

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.errors import DatasetError, NotExactError
from edgphys.exact.quadrature import boltzmann_moments
from edgphys.systems import available, build, sample_attrs

SYSTEMS = {
    "double_well_1d": lambda: ep.DoubleWell(temperature=0.7, barrier=3.0, position=1.3, tilt=0.4),
    "double_well_2d": lambda: ep.DoubleWell(n_dims=2, barrier=2.0, stiffness=3.0),
    "harmonic": lambda: ep.Harmonic(n_dims=3, temperature=1.7, stiffness=0.5, ratio=20.0),
    "many_well": lambda: ep.ManyWell(n_dims=6, temperature=2.0),
    "mueller_brown": lambda: ep.MuellerBrown(temperature=15.0),
}
COSTS = {"wall_time": 0.0, "settings": {}, "n_energy_calls": 0, "n_gradient_calls": 0}


@pytest.fixture(params=SYSTEMS)
def system(request):
    return SYSTEMS[request.param]()


def points_of(system, n=12, seed=0):
    return np.ascontiguousarray(system.random_configurations(n, np.random.default_rng(seed)))


# ------------------------------------------------------------------------- energy, gradient, kernel


def test_gradient_is_that_of_autograd_and_of_differences(system):
    x = torch.from_numpy(points_of(system)).requires_grad_()
    (expected,) = torch.autograd.grad(system.reduced_energy(x).sum(), x)
    torch.testing.assert_close(system.gradient(x), expected, rtol=1e-12, atol=1e-10)
    for i in range(system.n_variables):
        step = torch.zeros(system.n_variables, dtype=torch.float64)
        step[i] = 1e-5
        slope = (system.reduced_energy(x + step) - system.reduced_energy(x - step)) / 2e-5
        torch.testing.assert_close(expected[:, i], slope, rtol=1e-6, atol=1e-6)


def test_gradient_is_differentiable_and_works_without_grad_mode(system):
    x = torch.from_numpy(points_of(system, 2)).requires_grad_()
    assert system.gradient(x).requires_grad
    (curvature,) = torch.autograd.grad(system.gradient(x).sum(), x)
    assert torch.isfinite(curvature).all() and curvature.abs().max() > 0
    with torch.inference_mode():
        torch.testing.assert_close(system.gradient(x.detach().clone()), system.gradient(x.detach()))


def test_kernel_is_the_torch_energy(system):
    for point in points_of(system):
        out = np.full(system.n_variables, np.nan)
        before = point.copy()
        value = system.kernel(point, out, system.kernel_parameters)
        energy, gradient = system.energy_and_gradient(point[None])
        assert value == pytest.approx(energy[0], rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(out, gradient[0], rtol=1e-11, atol=1e-11)
        np.testing.assert_array_equal(point, before)


def test_measure_and_action_terms(system):
    points = points_of(system)
    measured = system.measure(points)
    assert tuple(measured) == ("energy", *system.observables)
    np.testing.assert_allclose(system.action_terms(points)[:, 0], measured["energy"])
    weights = system.action_terms(points) @ system.action_coefficients
    np.testing.assert_allclose(weights, system.reduced_energy(torch.from_numpy(points)).numpy(), rtol=1e-12)
    assert {*measured, *system.exact} <= system.definitions.keys()
    for name in system.observables:
        assert {0.0, 1.0} <= set(measured[name].round(12)) or system.n_variables > 2


def test_starts_visit_all_basins(system):
    points = system.random_configurations(16, np.random.default_rng(1))
    assert points.shape == (16, system.n_variables)
    if system.name == "many_well":
        odd = points[1::2, 0::2]
        assert (odd.min(0) < -1).all() and (odd.max(0) > 1).all()
    elif len(system.centres) > 1:  # odd rows are there in turn
        distance = np.linalg.norm(points[1::2, None] - system.centres, axis=2)
        assert set(distance.argmin(1)) == set(range(len(system.centres)))
    else:
        assert points[1::2].std() > 1.5 * points[0::2].std()


def test_centres_are_minima():
    for name in ("mueller_brown", "many_well"):
        system = SYSTEMS[name]()
        gradient = system.energy_and_gradient(np.array(system.centres))[1]
        assert np.abs(gradient[:, 0::2]).max() < 1e-4


def test_parameters_rebuild_the_system(system):
    again = build(system.name, **system.parameters)
    points = points_of(system)
    assert repr(again) == repr(system) and again.identity() == system.identity()
    np.testing.assert_array_equal(again.energy(points), system.energy(points))
    assert system.replace(temperature=3.0).beta == pytest.approx(1 / 3)
    assert "n_dims" not in system.conditions and "temperature" in system.conditions


# ------------------------------------------------------------------------------------ exact results


def test_energy_is_the_derivative_of_log_z(system):
    """<E> = T^2 d log Z / dT and C = d<E>/dT / d."""
    t, d = system.temperature, 1e-3 * system.temperature
    low, high = (system.replace(temperature=t + s * d).exact_results() for s in (-1, 1))
    exact = system.exact_results()
    assert tuple(exact) == system.exact and exact["free_energy"] == pytest.approx(-t * exact["log_z"])
    assert exact["energy"] == pytest.approx(
        t * t * (high["log_z"] - low["log_z"]) / (2 * d), rel=1e-5, abs=1e-5
    )
    slope = (high["energy"] - low["energy"]) / (2 * d)
    assert exact["specific_heat"] == pytest.approx(slope / system.n_variables, rel=1e-5)


def test_quadrature_of_harmonic_oscillators():
    system = ep.Harmonic(n_dims=2, temperature=0.3, stiffness=2.0, ratio=50.0)
    log_z, energy, variance = boltzmann_moments(system.energy, np.zeros((1, 2)), 0.3)
    assert log_z == pytest.approx(system.exact_results()["log_z"], rel=1e-10)
    assert energy == pytest.approx(0.3, rel=1e-9) and variance == pytest.approx(0.09, rel=1e-9)


def test_double_well_against_adaptive_quadrature():
    system = SYSTEMS["double_well_1d"]()
    t = system.temperature

    def integral(low, high, power=0):
        def density(x):
            energy = float(system.energy(np.array([[x]]))[0])
            return energy**power * math.exp(-energy / t)

        return scipy.integrate.quad(density, low, high, epsabs=1e-13, epsrel=1e-11, limit=200)[0]

    z = integral(-6, 0) + integral(0, 6)
    exact = system.exact_results()
    assert exact["log_z"] == pytest.approx(math.log(z), abs=1e-10)
    assert exact["energy"] == pytest.approx((integral(-6, 0, 1) + integral(0, 6, 1)) / z, abs=1e-9)
    difference = -t * math.log(integral(0, 6) / integral(-6, 0))
    assert system.free_energy_difference() == pytest.approx(difference, abs=1e-9)
    assert abs(system.replace(tilt=0.0).free_energy_difference()) < 1e-12


def test_two_dimensional_double_well_is_a_product():
    both = ep.DoubleWell(n_dims=2, temperature=1.3, barrier=2.0, tilt=0.2, stiffness=3.0)
    log_z, energy, variance = boltzmann_moments(both.energy, both.centres, 1.3)
    exact = both.exact_results()
    assert log_z == pytest.approx(exact["log_z"], abs=1e-9) and energy == pytest.approx(exact["energy"])
    assert variance / 1.3**2 / 2 == pytest.approx(exact["specific_heat"], rel=1e-9)


def test_mueller_brown_against_a_plain_grid():
    """The trapezoidal rule, and an indicator function for the basins: fewer digits, no common code."""
    system = ep.MuellerBrown(temperature=15.0)
    x, y = np.meshgrid(np.linspace(-4, 3, 1001), np.linspace(-3, 4, 1001), indexing="ij")
    points = np.stack([x, y], -1).reshape(-1, 2)
    measured = system.measure(points)
    weight = np.exp(-measured["energy"] / 15.0) * 0.007**2
    exact, z = system.exact_results(), weight.sum()
    assert exact["log_z"] == pytest.approx(math.log(z), abs=1e-9)
    assert exact["energy"] == pytest.approx((weight * measured["energy"]).sum() / z, rel=1e-9)
    upper = (weight * measured["upper"]).sum() / z
    difference = system.free_energy_difference()
    assert difference == pytest.approx(-15.0 * math.log((1 - upper) / upper), abs=1e-3)
    assert difference == pytest.approx(32.61003, abs=1e-5)


def test_mueller_brown_stationary_points():
    system = ep.MuellerBrown()
    saddle = np.array([[-0.822001558732, 0.624312802814]])
    energy, gradient = system.energy_and_gradient(np.concatenate([saddle, system.centres]))
    np.testing.assert_allclose(energy, [-40.66484351, -146.69951721, -108.16672412, -80.76781813], rtol=1e-9)
    assert np.abs(gradient).max() < 1e-4
    assert system.measure(system.centres)["upper"].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("n_dims", [2, 8, 32])
def test_many_well_log_z(n_dims):
    log_z = ep.ManyWell(n_dims=n_dims).exact_results()["log_z"]
    assert log_z == pytest.approx(164.695675313 * n_dims / 32, abs=1e-8)


def test_quadrature_refuses_what_it_cannot_do():
    with pytest.raises(NotExactError, match="one or two dimensions, got 3"):
        boltzmann_moments(lambda x: (x * x).sum(1), np.zeros((1, 3)), 1.0)
    with pytest.raises(NotExactError, match="does not fall off"):
        boltzmann_moments(lambda x: np.tanh(x[:, 0]), np.zeros((1, 1)), 1.0)
    with pytest.raises(NotExactError, match="did not converge"):
        boltzmann_moments(lambda x: (x * x).sum(1) + np.cos(4e4 * x[:, 0]), np.zeros((1, 1)), 1.0)


def test_quadrature_misses_a_basin_far_from_the_centres():
    """Why the centres must be in all basins: the box does not climb over a barrier of 400 T."""
    system = ep.DoubleWell(barrier=400.0)
    one = boltzmann_moments(system.energy, np.array([[1.0]]), 1.0)[0]
    assert system.exact_results()["log_z"] - one == pytest.approx(math.log(2.0), abs=1e-9)


# ------------------------------------------------------------------------------------- user's function


def torch_well(x):
    return 3.0 * ((x[:, 0] / 1.3) ** 2 - 1.0) ** 2 + 0.4 * x[:, 0]


@njit
def compiled_well(x):
    return 3.0 * ((x[0] / 1.3) ** 2 - 1.0) ** 2 + 0.4 * x[0]


@pytest.mark.parametrize("function", [torch_well, compiled_well])
def test_a_function_is_a_system_in_one_line(function):
    shipped = SYSTEMS["double_well_1d"]()
    system = ep.Potential(function, n_dims=1, temperature=0.7)
    points = points_of(shipped)
    np.testing.assert_allclose(system.energy(points), shipped.energy(points), rtol=1e-12, atol=1e-12)
    x = torch.from_numpy(points)
    torch.testing.assert_close(system.gradient(x), shipped.gradient(x), rtol=1e-7, atol=1e-7)
    moments = boltzmann_moments(system.energy, shipped.centres, 0.7)
    assert moments[0] == pytest.approx(shipped.exact_results()["log_z"], abs=1e-10)
    assert system.exact == () and system.exact_results() == {}
    assert system.replace(temperature=2.0).parameters == {"n_dims": 1, "temperature": 2.0}


def test_gradients_of_a_function_in_every_mode():
    system = ep.Potential(torch_well, 1)
    x = torch.full((2, 1), 0.3, dtype=torch.float64)
    plain = system.gradient(x)
    assert not plain.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(system.gradient(torch.full((2, 1), 0.3, dtype=torch.float64)), plain)
    x.requires_grad_()
    (curvature,) = torch.autograd.grad(system.gradient(x).sum(), x)
    assert float(curvature[0, 0]) == pytest.approx(12.0 / 1.69 * (3 * 0.09 / 1.69 - 1), rel=1e-12)
    compiled = ep.Potential(compiled_well, 1)
    (slope,) = torch.autograd.grad(compiled.reduced_energy(x).sum(), x)
    torch.testing.assert_close(slope, plain, rtol=1e-7, atol=1e-7)


def test_potentials_are_told_apart_by_their_energies():
    one, two = (ep.Potential(lambda x, a=a: a * (x * x).sum(1), 2).identity() for a in (1.0, 1.0 + 1e-8))
    assert one["parameters"] == two["parameters"] and one != two
    assert one == ep.Potential(lambda x: (x * x).sum(1), 2).identity()


def test_a_function_is_called_in_float64_and_answers_in_the_dtype_of_x():
    dtypes, matrix = set(), torch.tensor([[1.0, 0.3], [0.0, 0.5]], dtype=torch.float64)

    def energy(x):
        dtypes.add(x.dtype)
        return 0.5 * ((x @ matrix) ** 2).sum(1)

    system = ep.Potential(energy, 2, temperature=2.0)
    exact = 0.5 * matrix @ matrix.T  # of the gradient, at T = 2
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=dtype, requires_grad=True)
        assert system.energy(x.detach()).dtype == system.reduced_energy(x).dtype == dtype
        (slope,) = torch.autograd.grad(system.reduced_energy(x).sum(), x)
        for found in (slope, system.gradient(x.detach()), system.gradient(x)):
            torch.testing.assert_close(found, (x.detach().double() @ exact).to(dtype))
        (curvature,) = torch.autograd.grad(system.gradient(x)[:, 0].sum(), x)
        torch.testing.assert_close(curvature, exact[0].expand(2, 2).to(dtype))
    assert dtypes == {torch.float64}


@pytest.mark.parametrize("decoder", ["hamiltonian", "mixture"])
def test_a_function_that_holds_a_float64_matrix_is_trained(decoder):
    matrix = torch.eye(2, dtype=torch.float64)
    system = ep.Potential(lambda x: 0.5 * ((x @ matrix) ** 2).sum(1), 2)
    edg = ep.EDG(system, decoder=decoder).fit(0, 3, progress=False)
    table = ep.estimate(edg.sample(200, seed=1, progress=False))
    assert float(table["log_z"]) == pytest.approx(math.log(2 * math.pi), abs=0.2)


@njit
def compiled_array(x):
    return x * x


@njit
def compiled_sign(x):
    return x[0] > 0.0


@njit
def compiled_pair(x, y):
    return x[0] * y[0]


@njit
def compiled_square(x):
    return (x * x).sum()


@njit
def short_kernel(x, gradient_out):
    return 0.0


@njit
def silent_kernel(x, gradient_out, parameters):
    gradient_out[:] = 2 * x


@njit
def failing_kernel(x, gradient_out, parameters):
    raise ValueError("one\ntwo")


def failing(x):
    raise KeyError("nothing here")


def reads_rows(x):
    return x.squeeze().pow(2).sum(1)


TORCH_RULE = (
    r"^function must be a torch function that, called with float64 tensors \(n_batch, 2\), "
    r"gives real energies \(n_batch,\) with a gradient, got "
)
NUMBA_RULE = r"^function must be a numba function of a float64 array \(2,\) giving a float, got "
KERNEL_RULE = (
    r"^kernel must be a numba function \(x, gradient_out, parameters\) of float64 arrays giving a float, "
)


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda x: (x @ torch.eye(2)).sum(1), TORCH_RULE + "RuntimeError: .*dtype"),
        (lambda x: x.detach().pow(2).sum(1), TORCH_RULE + r"energies without one \(constant, or cut off"),
        (lambda x: torch.ones(len(x)), TORCH_RULE + "energies without one"),
        (lambda x: (x > 0).sum(1), TORCH_RULE + r"torch\.int64$"),
        (lambda x: x[:, 0] > 0, TORCH_RULE + r"torch\.bool$"),
        (lambda x: x.sum(1) * 1j, TORCH_RULE + r"torch\.complex128$"),
        (lambda x: np.sum(x**2, axis=1), TORCH_RULE + r"TypeError: sum\(\) "),
        (lambda x: np.exp(x).sum(1), TORCH_RULE + r"RuntimeError: Can't call numpy\(\)"),
        (lambda: 0.0, TORCH_RULE + "TypeError: .* takes 0 positional arguments"),
        (
            lambda x: torch.ones(6, requires_grad=True).sqrt(),
            TORCH_RULE + "RuntimeError: .*not .*been used",
        ),
        (failing, TORCH_RULE + "KeyError: 'nothing here'$"),
        (lambda x: x.detach().numpy().sum(1), r"\(6, 2\) to \(6,\), got ndarray in place of a tensor$"),
        (reads_rows, r"its own energy, also in a batch of one, got IndexError: "),
        (lambda x: x.sum(1) + torch.zeros(6), r"its own energy, got another one alone$"),
        (compiled_array, NUMBA_RULE + "ndarray$"),
        (compiled_sign, NUMBA_RULE + "bool$"),
        (compiled_pair, NUMBA_RULE + "TypeError: not enough arguments: expected 2, got 1$"),
    ],
)
def test_what_is_no_energy_is_refused_in_one_line(function, message):
    with pytest.raises(ValueError, match=message) as refused:
        ep.Potential(function, 2)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"kernel": short_kernel}, ValueError, KERNEL_RULE + "got TypeError: too many arguments"),
        ({"kernel": silent_kernel}, ValueError, KERNEL_RULE + "got NoneType$"),
        ({"kernel": failing_kernel}, ValueError, KERNEL_RULE + "got ValueError: one$"),
        ({"kernel_parameters": ["a"]}, TypeError, r"^kernel_parameters must be real numbers, got \['a'\]$"),
        ({"kernel_parameters": None}, TypeError, "^kernel_parameters must be real numbers, got None$"),
        ({"centres": "a"}, TypeError, r"^centres must be finite, of shape \(n_centres, 2\), got 'a'$"),
        ({"centres": [[1.0, 2.0], [3.0]]}, ValueError, r"got \[\[1\.0, 2\.0\], \[3\.0\]\]$"),
        (
            {"centres": [[np.nan, 1.0]]},
            ValueError,
            r"^centres must be finite, .*got 1 of 2 numbers not finite$",
        ),
    ],
)
def test_bad_options_of_a_potential_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        ep.Potential(lambda x: (x * x).sum(1), 2, **options)


@njit
def wrong_kernel(x, gradient_out, parameters):
    gradient_out[0] = 2 * x[0]
    return x[0] ** 2 + parameters[0]


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((3, 1), TypeError, r"function must be callable, got int"),
        ((lambda x: x, 2), ValueError, r"function must map shape \(6, 2\) to \(6,\), got \(6, 2\)"),
        ((lambda x: 1.0, 2), ValueError, r"function must map shape \(6, 2\) to \(6,\), got float"),
        ((lambda x: x[:, 0].log(), 1), ValueError, r"must be finite at points"),
        ((lambda x: (x * x).sum().expand(len(x)), 2), ValueError, r"each point of a batch its own energy"),
        ((torch_well, 1.5), TypeError, r"n_dims must be an integer from 1 to 1000000, got 1\.5"),
        ((torch_well, 1, -1.0), ValueError, r"temperature must be positive and finite, got -1\.0"),
        ((torch_well, 1, 1.0, ""), TypeError, r"name must be a non-empty text"),
    ],
)
def test_bad_functions_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        ep.Potential(*arguments)


def test_bad_kernels_and_centres_are_refused():
    def square(x):
        return (x * x).sum(1)

    with pytest.raises(ValueError, match="kernel must agree with function"):
        ep.Potential(square, 1, kernel=wrong_kernel, kernel_parameters=[0.5])
    assert ep.Potential(square, 1, kernel=wrong_kernel, kernel_parameters=[0.0]).kernel is wrong_kernel
    with pytest.raises(ValueError, match=r"got energy .* and component 0 of the gradient"):
        ep.Potential(compiled_square, 1, kernel=wrong_kernel, kernel_parameters=[0.5])
    both = ep.Potential(compiled_square, 1, kernel=wrong_kernel, kernel_parameters=[0.0])
    assert both.kernel is wrong_kernel
    with pytest.raises(TypeError, match=r"kernel must be a function compiled by numba\.njit, got function"):
        ep.Potential(square, 1, kernel=square)
    with pytest.raises(
        ValueError, match=r"centres must be finite, of shape \(n_centres, 2\), got shape \(2,\)"
    ):
        ep.Potential(square, 2, centres=[0.0, 1.0])
    with pytest.raises(TypeError, match="only the temperature to change, got n_dims"):
        ep.Potential(square, 2).replace(n_dims=3)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: ep.DoubleWell(n_dims=3), ValueError, "n_dims must be an integer from 1 to 2, got 3"),
        (lambda: ep.DoubleWell(barrier=0.0), ValueError, "barrier must be positive and finite, got 0.0"),
        (lambda: ep.ManyWell(n_dims=3), ValueError, "n_dims must be even, got 3"),
        (lambda: ep.Harmonic(n_dims=0), ValueError, "n_dims must be an integer from 1 to 1000000, got 0"),
        (lambda: ep.MuellerBrown(temperature=None), TypeError, "temperature must be a real number"),
    ],
)
def test_bad_parameters_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# ----------------------------------------------------------------------------- registry and datasets


def test_registry_builds_without_a_lattice():
    names = {record.name for record in available() if record.lattices == "none"}
    assert {"double_well", "harmonic", "many_well", "mueller_brown", "lennard_jones"} < names
    assert build("many_well", n_dims=4.0).n_variables == 4  # as a command line gives it
    with pytest.raises(TypeError, match="lattice must be left out for harmonic"):
        build("harmonic", lattices.build("chain", (4,)))
    with pytest.raises(TypeError, match=r"lattice must be made by lattices\.build, got NoneType"):
        build("ising", temperature=1.0)


def test_attributes_without_a_lattice(system, tmp_path):
    attrs = sample_attrs(system, method="hmc", seed=3, **COSTS)
    assert attrs["n_variables"] == system.n_variables
    assert not {"lattice", "extent", "pbc", "n_sites", "linear_size", "z2_symmetric"} & attrs.keys()
    assert json.loads(attrs["definitions"])["specific_heat"].endswith("/ n_variables; units of k_B")
    rng = np.random.default_rng(0)
    energies = system.temperature * rng.standard_normal((4, 400))
    parts = [
        xr.Dataset({"energy": (("chain", "draw"), energies + k)}, attrs=attrs | {"seed": k}) for k in range(2)
    ]
    samples = dataset.merge(parts)
    dataset.write(samples, tmp_path / "samples.nc")
    read = dataset.read(tmp_path / "samples.nc")
    table = ep.estimate(read)
    spread = np.concatenate([energies, energies + 1]).var() * system.beta**2 / system.n_variables
    assert float(table["specific_heat"]) == pytest.approx(spread, rel=0.01)
    assert np.isnan(table["susceptibility"]) and "n_variables" in table["specific_heat"].attrs["definition"]
    dataset.write(table, tmp_path / "table.nc")
    assert dataset.read(tmp_path / "table.nc").attrs["n_variables"] == system.n_variables


def test_attributes_of_neither_kind_are_refused():
    attrs = sample_attrs(ep.Harmonic(), method="hmc", seed=3, **COSTS)
    samples = xr.Dataset({"energy": (("chain", "draw"), np.zeros((2, 20)))}, attrs=attrs)
    dataset.validate(samples)
    neither = {key: value for key, value in attrs.items() if key != "n_variables"}
    for other, first in ((neither, "lattice"), (attrs | {"lattice": "square"}, "extent")):
        samples.attrs = other
        with pytest.raises(DatasetError, match=rf"must have {first}, .* which is missing"):
            dataset.validate(samples)


def test_a_scan_over_temperatures_and_its_table(capsys):
    from edgphys.report.text import print_scan

    table = ep.scan(lambda t: ep.DoubleWell(temperature=t), temperature=[1.0, 2.0], methods=["exact"], seed=0)
    dataset.validate(table)
    expected = [ep.DoubleWell(temperature=t).exact_results()["log_z"] for t in (1.0, 2.0)]
    np.testing.assert_allclose(table["log_z"].sel({"method": "exact"}), expected)
    assert table.attrs["n_variables"] == 1 and "z2_symmetric" not in table.attrs
    print_scan(table)
    assert capsys.readouterr().out.startswith("double_well  ")
    with pytest.raises(ValueError, match="same n_variables at every point"):
        ep.scan(lambda n_dims: ep.ManyWell(int(n_dims)), n_dims=[2, 4], methods=["exact"], seed=0)


def test_one_shape_is_named_once():
    with pytest.raises(ValueError, match=r"must have shape \(n_batch, 2\), got \(1, 3\)"):
        ep.Potential(lambda x: (x**2).sum(1), 2).energy(np.ones((1, 3)))


def test_a_network_may_be_the_energy():
    network = torch.nn.Linear(2, 1).double()
    system = ep.Potential(lambda x: (x**2).sum(1) + network(x)[:, 0] ** 2, 2)
    x = np.ones((3, 2))
    assert system.energy(x).shape == (3,) and "energy" in system.measure(x)
