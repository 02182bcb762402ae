/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_directories.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

int worktree_open_directory(struct worktree_node *node, struct worktree_directory **out)
{
	struct worktree_directory *directory = calloc(1, sizeof(*directory));
	int fd = directory ? node_open(node, O_RDONLY | O_DIRECTORY) : -ENOMEM;

	if (fd < 0) {
		free(directory);
		return fd;
	}
	directory->dir = fdopendir(fd);
	if (!directory->dir) {
		close(fd);
		free(directory);
		return -ENOMEM;
	}
	directory->node = node;
	worktree_ref(node->tree); /* the root does not keep its tree alive by itself */
	node->files++;
	*out = directory;
	return 0;
}

int worktree_next(struct worktree_directory *directory, off_t after, struct worktree_item *item)
{
	struct dirent *entry;

	if (after != directory->at || after == 0) {
		if (after == 0)
			rewinddir(directory->dir);
		else
			seekdir(directory->dir, after);
		directory->at = after;
	}
	errno = 0;
	entry = readdir(directory->dir);
	if (!entry)
		return errno ? -errno : 0;
	directory->at = entry->d_off;
	item->name = entry->d_name;
	item->ino = entry->d_ino;
	item->type = DTTOIF(entry->d_type);
	item->next = entry->d_off;
	return 1;
}

bool worktree_is_known(struct worktree_node *directory, const struct worktree_item *item)
{
	struct worktree_node *node = node_find(directory->tree, item->ino);

	return node && node->lookups && !node->written &&
	       node_has_name(node, directory, item->name);
}

struct worktree_node *worktree_directory_node(const struct worktree_directory *directory)
{
	return directory->node;
}

void worktree_close_directory(struct worktree_directory *directory)
{
	struct worktree_node *node = directory->node;
	struct worktree *tree = node->tree;

	closedir(directory->dir);
	node->files--;
	free(directory);
	node_free_if_unused(node);
	worktree_unref(tree);
}
