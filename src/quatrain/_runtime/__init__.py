"""The one hand-written pair: what differs between awaiting and blocking, and nothing else.

The source in ``_async/`` imports from ``_runtime._async``; the generator swaps the module. Both
halves have the same names and signatures, so nothing above them ever asks which it is on.
"""
