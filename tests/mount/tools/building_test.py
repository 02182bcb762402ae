#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Code is built where it lies. A user would lose the trust in make, which goes by times, and in what a
compiler, a linker and a package manager leave behind."""
import json
import os
import shutil
import subprocess
import sys

import workshop
from workshop import need

PARTS = 24

MAKEFILE = """
PARTS := $(shell seq 1 %d)
OBJECTS := $(PARTS:%%=part%%.o)
all: program libparts.so libparts.a
program: main.o libparts.a
\t@$(CC) -o $@ main.o libparts.a && echo link $@
libparts.a: $(OBJECTS)
\t@rm -f $@; ar rcsD $@ $(OBJECTS) && echo archive
libparts.so: $(OBJECTS)
\t@$(CC) -shared -o $@ $(OBJECTS) && echo shared
%%.o: %%.c parts.h
\t@$(CC) -O1 -fPIC -c -o $@ $< && echo compile $<
part1.o: extra.h
clean:
\trm -f *.o *.a *.so program
""" % PARTS


def project(place):
    place.write("Makefile", MAKEFILE)
    place.write("parts.h", "".join(f"int part{number}(void);\n" for number in range(1, PARTS + 1)))
    place.write("extra.h", "#define EXTRA 1\n")
    for number in range(1, PARTS + 1):
        include = '#include "extra.h"\n' if number == 1 else ""
        place.write(f"part{number}.c",
                    f'#include "parts.h"\n{include}int part{number}(void) {{ return {number}; }}\n')
    calls = " + ".join(f"part{number}()" for number in range(1, PARTS + 1))
    place.write("main.c", '#include <stdio.h>\n#include "parts.h"\n'
                          f'int main(void) {{ printf("%d\\n", {calls}); return 0; }}\n')


def make_a_project(place):
    "make -j4 builds all, then nothing, then only what depends on what was touched."
    need("make", "gcc", "ar")
    project(place)
    place.run("make", "-j4", "CC=gcc", sorts=True)
    place.run("./program")
    place.run("make", "-j4", "CC=gcc", sorts=True)
    place.run("touch", "extra.h")
    place.run("make", "-j4", "CC=gcc", sorts=True)
    place.write("part7.c", '#include "parts.h"\nint part7(void) { return 700; }\n')
    place.run("make", "-j4", "CC=gcc", sorts=True)
    place.run("./program")
    place.run("strip", "program")
    place.run("./program")
    place.run(sys.executable, "-c", "import ctypes; print(ctypes.CDLL('./libparts.so').part7())")
    place.run("make", "clean", silent=True)
    place.run("make", "-j4", "CC=gcc", "program", sorts=True)


def compile_and_run(place):
    "A program that was just linked runs; while it runs it cannot be written, but replaced."
    need("gcc")
    place.write("sleeper.c", '#include <unistd.h>\n#include <stdio.h>\n'
                             'int main(void) { puts("up"); fflush(stdout); pause(); return 0; }\n')
    place.run("gcc", "-o", "sleeper", "sleeper.c")
    running = subprocess.Popen([place.path("sleeper")], stdout=subprocess.PIPE)
    try:
        running.stdout.readline()
        try:
            place.path("sleeper").open("r+b").close()
            place.say("writable")
        except OSError as error:
            place.say(error.strerror)
        place.run("gcc", "-O2", "-o", "sleeper.new", "sleeper.c")
        place.run("mv", "sleeper.new", "sleeper")
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()
    place.write("hello.c", '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    place.run("gcc", "-o", "hello", "hello.c")
    place.run("./hello")


def npm_installs(place):
    "npm install of packages that lie beside: hundreds of files, links to programs, a lock file."
    need("npm", "node")
    for package in "first", "second":
        place.write(f"packages/{package}/package.json",
                    json.dumps({"name": package, "version": "1.0.0", "main": "index.js",
                                "bin": {package: "cli.js"}}))
        place.write(f"packages/{package}/index.js", f"module.exports = '{package}';\n")
        place.write(f"packages/{package}/cli.js",
                    f"#!/usr/bin/env node\nconsole.log('{package} runs');\n", 0o755)
        for number in range(80):
            place.write(f"packages/{package}/lib/d{number % 9}/file{number}.js", f"// {number}\n" * number)
        place.run("npm", "pack", "--silent", "--pack-destination", place.home, f"./packages/{package}")
    place.write("app/package.json", json.dumps({"name": "app", "version": "1.0.0", "private": True}))
    npm = ["npm", "install", "--offline", "--no-audit", "--no-fund", "--silent"]
    place.run(*npm, place.home / "first-1.0.0.tgz", place.home / "second-1.0.0.tgz", below="app")
    place.run(*npm, "../packages/first", below="app")
    place.run("node", "-e", "console.log(require('first'), require('second'))", below="app")
    place.run("npx", "--no-install", "second", below="app")
    place.run("npm", "uninstall", "--offline", "--no-audit", "--no-fund", "--silent", "second", below="app")
    place.run("npm", "ls", "--silent", below="app", status=None, silent=True)
    place.left_out = ("app/package-lock.json", "app/node_modules/.package-lock.json", "app/package.json")


def python_environment(place):
    "python3 -m venv makes a tree of links, and runs from it."
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    place.run(python, "-m", "venv", "--without-pip", "env")
    place.write("env/probe.py", "import sys\nprint(sys.prefix != sys.base_prefix)\n")
    place.run("env/bin/python", "env/probe.py")
    place.write("package/__init__.py", "from .part import value\n")
    place.write("package/part.py", "value = 1\n")
    place.run(python, "-c", "import package; print(package.value)")
    # Of another length, as Python knows a changed file by its size and by whole seconds only.
    place.write("package/part.py", "value = 20\n")
    place.run(python, "-c", "import package; print(package.value)")
    place.run(python, "-m", "compileall", "-q", "package")
    shutil.rmtree(place.path("package", "__pycache__"))
    texts = ["pyvenv.cfg", "bin/activate", "bin/activate.csh", "bin/activate.fish", "bin/Activate.ps1"]
    place.left_out = tuple(f"env/{name}" for name in texts)


def configure_scripts(place):
    "Shell scripts that make, source, run and remove small files all the time."
    place.write("configure", """#!/bin/sh
set -e
for i in $(seq 1 60); do
    echo "value=$i" > conftest.$i
    . ./conftest.$i
    test "$value" = $i
    echo "#define HAVE_$i 1" >> config.h.new
    cat > conftest.sh <<END
#!/bin/sh
exit 0
END
    chmod +x conftest.sh
    ./conftest.sh
    rm -f conftest.*
done
if cmp -s config.h config.h.new; then rm config.h.new; else mv config.h.new config.h; fi
""", 0o755)
    place.run("./configure")
    before = place.path("config.h").stat().st_mtime_ns
    place.run("./configure")
    assert place.path("config.h").stat().st_mtime_ns == before


if __name__ == "__main__":
    workshop.main(make_a_project, compile_and_run, npm_installs, python_environment, configure_scripts)
