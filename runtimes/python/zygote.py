# SPDX-License-Identifier: Apache-2.0
"""Starts Python once, with this runtime and what handlers like to import, to be forked into one sandbox after the other
(runtimes/README.md, "Zygotes"). It runs outside of sandboxes, where the runtime lies elsewhere; but what is forked
from it is inside, so its modules are loaded under the names that they have there."""
import sys
from importlib._bootstrap_external import SourceFileLoader, spec_from_file_location
from os import path

SEEN = "/opt/fnfs/runtime"
PACKAGE = "fnfs_runtime"


class Loader(SourceFileLoader):
    here = sys.path[0]

    def get_data(self, name):
        return super().get_data(self.here + name.removeprefix(SEEN))

    def path_stats(self, name):
        return super().path_stats(self.here + name.removeprefix(SEEN))

    def set_data(self, *_, **__):
        pass


class Finder:
    @staticmethod
    def find_spec(name, search=None, target=None):
        if name.partition(".")[0] != PACKAGE:
            return None
        place = "/" + name.replace(".", "/")
        for tail, inside in ("/__init__.py", [SEEN + place]), (".py", None):
            if path.isfile(Loader.here + place + tail):
                file = SEEN + place + tail
                return spec_from_file_location(
                    name, file, loader=Loader(name, file), submodule_search_locations=inside
                )
        return None


def main():
    from fnfs_runtime import zygote

    zygote.serve(f"{Loader.here}/template", f"{SEEN}/shim.py")
    # From here on it is a process in a sandbox, started as if by shim.py.
    sys.path_importer_cache.pop(Loader.here, None)
    Loader.here = SEEN
    sys.meta_path.remove(Finder)
    __import__(f"{PACKAGE}.main")
    sys.modules[f"{PACKAGE}.main"].main()


sys.meta_path.insert(0, Finder)
sys.path[0] = SEEN
main()
