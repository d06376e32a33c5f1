"""MILAN with a narrower search and a larger lambda: 10 beams and .6 in place of 50 and .2.

On the embedded default this names the concept of more units, for nothing; the published settings
stay the default of `milan`.
"""

from __future__ import annotations

from typing import ClassVar

from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.milan import Milan
from milan_core.describers.options import MilanTunedOptions


class MilanTuned(Milan):
    """A captioner with the tuned search."""

    Options: ClassVar[type[DescriberOptions]] = MilanTunedOptions
