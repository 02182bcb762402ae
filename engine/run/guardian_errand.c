/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From fork to the program. The program is opened first, by us, for the user may not reach where we are
 * installed; the groups of processes are entered and the daemon's view of the file system taken while we
 * may; then the identity goes, for good, and after it is set what ends us with the guardian.
 */
#include "run/guardian_errand.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/guardian_order.h"
#include "run/sandbox.h"

enum { GROUPS_MAX = 65536, ABOVE_TARGETS = 64 };

struct errand_order {
	struct message_run numbers;
	gid_t *groups;
	const char *name;
	const char **argv, **environment;
};

struct errand_child {
	const struct errand_order *order;
	const struct errand_view *view;
	const struct limits *limits;
	const int *descriptors;
	pid_t guardian;
	int status, program;
};

void errand_view_init(struct errand_view *view)
{
	*view = (struct errand_view){-1, -1};
	if (geteuid() != 0)
		return;
	view->mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	view->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void errand_view_deinit(struct errand_view *view)
{
	view->mounts = close_fd(view->mounts);
	view->root = close_fd(view->root);
}

static void errand_order_deinit(struct errand_order *order)
{
	free(order->groups);
	free(order->argv);
	free(order->environment);
}

static int take_groups(struct errand_order *order, const char **place, const char *end)
{
	size_t length = order->numbers.groups * sizeof(gid_t);

	if (order->numbers.groups > GROUPS_MAX || (size_t)(end - *place) < length)
		return -EBADMSG;
	order->groups = malloc(length + 1);
	if (!order->groups)
		return -ENOMEM;
	memcpy(order->groups, *place, length);
	*place += length;
	return 0;
}

static int parse_order(struct errand_order *order, const char *body, size_t length)
{
	const char *place = body + sizeof(order->numbers), *end = body + length;
	int error;

	memset(order, 0, sizeof(*order));
	if (length < sizeof(order->numbers))
		return -EBADMSG;
	memcpy(&order->numbers, body, sizeof(order->numbers));
	error = take_groups(order, &place, end);
	if (error)
		return error;
	order->name = message_next_string(&place, end);
	order->argv = order_take_strings(&place, end, order->numbers.arguments);
	order->environment = order_take_strings(&place, end, order->numbers.variables);
	return order->name && order->argv && order->argv[0] && order->environment ? 0 : -EBADMSG;
}

static _Noreturn void give_up(const struct errand_child *child, const char *what)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
	send(child->status, text, strlen(text), MSG_NOSIGNAL);
	_exit(127);
}

/* Where that is refused, it does without our mounts. */
static void take_view(const struct errand_child *child)
{
	const struct errand_view *view = child->view;

	if (view->mounts >= 0 && view->root >= 0 && setns(view->mounts, CLONE_NEWNS) == 0 &&
	        (fchdir(view->root) < 0 || chroot(".") < 0))
		give_up(child, "taking the daemon's view of the file system");
	if (chdir("/") < 0)
		give_up(child, "/");
}

static void take_identity(const struct errand_child *child)
{
	const struct message_run *numbers = &child->order->numbers;
	uid_t uid = numbers->uid;
	gid_t gid = numbers->gid;

	errno = EPERM;
	if (geteuid() != 0 ? uid != geteuid()
	                   : setgroups(numbers->groups, child->order->groups) < 0 ||
	                             setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		give_up(child, "becoming the user");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != child->guardian)
		_exit(126);
}

static int move_up(const struct errand_child *child, int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_TARGETS);

	if (moved < 0)
		give_up(child, "arranging descriptors");
	return moved;
}

static void place_descriptors(struct errand_child *child)
{
	const int third = child->order->numbers.errors ? 2 : 3;
	const int targets[MESSAGE_DESCRIPTORS] = {0, 1, third};
	int fds[MESSAGE_DESCRIPTORS], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	child->status = move_up(child, child->status);
	child->program = move_up(child, child->program);
	null = move_up(child, null);
	for (int i = 0; i < MESSAGE_DESCRIPTORS; i++)
		fds[i] = move_up(child, child->descriptors[i]);
	for (int i = 0; i < MESSAGE_DESCRIPTORS; i++)
		if (dup2(fds[i], targets[i]) < 0)
			give_up(child, "arranging descriptors");
	if (third != 2 && dup2(null, 2) < 0)
		give_up(child, "arranging descriptors");
	if (close_range((unsigned)third + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		give_up(child, "arranging descriptors");
}

static _Noreturn void enter(struct errand_child *child, const char *group)
{
	const struct errand_order *order = child->order;
	int error;

	sandbox_fresh_process();
	error = limits_enter(child->limits, group);
	errno = -error;
	if (error)
		give_up(child, "entering the control group");
	take_view(child);
	place_descriptors(child);
	take_identity(child);
	fexecve(child->program, (char *const *)order->argv, (char *const *)order->environment);
	/* A script: its interpreter could not open a descriptor that is closed by then. */
	if (errno == ENOENT)
		execve(order->argv[0], (char *const *)order->argv,
		        (char *const *)order->environment);
	give_up(child, order->argv[0]);
}

static int launch(struct ward *ward, struct errand_child *child, const char *group)
{
	CLEANUP(close_p) int ours = -1;
	CLEANUP(close_p) int theirs = -1;
	CLEANUP(close_p) int program = -1;
	int pair[2], error = ward_open_status(pair);

	if (error)
		return error;
	ours = pair[0];
	theirs = child->status = pair[1];
	program = child->program = open(child->order->argv[0], O_PATH | O_CLOEXEC);
	if (program < 0)
		return -errno;
	child->guardian = getpid();
	ward->bubblewrap = ward->runtime = fork();
	if (ward->bubblewrap == 0)
		enter(child, group);
	if (ward->bubblewrap < 0)
		return -errno;
	ward->status = take_fd(ours);
	return 0;
}

static int launch_limited(struct ward *ward, struct errand_child *child)
{
	const struct message_run *numbers = &child->order->numbers;
	const struct limits_values values = {
	        .memory_bytes = numbers->memory_bytes, .max_processes = numbers->max_processes};
	int error = limits_create(child->limits, ward->group, &values);

	if (error)
		return error;
	ward->memory_event = limits_watch_memory(child->limits, ward->group);
	error = launch(ward, child, ward->group);
	if (error)
		limits_remove(child->limits, ward->group);
	return error;
}

int errand_start(struct ward **out, const struct errand_view *view, const struct limits *limits,
        uint64_t id, const char *body, size_t length, const int descriptors[MESSAGE_DESCRIPTORS],
        struct buf *why)
{
	struct errand_order order;
	struct errand_child child = {
	        .order = &order, .view = view, .limits = limits, .descriptors = descriptors};
	struct ward *ward = NULL;
	int error = parse_order(&order, body, length);

	for (size_t i = 0; i < MESSAGE_DESCRIPTORS && !error; i++)
		if (descriptors[i] < 0)
			error = -EMFILE;
	if (!error && !(ward = ward_new(id, order.name, order.numbers.memory_bytes)))
		error = -ENOMEM;
	if (!error) {
		ward->errand = true;
		error = launch_limited(ward, &child);
	}
	if (error)
		buf_printf(why, "starting %s: %s",
		        order.argv && order.argv[0] ? order.argv[0] : "a program",
		        strerror(-error));
	errand_order_deinit(&order);
	*out = error ? ward_free(ward) : ward;
	return error;
}
