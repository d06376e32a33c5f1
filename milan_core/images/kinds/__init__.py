"""Kinds of data sets whose images are read, one module each: a spec becomes a list of pictures."""
