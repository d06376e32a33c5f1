"""Exemplars of units: mining, shard states, the stored set, and the published file layout."""
