"""The browsable report: reads files of other stages, needs no torch and no network."""
