# SPDX-License-Identifier: MIT
"""Free energies along a ladder of couplings: MBAR and thermodynamic integration."""
