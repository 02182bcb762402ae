/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a chroot the kernel lets nobody make a user namespace, and no sandbox can be built. Root of the guardian's
 * own mount namespace is allowed to be something better: the directory that is `/` for this process becomes
 * the root of the namespace itself. What can be seen stays the same; it is no chroot any more.
 *
 *	open_tree("/")            a copy of all that is seen here, attached nowhere
 *	chroot("/usr"), cd ..     leaves the working directory above the root, and climbs to the namespace's
 *	move_mount(copy, ".")     covers that with the copy
 *	chroot(copy)              which is the root now
 *
 * The namespace was made by unshare(), so nobody else is in it, and nothing spreads out of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/guardian.h"

static bool user_namespaces_refused(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status != 0;
}

/* Up to where it goes no further. */
static int climb(void)
{
	struct stat here, above;

	do
		if (stat(".", &here) < 0 || chdir("..") < 0 || stat(".", &above) < 0)
			return -errno;
	while (here.st_dev != above.st_dev || here.st_ino != above.st_ino);
	return 0;
}

static int cover_root(int tree)
{
	if (chroot("/usr") < 0)
		return -errno;
	if (climb() < 0 || mount(NULL, ".", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	        move_mount(tree, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

void guardian_leave_chroot(void)
{
	CLEANUP(close_p) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(close_p) int tree = -1;

	if (root < 0 || !user_namespaces_refused())
		return;
	tree = open_tree(
	        AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_RECURSIVE);
	if (tree < 0 || fchdir(root) < 0)
		return;
	/* However far that went, what was the root is it again. */
	if (fchdir(cover_root(tree) == 0 ? tree : root) < 0 || chroot(".") < 0 || chdir("/") < 0)
		_exit(1);
}
