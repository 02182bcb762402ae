/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_links.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_copy.h"
#include "store/worktree_nodes.h"

/* A directory of the search, in which its nodes are only made when a name of interest is found. */
struct step {
	const struct step *above; /* NULL: the root */
	int fd;
	const char *name;
};

static int step_node(
        struct worktree *tree, const struct step *step, struct worktree_node **directory)
{
	struct worktree_node *above;
	struct stat attr;
	int r;

	if (!step->above) {
		*directory = tree->root;
		return 0;
	}
	r = step_node(tree, step->above, &above);
	if (r < 0)
		return r;
	if (fstat(step->fd, &attr) < 0)
		return -errno;
	return node_get(directory, above, step->name, &attr);
}

static int found(struct worktree_node *node, const struct step *step, const char *name)
{
	struct worktree_node *directory;
	int r = step_node(node->tree, step, &directory);

	if (r < 0)
		return r;
	r = node_add_name(node, directory, name);
	node_free_if_unused(directory);
	return r;
}

static int search(struct worktree_node *node, const struct step *step);

static int search_entry(
        struct worktree_node *node, const struct step *step, const struct dirent *entry)
{
	struct step below = {.above = step, .fd = -1, .name = entry->d_name};
	struct stat attr;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	if (entry->d_ino == node->ino)
		return found(node, step, entry->d_name);
	if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
		return 0;
	if (entry->d_type == DT_UNKNOWN &&
	        (fstatat(step->fd, entry->d_name, &attr, AT_SYMLINK_NOFOLLOW) < 0 ||
	                !S_ISDIR(attr.st_mode)))
		return 0;
	below.fd = copy_open_directory(step->fd, entry->d_name);
	if (below.fd < 0)
		return below.fd == -EACCES ? 0 : below.fd;
	return search(node, &below);
}

/* Takes the descriptor of the step over. */
static int search(struct worktree_node *node, const struct step *step)
{
	DIR *dir = fdopendir(step->fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		close(step->fd);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = search_entry(node, step, entry);
	closedir(dir);
	return r;
}

int links_learn(struct worktree_node *node)
{
	struct step root = {.fd = -1};
	struct stat attr;

	if (S_ISDIR(node->type) || (node->links && node_count_names(node) >= node->links))
		return 0;
	if (node_stat(node, &attr) < 0 || node_count_names(node) >= attr.st_nlink)
		return 0;
	root.fd = copy_open_directory(node->tree->root_fd, ".");
	return root.fd < 0 ? root.fd : search(node, &root);
}
