"""``/openapi.json``: what the platform serves, told from the classes and the tables that serve it.

``document.document()`` makes it, ``api.Served`` serves it.
"""
