"""The store on a file: ``store`` what it is, ``writer`` whose turn it is, ``files``, ``backup``."""
