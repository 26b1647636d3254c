"""``python -m quatrain.cli``."""

from . import main

main()
