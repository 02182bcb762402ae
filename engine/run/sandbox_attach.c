/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	open_tree(code)              a copy of the mount, ours, read-only from now on
 *	setns(mount, host name)      where the sandbox is
 *	move_mount()                 there it is
 *
 * A mount namespace belongs to a user namespace, and who changes it must be privileged there. Root is everywhere. An
 * ordinary user is in the namespaces that descend from ours and that it made: so the child enters the one that owns
 * the sandbox's mounts. But to copy a mount it must be privileged where that is, which is in a namespace beside that,
 * and no process is in both: a second child, with which it shares its descriptors, opens the copy there.
 */
#include "run/sandbox_attach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/sandbox.h"
#include "run/sandbox_overlay.h"

#define PATIENCE_MS 2000

/* Of the children: their exit status is the errno, which has less than eight bits where it matters. */
static _Noreturn void leave(int error)
{
	_exit(-error & 0xff);
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/* With the layers over it, in a mount namespace of our own. */
static int cover(const struct sandbox_attachment *attachment)
{
	struct sandbox_overlay overlay;
	int error = 0;

	if (attachment->is_root &&
	        (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0))
		return -errno;
	error = sandbox_overlay_open(&overlay, attachment->layers, attachment->code);
	return error ? error : sandbox_overlay_mount(&overlay, attachment->code);
}

/* A descriptor or -errno. */
static int copy_mount(const struct sandbox_attachment *attachment)
{
	struct mount_attr attributes = {
	        .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	int error = attachment->is_root ? 0 : sandbox_overlay_unshare();
	int tree;

	if (!error && attachment->layers)
		error = cover(attachment);
	if (error)
		return error;
	tree = open_tree(AT_FDCWD, attachment->code, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return -errno;
	return tree;
}

/* In the second child, which keeps nothing open but what it shares: it is at the number that the pipe tells. */
static int copy_mount_beside(const struct sandbox_attachment *attachment)
{
	int ends[2], tree = -EIO, error;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0) {
		tree = copy_mount(attachment);
		leave(write(ends[1], &tree, sizeof(tree)) == sizeof(tree) ? 0 : -EIO);
	}
	if (child < 0)
		return -errno;
	error = wait_for(child);
	if (!error && read(ends[0], &tree, sizeof(tree)) != sizeof(tree))
		error = -EIO;
	return error ? error : tree;
}

static int open_namespace(pid_t pid, const char *name)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int enter(const struct sandbox_attachment *attachment)
{
	int mounts = open_namespace(attachment->inside, "mnt");
	int names = open_namespace(attachment->inside, "uts");
	int owner;

	if (mounts < 0 || names < 0)
		return -errno;
	if (!attachment->is_root) {
		owner = ioctl(mounts, NS_GET_USERNS);
		if (owner < 0 || setns(owner, CLONE_NEWUSER) < 0)
			return -errno;
	}
	if (setns(names, CLONE_NEWUTS) < 0 || setns(mounts, CLONE_NEWNS) < 0)
		return -errno;
	return 0;
}

static int attach(const struct sandbox_attachment *attachment)
{
	int tree, error;

	/* Layers of root's are mounted in a namespace that is left again with the copy in hand. */
	tree = attachment->is_root ? copy_mount(attachment) : copy_mount_beside(attachment);
	if (tree < 0)
		return tree;
	error = enter(attachment);
	if (error)
		return error;
	if (sethostname(attachment->hostname, strlen(attachment->hostname)) < 0 ||
	        move_mount(tree, "", AT_FDCWD, SANDBOX_CODE, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

/* Where the state directory does not answer, only this start waits for it: it is then made without us. */
static int wait_for_a_while(pid_t child)
{
	CLEANUP(close_p) int process = (int)syscall(SYS_pidfd_open, child, 0);
	struct pollfd end = {.fd = process, .events = POLLIN};

	if (process >= 0 && poll(&end, 1, PATIENCE_MS) == 0) {
		kill(child, SIGKILL);
		return -ETIMEDOUT;
	}
	return wait_for(child);
}

int sandbox_attach(const struct sandbox_attachment *attachment)
{
	pid_t child = fork();

	if (child == 0)
		leave(attach(attachment));
	return child < 0 ? -errno : wait_for_a_while(child);
}
