"""Evidence that can be checked by whoever has it, without asking anybody.

``verify_evidence`` recomputes an export's chain and names the first broken link; ``read_packs``
gives what stands in it. One idea a module: ``chain`` the hashes, ``manifest`` what an export says
of itself, ``writing`` and ``reading`` its two file formats, ``jsonpieces`` JSON a value at a time,
``zipmembers`` a ZIP's files, ``verification`` what is made of them all.
"""

from __future__ import annotations

from .verification import EvidenceReport, read_packs, verify_evidence

__all__ = ["EvidenceReport", "read_packs", "verify_evidence"]
