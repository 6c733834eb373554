"""The version is the program's, and the wheel is for the machines that it runs on, whatever the Python."""
import os

from setuptools import Distribution, setup


class Binary(Distribution):
    def has_ext_modules(self):
        return True


setup(
    version=os.environ.get("EDGEC_VERSION", "0.0.0"),
    distclass=Binary,
    options={"bdist_wheel": {"python_tag": "py3", "plat_name": "manylinux_2_36_x86_64"}},
)
