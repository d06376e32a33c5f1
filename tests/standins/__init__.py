"""Stand-ins of published files, for a smoke run of the paper's configuration."""
