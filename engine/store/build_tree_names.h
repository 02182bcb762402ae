/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The names in a directory, all at once and in the order of their bytes. */
#include <stddef.h>

struct tree_names {
	char **items;
	size_t count, room;
};

int tree_names_read(struct tree_names *names, int fd); /* 0, -EIO, -ENOMEM: then there are none */
void tree_names_free(struct tree_names *names);
