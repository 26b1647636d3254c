"""The version, in one place: the build, the clients' user agent and the server read it here."""

__version__ = "0.1.0"
