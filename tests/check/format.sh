#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The layout of C files is clang-format's (version 14; others lay out differently), so that nobody has
# to think or talk about it.
cd "$(dirname "$0")/../.." || exit 1
for program in clang-format-14 clang-format; do
	case $($program --version 2>/dev/null) in
	*"version 14."*) break ;;
	esac
	program=
done
[ "$program" ] || { echo "clang-format 14 is not installed"; exit 77; }
find engine fs tools tests -name '*.[ch]' | sort | xargs "$program" --dry-run -Werror
