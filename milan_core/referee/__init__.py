"""The referee: is a description true of its unit, on images that no describer has seen?"""
