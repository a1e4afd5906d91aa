"""Where `rookify` begins: little is imported here, so that Ctrl-C is heard while everything else is."""

import os
import signal

_INTERRUPTED = 130  # as cli/_errors.py says; importing it from there would import the half of the rest


def main() -> None:
    # Imports take most of a second. An exception out of the middle of one would be a traceback, or be taken
    # for something else by the module that is being imported; nothing is open yet that wants closing.
    python_hears_it = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not so under nohup
    if python_hears_it:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from orchestrator.cli.app import main as run

    try:
        if python_hears_it:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
