"""The one hand-written pair: what differs between awaiting and blocking, and nothing else.

The source in ``_async/`` imports from ``_runtime._async``; the generator swaps the package. Both
have the same modules, names and signatures, so nothing above them ever asks which it is on.

Each module imports from those before it only: ``clock``, ``waiting``, ``keeper``, ``ahead``,
``looplocal``, ``steps``, ``daemon``. Beside the pair is what both halves share (``_core``,
``_flights``, ``_forks``), and what one of them needs: ``_loops`` and ``_tasks`` the awaiting half,
``_timer`` the blocking one.
"""
