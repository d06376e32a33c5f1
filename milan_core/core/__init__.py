"""Errors, files, seeds, identity of code and provenance: what every step needs and no science."""
