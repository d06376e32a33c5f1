"""Files, seeds, logs and provenance: what every stage needs and no science."""
