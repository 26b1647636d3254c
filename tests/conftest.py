"""What every test process begins with."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background of a shell ignores it, as would the processes that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
