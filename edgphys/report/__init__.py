# SPDX-License-Identifier: MIT
"""What people read: tables for the terminal and pictures."""
