"""The connect page: where a person lets an app use an integration, with a browser and no script.

Source: contracts, Vendo, ``connect_url``; what the contract leaves open stands in the modules.
"""

from .api import ConnectPage

__all__ = ["ConnectPage"]
