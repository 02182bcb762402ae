/* SPDX-License-Identifier: Apache-2.0 */
/* docs/tree.md, from the table. */
#include <stdio.h>
#include <string.h>

#include "fs/behaviour.h"
#include "fs/tree.h"

static const char head[] =
        "# The tree\n"
        "\n"
        "Printed from the table in `fs/tree.c` by `fnfsd --print-tree`; do not edit.\n"
        "\n"
        "A **directory** holds what follows below it; a name in capitals stands for one entry per\n"
        "object. A **text** is rendered when it is opened and stays as it is until it is closed. "
        "A\n"
        "**value** is set by writing it and read back in canonical form. A **tail** is a text with "
        "a\n"
        "true size that may grow; a **follow** waits at the end for more, and is not listed. A "
        "**link**\n"
        "is a symbolic link. A **call** is a conversation: write the event, read the response. "
        "**code**\n"
        "is a working tree, and **files** are a tree on disk, read-only. A **snapshot** is what "
        "was\n"
        "published; an **upload** is a file until it is complete. Modes are those of a new "
        "object;\n"
        "`chmod`, `chown` and `chgrp` change them and are kept.\n"
        "\n"
        "| path | mode | acts as | what it is |\n"
        "|---|---|---|---|\n";

static char type_letter(mode_t mode)
{
	return S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : '-';
}

static void print_mode(struct buf *out, mode_t mode)
{
	static const char letters[] = "rwxrwxrwx";
	int i;

	buf_printf(out, "`%c", type_letter(mode));
	for (i = 0; i < 9; i++)
		buf_printf(out, "%c", mode & (0400 >> i) ? letters[i] : '-');
	buf_puts(out, "`");
}

/* An item row has its name in its help: "NAME: what it is". */
static const char *split_help(const struct row *row, char name[64])
{
	const char *colon = row->name ? NULL : strchr(row->help, ':');

	if (!colon) {
		snprintf(name, 64, "%s", row->name ? row->name : "...");
		return row->help;
	}
	snprintf(name, 64, "%.*s", (int)(colon - row->help), row->help);
	return colon + 2;
}

static void print_row(struct buf *out, const struct row *row, const char *above)
{
	const struct row *child;
	char name[64], path[512];
	const char *help = split_help(row, name);

	snprintf(path, sizeof(path), "%s%s%s", above, name, S_ISDIR(row->mode) ? "/" : "");
	buf_printf(out, "| `%s` | ", path);
	print_mode(out, row->mode);
	buf_printf(out, " | %s | %s |\n", row->behaviour->name, help);
	for (child = row->children; child && child->id; child++)
		print_row(out, child, path);
}

void tree_print(struct buf *out)
{
	const struct row *row;

	buf_puts(out, head);
	for (row = tree_root()->children; row->id; row++)
		print_row(out, row, "");
}
