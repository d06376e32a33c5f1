"""Where the files of an asset lie: in its fetched folder, or where pip has installed its package.

An installed package is only looked at, never imported, and counts in the pinned version only.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.images.fetch.registry import load_registry

ASSETS = Path("resources/assets")


def asset_folder(name: str, folder: Path | str | None = None) -> Path:
    """The folder that an asset's files are in.

    Args:
        name: the asset, such as `efficientnet_lite0`.
        folder: where it was fetched to; default: where `milan fetch` puts it.

    Raises:
        UserError: it was neither fetched nor installed; says how to get it.

    """
    fetched = Path(folder).expanduser() if folder else ASSETS / name
    if fetched.is_dir():
        return fetched
    installed = installed_folder(name)
    if installed is None:
        spec = load_registry().get(name)
        others = f", or `pip install {spec.requirement}` installs them" if spec else ""
        raise UserError(
            f"the files of {name} are not in {fetched}; `milan fetch {name}` brings them{others}"
        )
    return installed


def installed_folder(name: str) -> Path | None:
    """The folder of installed packages that the one of an asset is in; None: it is not there."""
    spec = load_registry().get(name)
    if spec is None:
        return None
    try:
        distribution = metadata.distribution(spec.package)
    except metadata.PackageNotFoundError:
        return None
    if distribution.version != spec.version:
        return None
    return Path(str(distribution.locate_file("")))
