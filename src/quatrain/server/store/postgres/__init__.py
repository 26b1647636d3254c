"""The store on PostgreSQL, which needs the driver; ``url`` alone does not.

``store`` what it is, ``writer`` batches, ``connection`` what operations see of it, ``sql`` how the
one text is put, ``listener`` what others have written, ``clock``, ``errors``.
"""
