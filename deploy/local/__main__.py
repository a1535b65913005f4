"""`python -m deploy.local [DATA_DIR]`: the stack in the foreground until Ctrl-C or SIGTERM."""

import signal
import sys
import threading
from pathlib import Path

from deploy.local.failure import StackError
from deploy.local.stack import Stack


def main(data_dir: Path) -> int:
    """0 after an ordered end, 1 when it could not start or a server ended by itself (one line says why)."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    stack = Stack(data_dir)
    try:
        with stack:
            print(f"Kafka       {stack.bootstrap}\nPostgreSQL  {stack.dsn()}\nCtrl-C ends both.", flush=True)
            while not ended.wait(1):
                stack.check()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".lethe")))
