/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Names in an archive are words of a stranger. A clean name is relative, has no empty, `.` or `..` steps
 * and fits the file system; "" is the directory that is unpacked into itself.
 */
#include <limits.h>
#include <stdbool.h>

enum entry_name_fault {
	NAME_FINE,
	NAME_ABSOLUTE,
	NAME_LEAVES, /* has a step `..` */
	NAME_LONG,   /* it, or one of its steps */
	NAME_DEEP,
	NAME_EMPTY,
};

enum entry_name_fault entry_name_clean(char out[PATH_MAX], const char *name, int deepest);
const char *entry_name_fault_text(enum entry_name_fault fault);

/* Whether a symbolic link of this clean name with this target stays in the tree, by the words alone. */
bool entry_link_stays(const char *name, const char *target);
