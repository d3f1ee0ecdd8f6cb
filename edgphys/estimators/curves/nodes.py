# SPDX-License-Identifier: MIT
r"""Do weights and energies belong together? The free check that pooled draws give, at their nodes.

Node k has its log Z twice: from its own weights alone, and from all draws by their energies (`Pool`, without
control variates). Their differences along the nodes are those of

    d log Z / d c = -< dU / dc >          (c = beta: -<E>),

the left side from weights, the right side, integrated from node to node, from energies. Both are unbiased, so
all differences vanish within their errors if the model gives each coupling its own weights; draws whose
weights ignore the coupling fail. Along the curve itself the relation is an identity, and tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgphys.estimators.curves.pooled import Pool
from edgphys.estimators.resampling import N_BLOCKS, block_sums, jackknife

__all__ = ["NodeCheck", "check_nodes"]

# Probability of a larger sum of squares below which weights and energies do not belong together.
_LEAST_PROBABILITY = 1e-4
# Combinations of nodes of less variance, relative to the largest, are not known any better than rounding.
_RELATIVE_RANK = 1e-8


@dataclass(frozen=True)
class NodeCheck:
    """log Z of the nodes, twice.

    Attributes
    ----------
    at_nodes : dict of str to array, shape (n_nodes,)
        ``log_z_node``, from the own weights, with its error; ``log_z_node_deviation`` from all draws, in
        units of the error of the difference.
    between : dict of str to array, shape (n_nodes - 1,)
        ``derivative``: slope of log_z_node from node to node, with its error; ``derivative_average``: the
        same by all energies; ``derivative_deviation``, in units of the error of the difference.
    probability : float
        Of deviations as large or larger, all nodes together (Hotelling's T^2); 1 where there is one node.
    """

    at_nodes: dict[str, np.ndarray]
    between: dict[str, np.ndarray]
    probability: float

    @property
    def reason(self) -> str:
        """Why not to trust the draws; empty if they pass."""
        if self.probability >= _LEAST_PROBABILITY:
            return ""
        return (
            "log_z of the nodes by their own weights and by the energies of all draws differ beyond chance "
            f"(probability {self.probability:.1g})"
        )


def check_nodes(
    pool: Pool, log_weights: np.ndarray, energies: np.ndarray, couplings: np.ndarray
) -> NodeCheck:
    """The check of the module docstring.

    Parameters
    ----------
    pool : Pool
    log_weights, energies : array
        What the pool was made of.
    couplings : array, shape (n_nodes,)
        c of the nodes, beta for a temperature.
    """
    n_nodes, n = log_weights.shape
    top = log_weights.max(axis=1)
    own = np.exp(log_weights - top[:, None])
    pooled = np.exp(pool.log_base - energies - top[:, None, None]).sum(1)
    sums = block_sums(np.vstack([np.ones(n), own, pooled]), min(n, N_BLOCKS))

    def statistic(s: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            plain, other = np.split(np.log(s[..., 1:] / s[..., :1]), 2, axis=-1)
        slopes = np.diff(plain + top) / np.diff(couplings)
        by_energies = np.diff(other + top) / np.diff(couplings)
        return np.concatenate([plain, plain - other, slopes, by_energies, slopes - by_energies], axis=-1)

    parts = [n_nodes] * 2 + [n_nodes - 1] * 3
    values, errors = (np.split(x, np.cumsum(parts)[:-1]) for x in jackknife(sums, sums[:, 0], statistic))
    at_nodes = {"log_z_node": values[0] + top, "log_z_node_err": errors[0]}
    at_nodes["log_z_node_deviation"] = _ratio(values[1], errors[1])
    between = {"derivative": values[2], "derivative_err": errors[2], "derivative_average": values[3]}
    between |= {"derivative_average_err": errors[3], "derivative_deviation": _ratio(values[4], errors[4])}
    return NodeCheck(at_nodes, between, _probability(pool.differences))


def _ratio(difference: np.ndarray, err: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(err > 0, difference / err, np.nan)


def _probability(rows: np.ndarray) -> float:
    """Of a mean of independent rows as far from 0 or farther, Hotelling's T^2; rows of shape (n_nodes, n)."""
    n = rows.shape[1]
    centred = rows - rows.mean(axis=1, keepdims=True)
    variances, directions = np.linalg.eigh(centred @ centred.T / (n * (n - 1)))
    used = variances > _RELATIVE_RANK * max(variances[-1], np.finfo(float).tiny)
    rank = min(int(used.sum()), n - 2)
    if rank < 1 or len(rows) == 1:
        return 1.0
    square = ((directions.T @ rows.mean(axis=1))[-rank:] ** 2 / variances[-rank:]).sum()
    from scipy.stats import f as fisher  # slow to import, and few need it

    return float(fisher.sf(square * (n - rank) / (rank * (n - 1)), rank, n - rank))
