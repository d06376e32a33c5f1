"""Kinds of data sets, one module each, named as in the configuration.

Modules without a kind of their name hold what several kinds share (`composed`, `published`) or a
part of one (`cues`, `truth_lists`).
"""
