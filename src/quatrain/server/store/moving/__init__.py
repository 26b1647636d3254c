"""From a file to PostgreSQL.

``copying`` the move, with ``copy_source`` and ``copy_target``; ``moved`` the mark that it leaves.
"""
