# SPDX-License-Identifier: MIT
"""What a generator is trained on: energies of fewer variables with the partition function of the system."""
