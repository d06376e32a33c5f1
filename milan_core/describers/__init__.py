"""Everything that says something about a unit: captioners, concept labels, imported tables."""
