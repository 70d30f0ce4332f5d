"""Where the packages are: the top-level folders that hold an `__init__.py` are the subpackages of `layerblocks`.

Installed as plain `blocks` or `viz` they would be shadowed by the first blocks.py in a user's folder.
"""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
ROOMS = sorted(path.parent.name for path in HERE.glob("*/__init__.py") if path.parent.name != "tests")
FOLDERS = {
    "layerblocks": "src/layerblocks",
    **{
        f"layerblocks.{name}": name.replace(".", "/")
        for room in ROOMS
        for name in (room, *(f"{room}.{inner}" for inner in find_packages(str(HERE / room))))
    },
}


class FreshBuild(build_py):
    """Copies into an empty folder: what an earlier build left there would go into the wheel again."""

    def run(self) -> None:
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(
    packages=list(FOLDERS),
    package_dir=FOLDERS,
    package_data={"": ["py.typed", "*.pyi"], "layerblocks.viz": ["font_files/*", "page_files/*"]},
    cmdclass={"build_py": FreshBuild},
)
