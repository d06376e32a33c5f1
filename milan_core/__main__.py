"""`python -m milan_core` is the `milan` command."""

from milan_core.cli import main

raise SystemExit(main())
