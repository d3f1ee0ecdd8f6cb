# SPDX-License-Identifier: MIT
r"""Potts and clock models on the infinite square lattice: where they are critical, and the energy there.

    Potts   H = -J sum_<ij> delta(s_i, s_j),   J > 0       exp(J / T_c) = 1 + sqrt q
    clock   H = -J sum_<ij> cos(2 pi (s_i - s_j) / q),     q = 2, 3, 4

By duality the Potts energy per site at T_c is -J (1 + 1/sqrt q) for q <= 4; for q > 4, where the transition
is of first order, that is the mean of the energies of the ordered and of the disordered phase. Clocks with 2,
3 and 4 states are the Ising model, the Potts model with q = 3 and coupling 3 J / 2, and two Ising models with
J / 2 each; from q = 5 on there are two transitions, which are not known in closed form.

References
----------
R. B. Potts, Proc. Camb. Phil. Soc. 48, 106 (1952), doi:10.1017/S0305004100027419. R. J. Baxter, J. Phys. C 6,
L445 (1973), doi:10.1088/0022-3719/6/23/005.
"""

from __future__ import annotations

import math

from edgphys._checks import count, positive

__all__ = ["clock_critical_temperature", "critical_energy_density", "critical_temperature"]


def critical_temperature(q: int, coupling: float = 1.0) -> float:
    """T_c of the Potts model, ``J / log(1 + sqrt q)``, k_B = 1.

    Parameters
    ----------
    q : int
        Number of states, 2 or more.
    coupling : float
        J, positive.

    Examples
    --------
    >>> round(critical_temperature(2, 2.0), 12)  # Ising with J = 1
    2.269185314213
    """
    return positive(coupling, "coupling") / math.log1p(math.sqrt(count(q, "q", 2)))


def critical_energy_density(q: int, coupling: float = 1.0) -> float:
    """Energy per site of the Potts model at T_c, ``-J (1 + 1 / sqrt q)``; q > 4: mean of the two phases.

    Examples
    --------
    >>> round(critical_energy_density(3), 6)
    -1.57735
    """
    return -positive(coupling, "coupling") * (1.0 + 1.0 / math.sqrt(count(q, "q", 2)))


def clock_critical_temperature(q: int, coupling: float = 1.0) -> float:
    """T_c of the clock model with q = 2, 3 or 4 states.

    Raises
    ------
    ValueError
        For any other q.

    Examples
    --------
    >>> [round(clock_critical_temperature(q), 6) for q in (2, 3, 4)]
    [2.269185, 1.492459, 1.134593]
    """
    q, coupling = count(q, "q", 2, 4), positive(coupling, "coupling")
    if q == 3:
        return critical_temperature(3, 1.5 * coupling)
    return critical_temperature(2, coupling * 4 / q)
