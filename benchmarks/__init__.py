"""Speed of the native core against its targets: `python -m benchmarks.core`."""
