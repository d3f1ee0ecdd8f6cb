# SPDX-License-Identifier: MIT
"""The action of phi^4 and its force on a hypercubic grid, by shifts of one flat array.

Sites are numbered row-major, so the neighbours of site i along axis a are ``i - s_a`` and ``i + s_a`` with
the stride s_a, except at the two faces of that axis. The kernels run over all sites with these shifts, which
the compiler turns into vector instructions, and then mend the faces: the wrong neighbour out, the one across
the boundary (or zero at an open edge) in. The outermost axis needs no mending: a `field` is kept between two
margins of one stride of it, which hold copies of the opposite faces, or zeros.

    field[pad + i] = phi_i,   i = 0 .. n_sites - 1,   pad = s_0,   field.size = n_sites + 2 pad

Against a table of neighbours this is three to four times as fast on a 16x16 torus.

    S = -2 hop sum_<ij> phi_i phi_j + sum_i (quadratic phi_i^2 + quartic phi_i^4)

``action`` is the tuple (hop, quadratic, quartic) and ``grid`` the array that `make_grid` returns.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

__all__ = ["action_of", "embed", "fill_margins", "kick", "make_grid"]

_STRIDE, _BLOCK, _PERIODIC = range(3)


def make_grid(lattice) -> np.ndarray:
    """Stride, stride times extent, and 1 if periodic, for each axis; uint64, shape (n_axes, 3).

    `lattice` must be hypercubic (`edgphys.systems.lattice.hopping.is_hypercubic`).

    Examples
    --------
    >>> import lattices
    >>> make_grid(lattices.build("square", (4, 6), (True, False))).tolist()
    [[6, 24, 1], [1, 6, 0]]
    """
    blocks = np.cumprod(lattice.extent[::-1])[::-1]
    return np.stack([blocks // lattice.extent, blocks, lattice.pbc], axis=1).astype(np.uint64)


def embed(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """`values`, shape (n_sites,), as a `field` between its margins."""
    field = np.pad(np.asarray(values, np.float64), int(grid[0, _STRIDE]))
    fill_margins(field, grid)
    return field


@njit(nogil=True, cache=True)
def fill_margins(field, grid):
    """Copies of the faces of the outermost axis into the margins; an open axis has zeros there for ever."""
    if grid[0, _PERIODIC] == 1:
        pad, n = grid[0, _STRIDE], grid[0, _BLOCK]
        for k in range(pad):
            field[k] = field[n + k]
            field[n + pad + k] = field[pad + k]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def kick(field, momentum, grid, action, step):
    """``momentum -= step * dS/dphi``; the margins of `field` must be filled."""
    n_axes = grid.shape[0]
    pad, hop = grid[0, _STRIDE], 2.0 * step * action[0]
    if n_axes % 2 == 1:
        _kick_one_axis(field, momentum, pad, action, step)
        first = 1
    else:
        _kick_two_axes(field, momentum, pad, grid[1, _STRIDE], action, step)
        first = 2
    for axis in range(first, n_axes, 2):
        _add_two_axes(field, momentum, pad, grid[axis, _STRIDE], grid[axis + 1, _STRIDE], hop)
    for axis in range(1, n_axes):
        _mend_faces(field, momentum, pad, grid[axis], hop)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _kick_one_axis(field, momentum, pad, action, step):
    hop, linear, cubic = 2.0 * step * action[0], 2.0 * step * action[1], 4.0 * step * action[2]
    for i in range(uint64(momentum.size)):
        value = field[pad + i]
        total = field[i] + field[pad + pad + i]
        momentum[i] += hop * total - value * (linear + cubic * (value * value))


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _kick_two_axes(field, momentum, pad, stride, action, step):
    hop, linear, cubic = 2.0 * step * action[0], 2.0 * step * action[1], 4.0 * step * action[2]
    before, after = pad - stride, pad + stride
    for i in range(uint64(momentum.size)):
        value = field[pad + i]
        total = (field[i] + field[pad + pad + i]) + (field[before + i] + field[after + i])
        momentum[i] += hop * total - value * (linear + cubic * (value * value))


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _add_two_axes(field, momentum, pad, stride, other, hop):
    a, b, c, d = pad - stride, pad + stride, pad - other, pad + other
    for i in range(uint64(momentum.size)):
        momentum[i] += hop * ((field[a + i] + field[b + i]) + (field[c + i] + field[d + i]))


@njit(nogil=True, cache=True)
def _mend_faces(field, momentum, pad, axis, hop):
    """Replace the neighbours that the shifts along one inner axis got wrong."""
    stride, block = axis[_STRIDE], axis[_BLOCK]
    across = hop if axis[_PERIODIC] == 1 else 0.0
    last = block - stride
    if stride == 1:  # apart, since the loop over a face of one site is costlier than its work
        for low in range(uint64(0), uint64(momentum.size), block):
            _mend_pair(field, momentum, pad, low, low + last, stride, hop, across)
        return
    for start in range(uint64(0), uint64(momentum.size), block):
        for low in range(start, start + stride):
            _mend_pair(field, momentum, pad, low, low + last, stride, hop, across)


@njit(nogil=True, cache=True, inline="always")
def _mend_pair(field, momentum, pad, low, high, stride, hop, across):
    momentum[low] += across * field[pad + high] - hop * field[pad + low - stride]
    momentum[high] += across * field[pad + low] - hop * field[pad + high + stride]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def action_of(field, grid, action):
    """S of a field with filled margins."""
    hop, quadratic, quartic = action
    pad, n = grid[0, _STRIDE], grid[0, _BLOCK]
    local, links = 0.0, 0.0
    for i in range(n):
        value = field[pad + i]
        square = value * value
        local += square * (quadratic + quartic * square)
        links += value * field[pad + pad + i]
    for axis in range(1, grid.shape[0]):
        links += _links(field, pad, n, grid[axis])
    return local - 2.0 * hop * links


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _links(field, pad, n, axis):
    """Sum over the bonds along one inner axis of the product of their ends."""
    stride, block = axis[_STRIDE], axis[_BLOCK]
    after, last = pad + stride, block - stride
    total = 0.0
    for i in range(n - stride):
        total += field[pad + i] * field[after + i]
    for start in range(uint64(0), n, block):
        for low in range(pad + start, pad + start + stride):
            high = low + last
            right = field[low] if axis[_PERIODIC] == 1 else 0.0
            # The very last face has its margin, which the sum above left out, as its neighbour.
            wrong = field[high + stride] if start + block < n else 0.0
            total += field[high] * (right - wrong)
    return total
