"""The Explorer: an operator's look into the effect ledger, with a browser, and what may be done.

Every page works without scripts, as links and forms. Nothing is fetched from elsewhere.

A page that is open asks for what has changed: the overview and an effect's page every 5 seconds, a
list every 10. Each of these looks at a bounded number of rows, some milliseconds' work at a million
effects, and reads what is committed: what another process on the database has changed is seen as
soon as what this one has. So nobody is told of the ledger's changes (``Store.listen``). On
PostgreSQL that would not be free: transactions that NOTIFY commit one after the other, in the whole
server, and the ledger's are those that must not wait for each other. A page would be fresher by 5
seconds at most.
"""

from .api import Explorer

__all__ = ["Explorer"]
