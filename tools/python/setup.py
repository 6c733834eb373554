"""The version is the program's, and the wheel is for the machines that it runs on, whatever the Python."""
import os

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel


class Binary(Distribution):
    def has_ext_modules(self) -> bool:
        return True


class AnyPython(bdist_wheel):
    def get_tag(self) -> "tuple[str, str, str]":
        return "py3", "none", "manylinux_2_36_x86_64"


setup(version=os.environ.get("EDGEC_VERSION", "0.0.0"), distclass=Binary, cmdclass={"bdist_wheel": AnyPython})
