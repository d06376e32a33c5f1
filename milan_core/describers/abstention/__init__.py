"""Whether a description can be relied on: a status and a confidence for every unit."""
