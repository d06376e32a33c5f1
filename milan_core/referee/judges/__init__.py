"""Kinds of judges, one module each; the class `Judge` of a module is loaded by its name."""
