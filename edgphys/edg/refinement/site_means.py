# SPDX-License-Identifier: MIT
r"""What a site is on average, given all others that are not exact: the targets from which laws are learned.

With the exact sites summed or integrated out, the density of one site given the rest is known up to a factor,

    p(x_i | rest)  ~  exp(local(x_i) + pair <x_i, f_i>)  prod_j exp(log_normaliser(s_j)),

f_i the sum of messages over the neighbours of i that are not exact and s_j that over the neighbours of the
exact site j next to i, i included, both with the weights of bonds. Every window of i is part of the rest, so
that for any law q

    < log q(x_i | window) > = < sum_x p(x | rest) log q(x | window) > ,

and the right-hand side has the smaller variance (Rao-Blackwell): only what the window does not see is noise.
"""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.refinement.classes import Classes
from edgphys.edg.refinement.law import AbstractLaw, spread
from edgphys.edg.refinement.windows import neighbour_table, neighbour_weights

__all__ = ["SiteMeans"]


@final
class SiteMeans(Module):
    """Mean moments of the sites of a lattice system; see the module docstring.

    Parameters
    ----------
    classes : Classes
    weights : float64 array, shape (n_bonds,), optional
        Of the bonds; default: all 1.
    fields : float64 array, shape (n_sites,), optional
        Weights of the fields, where they differ from site to site.
    """

    inner: Tensor
    exact: Tensor
    times: Tensor
    weights: Tensor | None
    fields: Tensor | None

    def __init__(
        self,
        classes: Classes,
        weights: NDArray[np.float64] | None = None,
        fields: NDArray[np.float64] | None = None,
    ) -> None:
        super().__init__()
        n_sites = classes.lattice.n_sites
        around = neighbour_table(classes.lattice, np.arange(n_sites))
        of_bonds = neighbour_weights(classes.lattice, np.arange(n_sites), weights)
        precision = np.float32 if weights is None else np.float64
        shared = 1.0 if of_bonds is None else of_bonds[:, None, :]
        kept = None if of_bonds is None else torch.from_numpy(np.ascontiguousarray(of_bonds.T))
        self.register_buffer("weights", kept, persistent=False)
        told = None if fields is None else torch.from_numpy(fields)
        self.register_buffer("fields", told, persistent=False)
        position = np.full(n_sites + 1, len(classes.exact))
        position[classes.exact] = np.arange(len(classes.exact))
        near = position[around]
        same = near[:, :, None] == near[:, None, :]
        # An exact site joined twice counts once, with twice the coupling.
        again = np.tril(same, -1).any(axis=2)
        is_new = (near < len(classes.exact)) & ~again
        tables = {
            "inner": np.where(near < len(classes.exact), n_sites, around).T,
            "exact": np.where(is_new, near, len(classes.exact)).T,
            "times": ((same * shared).sum(axis=2) * is_new).T.astype(precision),
        }
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(table)), persistent=False)

    @torch.no_grad()
    def moments(
        self, law: AbstractLaw, configurations: Tensor, around_exact: Tensor, sites: Tensor
    ) -> Tensor:
        """Of `sites`, none of them exact, shape (n_batch, len(sites), n_moments).

        Parameters
        ----------
        law : AbstractLaw
            Of all sites.
        configurations : tensor, shape (n_batch, n_sites)
            Their exact sites may hold any value of the variable.
        around_exact : tensor, shape (n_batch, n_exact) or (n_components, n_batch, n_exact)
            Sum of the messages of the neighbours of every exact site.
        sites : int64 tensor
        """
        message = law.message(configurations)
        x = message.index_select(-1, sites)
        padded, rest = nn.functional.pad(message, (0, 1)), nn.functional.pad(around_exact, (0, 1))
        field = torch.zeros_like(x)
        if self.fields is not None:
            field = field + spread(law.ghost, x) * self.fields[sites].to(x)
        for k, inner in enumerate(self.inner[:, sites]):
            near = padded.index_select(-1, inner)
            field = field + (near if self.weights is None else near * self.weights[k, sites].to(near))
        height = law.log_weight_on_grid(field)
        for near, times in zip(self.exact[:, sites], self.times[:, sites].to(x), strict=True):
            others = rest.index_select(-1, near) - times * x
            height = height + law.log_normaliser_on_grid(others, times)
        return torch.softmax(height, dim=-1) @ law.moments(law.grid.to(x))
