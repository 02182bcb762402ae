/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process of pasta, from the guardian's side. It is ready when it has written its process id, which it
 * does after the network is configured and its own isolation stands; until then it has a limited time, for
 * it may hang or spin. When it breaks later the instance would be left with a network that swallows
 * everything, so the guardian ends the instance too.
 */
#include "run/outbound.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "run/instance_limits.h"

enum {
	READY_WITHIN_MS = 5000,
	MEMORY_MIB = 256, /* tables and what waits in its sockets; 30 at rest */
	PROCESSES = 8,    /* it makes short-lived ones that share its memory */
	WORDS_MAX = 4096,
};

struct outbound *outbound_new(const char *group, uid_t uid, gid_t gid, bool is_root)
{
	struct outbound *outbound = calloc(1, sizeof(*outbound));

	if (!outbound)
		return NULL;
	outbound->uid = uid;
	outbound->gid = gid;
	outbound->is_root = is_root;
	outbound->words = -1;
	if (asprintf(&outbound->group, "%s-out", group) < 0)
		outbound->group = NULL;
	return outbound->group ? outbound : outbound_free(outbound);
}

struct outbound *outbound_free(struct outbound *outbound)
{
	if (!outbound)
		return NULL;
	close_fd(outbound->words);
	buf_deinit(&outbound->said);
	free(outbound->group);
	free(outbound);
	return NULL;
}

__attribute__((format(printf, 2, 3))) static void give_up(
        struct outbound *outbound, const char *format, ...)
{
	va_list arguments;

	if (outbound->broken)
		return;
	va_start(arguments, format);
	vsnprintf(outbound->why, sizeof(outbound->why), format, arguments);
	va_end(arguments);
	outbound->broken = true;
	outbound->until_us = 0;
}

static pid_t fork_pasta(
        struct outbound *outbound, const struct limits *limits, int network, int words)
{
	const struct outbound_start start = {.outbound = outbound,
	        .limits = limits,
	        .network = network,
	        .words = words,
	        .guardian = getpid()};
	pid_t pid;

	/* It opens the pipe a second time, by name, and may be another user. */
	if (outbound->is_root && fchown(words, outbound->uid, outbound->gid) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		outbound_enter(&start);
	return pid;
}

void outbound_start(struct outbound *outbound, const struct limits *limits, int network)
{
	const struct limits_values values = {
	        .memory_bytes = (int64_t)MEMORY_MIB << 20, .max_processes = PROCESSES};
	int pair[2], error;

	if (!outbound_find()) {
		give_up(outbound, OUTBOUND_NEEDS);
		return;
	}
	error = limits_create(limits, outbound->group, &values);
	if (!error && pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		error = -errno;
	if (error) {
		give_up(outbound, "preparing pasta: %s", strerror(-error));
		return;
	}
	outbound->words = pair[0];
	outbound->pid = fork_pasta(outbound, limits, network, pair[1]);
	close(pair[1]);
	if (outbound->pid < 0) {
		outbound->pid = 0;
		give_up(outbound, "starting pasta: %s", strerror(errno));
		return;
	}
	outbound->until_us = clock_monotonic_us(&clock_system) + READY_WITHIN_MS * 1000;
}

/* A line of nothing but its process id. */
static bool says_its_number(const struct outbound *outbound)
{
	const char *text = outbound->said.length ? outbound->said.data : "";
	const char *end = text + outbound->said.length;
	char number[16];
	size_t length = (size_t)snprintf(number, sizeof(number), "%d\n", (int)outbound->pid);

	for (const char *line = text; line && line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		if ((size_t)(end - line) >= length && memcmp(line, number, length) == 0)
			return true;
		line = newline ? newline + 1 : NULL;
	}
	return false;
}

static void read_words(struct outbound *outbound)
{
	char text[512];
	ssize_t length;

	while (outbound->words >= 0 && (length = read(outbound->words, text, sizeof(text))) > 0) {
		if (outbound->said.length > WORDS_MAX)
			buf_clear(&outbound->said);
		buf_append(&outbound->said, text, (size_t)length);
	}
}

bool outbound_listen(struct outbound *outbound)
{
	read_words(outbound);
	if (outbound->ready || outbound->broken || !says_its_number(outbound))
		return false;
	outbound->ready = true;
	outbound->until_us = 0;
	buf_clear(&outbound->said);
	return true;
}

void outbound_reaped(struct outbound *outbound, int status)
{
	char last[200];

	outbound_listen(outbound);
	outbound->pid = 0;
	if (outbound->killed)
		return;
	outbound_last_words(&outbound->said, last, sizeof(last));
	if (last[0])
		give_up(outbound, "pasta, its way out, ended: %s", last);
	else if (WIFSIGNALED(status))
		give_up(outbound, "pasta, its way out, ended: %s", strsignal(WTERMSIG(status)));
	else
		give_up(outbound, "pasta, its way out, ended with status %d", WEXITSTATUS(status));
}

void outbound_kill(struct outbound *outbound, const struct limits *limits)
{
	if (!outbound)
		return;
	outbound->killed = true;
	if (outbound->pid)
		kill(outbound->pid, SIGKILL);
	limits_kill(limits, outbound->group);
}

void outbound_look_at_clock(struct outbound *outbound)
{
	char last[200];

	if (!outbound->until_us || clock_monotonic_us(&clock_system) < outbound->until_us)
		return;
	outbound_last_words(&outbound->said, last, sizeof(last));
	give_up(outbound, "pasta, its way out, was not ready within %d s%s%s",
	        READY_WITHIN_MS / 1000, last[0] ? ": " : "", last);
}

int outbound_patience_ms(const struct outbound *outbound)
{
	int64_t wait_us;

	if (!outbound->until_us)
		return -1;
	wait_us = outbound->until_us - clock_monotonic_us(&clock_system);
	return wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0;
}

bool outbound_over(struct outbound *outbound, const struct limits *limits)
{
	return !outbound->pid && limits_remove(limits, outbound->group) != -EBUSY;
}
