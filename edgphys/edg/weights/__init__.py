# SPDX-License-Identifier: MIT
"""How draws become weighted samples: ODE weights, annealing, round trips, the independence chain."""
