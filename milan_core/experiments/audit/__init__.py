"""Audit: units whose description matches a query (paper section 6)."""
