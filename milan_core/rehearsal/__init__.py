"""Stand-ins in the published formats, so that a configuration of the paper can be rehearsed."""
