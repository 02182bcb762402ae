#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# stage.sh SOURCE DESTINATION STAMP: copies a runtime's directory, times kept, and compiles its Python.
# stage.sh --compile DIRECTORY: compiles the Python below an installed directory ($DESTDIR is honoured).
# Compiled modules save each start of an instance, which cannot write them itself, about 10 ms.
set -eu

compile() {
	[ ! -x /usr/bin/python3 ] || /usr/bin/python3 -m compileall -q -x "/(template|samples)/" "$1" || :
}

if [ "$1" = --compile ]; then
	compile "${DESTDIR:-}$2"
	exit
fi
mkdir -p "$2"
(cd "$1" && tar -cf - --exclude=__pycache__ --exclude=meson.build \
	--anchored --no-wildcards-match-slash --exclude='./*.[ch]' .) | (cd "$2" && tar -xpf -)
compile "$2"
: >"$3"
