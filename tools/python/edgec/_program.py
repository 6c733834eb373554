"""The program that does the work: found, run, and its messages taken apart."""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from typing import Callable, Mapping, NamedTuple, NoReturn, Optional, Sequence, Union

Value = Union[bool, int, float, str, "os.PathLike[str]", None]
Option = Union[Value, Sequence[Value]]
Progress = Callable[[float, str], object]


class Error(Exception):
    """The program's sentence; `status` is its exit status."""

    status = 70


class UsageError(Error):
    status = 2


class BadInput(Error):
    status = 3


class Unsupported(Error):
    status = 4


class ResourceError(Error):
    status = 5


class Interrupted(Error):
    status = 130


_errors = {kind.status: kind for kind in (UsageError, BadInput, Unsupported, ResourceError, Interrupted)}


class Done(NamedTuple):
    status: int  # 0; 1: a budget or a tolerance was missed
    output: str
    messages: Sequence[str]


def path() -> str:
    """$EDGEC_PROGRAM, the one in this wheel, or the one on PATH."""
    inside = pathlib.Path(__file__).parent / "program" / "bin" / "edgec"
    found = os.environ.get("EDGEC_PROGRAM") or (str(inside) if inside.exists() else shutil.which("edgec"))
    if not found:
        raise ResourceError("the program edgec is neither in this package nor on PATH; EDGEC_PROGRAM can name it")
    return found


def words(options: Mapping[str, Option]) -> list[str]:
    """Keywords as the command line has them: weight_bits=4 is --weight-bits 4, int8=True is --int8, a list is an option
    given several times; None and False are left out."""
    found: list[str] = []
    for name, option in options.items():
        flag = "--" + name.replace("_", "-")
        listed = isinstance(option, Sequence) and not isinstance(option, str)
        for value in option if listed else [option]:  # type: ignore[union-attr]
            if value is None or value is False:
                continue
            found.append(flag if value is True else f"{flag}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    return found


def run(arguments: Sequence[str], progress: Optional[Progress] = None) -> Done:
    """Runs the program to its end. Raises an Error for every status but 0 and 1; Ctrl-C and exceptions of `progress`
    end the program, too."""
    command = [path(), *arguments, "--color=never", *(["--progress-lines"] if progress else ["--no-progress"])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            # both are read at once, or a long report would wait for a reader of messages that waits for it
            output: list[str] = []
            assert process.stdout is not None and process.stderr is not None
            reader = threading.Thread(target=lambda: output.append(process.stdout.read()))  # type: ignore[union-attr]
            reader.start()
            messages = []
            for line in process.stderr:
                if progress and line.startswith('{"progress"'):
                    told = json.loads(line)
                    progress(told["progress"], told["step"])
                else:
                    messages.append(line.rstrip("\n"))
            reader.join()
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
    if status not in (0, 1):
        said = [line.split("edgec: error: ", 1)[1] for line in messages if "edgec: error: " in line]
        raise _errors.get(status, Error)(said[-1] if said else f"edgec ended with status {status}: " + " ".join(messages))
    return Done(status, "".join(output), messages)


def main() -> NoReturn:
    """`python -m edgec`: this process becomes the program."""
    os.execv(path(), ["edgec", *sys.argv[1:]])
