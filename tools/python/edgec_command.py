"""The command `edgec` of the wheel: this process becomes the program, before anything else is imported."""
import os
import sys


def main() -> None:
    inside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "edgec", "program", "bin", "edgec")
    os.execv(inside, ["edgec", *sys.argv[1:]])
