"""Descriptions of units by other methods: labels from concept masks, lists of words, neighbours."""
