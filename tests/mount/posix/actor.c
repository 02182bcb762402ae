/* SPDX-License-Identifier: Apache-2.0 */
#include "actor.h"
#include "word.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

/*
 * The saved user id stays root's, so that the next step can be another user's; the real one changes
 * too, because access() asks for it.
 */
static void become(const struct part *part, int user)
{
	static const uid_t users[STEP_USERS] = {0, FIRST_USER, SECOND_USER};
	gid_t groups[2] = {users[user], SHARED_GROUP};

	if (!part->privileged)
		return;
	if (setresuid(0, 0, 0) < 0 || setgroups(user ? 2 : 0, groups) < 0 ||
	        setresgid(users[user], users[user], 0) < 0 ||
	        setresuid(users[user], users[user], 0) < 0)
		_exit(3);
}

/* Where the mount refuses device nodes, the local disk refuses them by the actor's lack of a right. */
static void imitate(const struct part *part)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (!part->reference || !part->licence.device || !part->privileged)
		return;
	if (syscall(SYS_capget, &header, data) < 0)
		_exit(3);
	data[0].permitted &= ~(1u << CAP_MKNOD);
	data[0].effective &= ~(1u << CAP_MKNOD);
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &header, data) < 0)
		_exit(3);
}

static void list(struct stage *stage)
{
	int directory = open("/proc/self/cwd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	listing_take(&stage->listing, directory);
	close(directory);
}

static void act(struct stage *stage, const struct part *part, int orders, int reports)
{
	struct hands hands = {
	        .licence = part->licence, .reference = part->reference, .base = part->directory};
	char order;
	int i;

	for (i = 0; i < HANDS_FILES; i++)
		hands.files[i] = -1;
	while (read(orders, &order, 1) == 1) {
		if (order == 'l') {
			list(stage);
		} else {
			become(part, stage->step.user);
			call_make(&hands, &stage->step, &stage->answer);
		}
		if (write(reports, &order, 1) != 1)
			break;
	}
	_exit(0);
}

static void enter(struct stage *stage, const struct part *part, int orders, int reports)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	imitate(part);
	umask(022);
	if (chdir(part->directory) < 0)
		_exit(2);
	act(stage, part, orders, reports);
}

int actor_start(struct actor *actor, const struct part *part)
{
	int orders[2], reports[2];

	memset(actor, 0, sizeof(*actor));
	actor->stage = mmap(NULL, sizeof(*actor->stage), PROT_READ | PROT_WRITE,
	        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (actor->stage == MAP_FAILED || pipe2(orders, O_CLOEXEC) < 0 ||
	        pipe2(reports, O_CLOEXEC) < 0)
		return -errno;
	actor->pid = fork();
	if (actor->pid < 0)
		return -errno;
	if (actor->pid == 0) {
		close(orders[1]);
		close(reports[0]);
		enter(actor->stage, part, orders[0], reports[1]);
	}
	close(orders[0]);
	close(reports[1]);
	actor->orders = orders[1];
	actor->reports = reports[0];
	return 0;
}

void actor_stop(struct actor *actor)
{
	if (actor->pid <= 0)
		return;
	kill(actor->pid, SIGKILL);
	waitpid(actor->pid, NULL, 0);
	close(actor->orders);
	close(actor->reports);
	munmap(actor->stage, sizeof(*actor->stage));
	actor->pid = 0;
}

static int send_order(struct actor *actor, char order)
{
	actor->busy = true;
	return write(actor->orders, &order, 1) == 1 ? 0 : -EPIPE;
}

int actor_begin(struct actor *actor, const struct step *step)
{
	actor->stage->step = *step;
	return send_order(actor, 's');
}

int actor_finish(struct actor *actor, int timeout_ms)
{
	struct pollfd wait = {.fd = actor->reports, .events = POLLIN};
	char byte;

	if (poll(&wait, 1, timeout_ms) != 1)
		return -ETIMEDOUT;
	if (read(actor->reports, &byte, 1) != 1)
		return -EPIPE;
	actor->busy = false;
	return 0;
}

int actor_list(struct actor *actor, int timeout_ms)
{
	int result = send_order(actor, 'l');

	return result < 0 ? result : actor_finish(actor, timeout_ms);
}
