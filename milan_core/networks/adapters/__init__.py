"""Networks that no pinned library has under a callable of its own: one small file per family."""
