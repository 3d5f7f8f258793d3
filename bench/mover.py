"""The best public mover of messages that runs here, in an environment of its own: none of it is in our lock."""

import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "sqs-mover==0.0.6"


@contextmanager
def mover(folder: Path) -> Iterator[Callable[[str, str], object] | None]:
    """Install it into *folder*; yield what moves messages from queue to queue, by name; None where it cannot be."""
    place = folder / "mover"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    try:
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NAME]
        subprocess.run(install, check=True, timeout=300)
    except subprocess.SubprocessError as error:
        sys.stderr.write(f"{NAME} could not be installed, so it is not measured: {error}\n")
        yield None
        return
    # Imported once and then run, as we are: its start is not what is measured.
    code = (
        "import sys; from sqs_mover.sqs_mover import move_messages\n"
        "for line in sys.stdin: move_messages(*line.split(), 10); print(flush=True)"
    )
    with subprocess.Popen([python, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("A pipe that was asked for is not there.")
        talk, listen = process.stdin, process.stdout

        def move(source: str, target: str) -> object:
            print(source, target, file=talk, flush=True)
            return listen.readline()

        yield move
        process.terminate()
