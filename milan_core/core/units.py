"""The key of a unit, in every table and map: the layer's name and the unit's number in it."""

from __future__ import annotations

UnitKey = tuple[str, int]
"""(layer, unit)"""
