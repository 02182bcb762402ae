/* SPDX-License-Identifier: Apache-2.0 */
#include "run/guardian_spare.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "run/guardian.h"
#include "run/guardian_order.h"
#include "run/sandbox_order.h"

/* --- kinds ------------------------------------------------------------------------------------ */

static char **copy_strings(const char **strings)
{
	size_t count = 0;
	char **copy;

	while (strings[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++)
		if (!(copy[i] = strdup(strings[i])))
			count = i; /* an end that is too early; seen by whoever compares */
	return copy;
}

static void free_strings(char **strings)
{
	for (char **string = strings; string && *string; string++)
		free(*string);
	free(strings);
}

void spare_kind_free(struct spare_kind *kind)
{
	if (!kind)
		return;
	list_unlink(&kind->link);
	zygote_end(&kind->zygote);
	free_strings(kind->argv);
	free_strings(kind->zygote_argv);
	free(kind->runtime);
	free(kind->directory);
	free(kind);
}

struct spare_kind *spare_kind_new(const struct order *order, bool running, int64_t tmp_bytes)
{
	struct spare_kind *kind = calloc(1, sizeof(*kind));

	if (!kind)
		return NULL;
	list_init(&kind->link);
	list_init(&kind->spares);
	kind->uid = order->numbers.uid;
	kind->gid = order->numbers.gid;
	kind->max_processes = order->numbers.max_processes;
	kind->tmp_bytes = tmp_bytes;
	kind->running = running;
	kind->runtime = strdup(order->runtime);
	kind->directory = strdup(order->directory);
	kind->argv = copy_strings(running ? order->argv : (const char *[]){NULL});
	kind->zygote_argv = copy_strings(running ? order->zygote : (const char *[]){NULL});
	kind->zygote.control = -1;
	if (kind->runtime && kind->directory && kind->argv && kind->zygote_argv)
		return kind;
	spare_kind_free(kind);
	return NULL;
}

/* --- one -------------------------------------------------------------------------------------- */

void spare_leave(struct spare *spare)
{
	if (list_empty(&spare->link))
		return;
	list_unlink(&spare->link);
	if (!spare->pending)
		spare->kind->ready--;
	spare->kind = NULL;
}

struct spare *spare_free(struct spare *spare)
{
	if (!spare)
		return NULL;
	spare_leave(spare);
	close_fd(spare->order);
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++) {
		close_fd(spare->ends[i]);
		close_fd(spare->theirs[i]);
	}
	pending_free(spare->pending);
	free(spare);
	return NULL;
}

static struct spare *spare_new(const struct guardian *guardian, struct spare_kind *kind)
{
	struct spare *spare = calloc(1, sizeof(*spare));

	if (!spare)
		return NULL;
	list_init(&spare->link);
	list_append(&kind->spares, &spare->link);
	kind->ready++;
	spare->kind = kind;
	spare->root = guardian->sandbox.root.number;
	spare->order = -1;
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		spare->ends[i] = spare->theirs[i] = -1;
	spare->made_us = clock_monotonic_us(&clock_system);
	return spare;
}

/* The pipes of a program that runs. Ours do not block, as those that the daemon makes. */
static int open_pipes(struct spare *spare, int theirs[MESSAGE_DESCRIPTORS])
{
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++) {
		bool down = i == 0; /* to the program */
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		spare->ends[i] = ends[down];
		theirs[i] = ends[!down];
		fcntl(spare->ends[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

/* One socket, for the order comes with the descriptors that matter. */
static int open_socket(struct spare *spare, int theirs[MESSAGE_DESCRIPTORS])
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	message_prepare_socket(ends[0]);
	spare->order = ends[0];
	theirs[0] = ends[1];
	for (size_t i = 1; i < MESSAGE_DESCRIPTORS; i++)
		if ((theirs[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
			return -errno;
	return 0;
}

/* Until there is a function. */
static const char *environment[] = {
        "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "HOME=/tmp",
        "LANG=C.UTF-8", "TZ=:UTC", "RUNTIME_ROOT=/opt/fnfs/runtime",
        "RUNTIME_CODE_ROOT=/opt/function/code", "RUNTIME_PARKED=1", NULL};

/* What is ordered when nobody knows yet what for. The limits come with the function. */
static void fill_order(
        struct order *order, const struct spare *spare, uint64_t number, const char *name)
{
	static const char *nothing[] = {NULL};
	const struct spare_kind *kind = spare->kind;

	*order = (struct order){
	        .numbers = {.function_id = SPARE_FUNCTION_IDS + number % SPARE_FUNCTION_IDS,
	                .memory_bytes = kind->tmp_bytes,
	                .uid = kind->uid,
	                .gid = kind->gid,
	                .max_processes = kind->max_processes},
	        .name = name,
	        .runtime = kind->runtime,
	        .directory = kind->directory,
	        .argv = spare->by_zygote ? nothing : (const char **)kind->argv,
	        .keeps_status = spare->by_zygote,
	        .environment = environment,
	};
}

static int start(struct spare *spare, struct guardian *guardian, uint64_t number,
        const int theirs[MESSAGE_DESCRIPTORS], struct buf *why)
{
	char name[32];
	struct order order;
	int error;

	snprintf(name, sizeof(name), "spare-%" PRIu64, number);
	fill_order(&order, spare, number, name);
	spare->uid = sandbox_owner(order.numbers.uid, order.numbers.function_id);
	spare->gid = sandbox_owner_group(
	        order.numbers.uid, order.numbers.gid, order.numbers.function_id);
	error = ward_start(&spare->ward, &guardian->sandbox, &guardian->limits, SPARE_IDS | number,
	        &order, theirs, why);
	if (!error)
		spare->ward->spare = spare;
	return error;
}

/* As sandbox_enter.c does: who opens /dev/stdout by that name opens the pipe anew, and must be let in. */
static void give_pipes(const struct spare *spare, const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct stat st;

	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		if (fstat(descriptors[i], &st) == 0 && S_ISFIFO(st.st_mode) &&
		        fchown(descriptors[i], spare->uid, spare->gid) < 0)
			continue; /* then it cannot be opened by name */
}

static bool is_roots(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_uid == 0 && !(st.st_mode & 022);
}

/*
 * The interpreter of what is forked is the host's own file, in a mount that can be written to, so that it must be
 * nobody's who runs functions. And as root nothing runs outside of a sandbox that others can change.
 */
static bool may_have_zygote(const struct guardian *guardian, const struct spare_kind *kind)
{
	char program[PATH_MAX];

	for (char **word = kind->zygote_argv; *word; word++) {
		if (strncmp(*word, SANDBOX_RUNTIME "/", strlen(SANDBOX_RUNTIME) + 1) != 0)
			continue;
		snprintf(program, sizeof(program), "%s%s", kind->runtime,
		        *word + strlen(SANDBOX_RUNTIME));
		if (guardian->sandbox.is_root && !is_roots(program))
			return false;
	}
	return is_roots(kind->argv[0]) && (!guardian->sandbox.is_root || is_roots(kind->runtime));
}

/* Not where memory is counted by looking at whose child a process is. */
static bool has_zygote(const struct guardian *guardian, struct spare_kind *kind)
{
	if (!kind->zygote_argv[0] || guardian->limits.kind == LIMITS_POLL ||
	        clock_monotonic_us(&clock_system) < kind->zygote_after_us)
		return false;
	if (kind->zygote.pid)
		return true;
	return may_have_zygote(guardian, kind) &&
	       zygote_start(&kind->zygote, kind->argv[0], (const char *const *)kind->zygote_argv,
	               environment, kind->runtime, kind->uid, kind->gid) == 0;
}

struct spare *spare_start(
        struct guardian *guardian, struct spare_kind *kind, uint64_t number, struct buf *why)
{
	int theirs[MESSAGE_DESCRIPTORS] = {-1, -1, -1};
	struct spare *spare;
	int error;

	if (sandbox_root_refresh(&guardian->sandbox.root) < 0)
		return NULL;
	spare = spare_new(guardian, kind);
	if (!spare)
		return NULL;
	spare->by_zygote = has_zygote(guardian, kind);
	error = kind->running ? open_pipes(spare, spare->by_zygote ? spare->theirs : theirs) : 0;
	if (!error && (!kind->running || spare->by_zygote))
		error = open_socket(spare, theirs);
	if (!error)
		error = start(spare, guardian, number, theirs, why);
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		close_fd(theirs[i]);
	return error ? spare_free(spare) : spare;
}

/* --- who waits for it --- */

struct pending *pending_free(struct pending *pending)
{
	if (!pending)
		return NULL;
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		close_fd(pending->descriptors[i]);
	free(pending);
	return NULL;
}

struct pending *pending_new(
        uint64_t id, const char *body, size_t length, const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct pending *pending = malloc(sizeof(*pending) + length);
	bool whole = pending;

	if (!pending)
		return NULL;
	pending->id = id;
	pending->length = length;
	memcpy(pending->body, body, length);
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++) {
		pending->descriptors[i] = fcntl(descriptors[i], F_DUPFD_CLOEXEC, 3);
		whole = whole && pending->descriptors[i] >= 0;
	}
	return whole ? pending : pending_free(pending);
}

/* --- its order -------------------------------------------------------------------------------- */

static void write_strings(struct buf *out, const char **strings)
{
	for (; *strings; strings++)
		message_string(out, *strings);
}

void spare_write_order(struct buf *out, const struct order *order)
{
	const struct sandbox_order numbers = {.sockets = (uint32_t)order->numbers.sockets,
	        .arguments = order->numbers.arguments,
	        .variables = order->numbers.variables};

	buf_append(out, &numbers, sizeof(numbers));
	message_string(out, order->directory);
	write_strings(out, order->argv);
	write_strings(out, order->environment);
}

int spare_order_program(struct guardian *guardian, struct spare *spare)
{
	struct ward *ward = spare->ward;
	const int processes =
	        limits_has(&guardian->limits, LIMITS_PIDS) ? 0 : spare->kind->max_processes + 1;
	int error;

	give_pipes(spare, spare->theirs);
	error = zygote_order(&spare->kind->zygote, ward, ward->other_status,
	        guardian->sandbox.filter, processes, spare->theirs);
	spare->ordered = true;
	ward->other_status = close_fd(ward->other_status);
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		spare->theirs[i] = close_fd(spare->theirs[i]);
	return error;
}

int spare_take_program(struct guardian *guardian, struct spare *spare)
{
	const struct sandbox_order order = {.program = (uint32_t)spare->ward->inside};
	int error = limits_move(&guardian->limits, spare->ward->group, spare->ward->runtime);

	if (error)
		return error;
	if (send(spare->order, &order, sizeof(order), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	spare->order = close_fd(spare->order);
	return 0;
}

int spare_send_order(
        struct spare *spare, const struct buf *text, const int descriptors[MESSAGE_DESCRIPTORS])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SANDBOX_ORDER_FDS * sizeof(int))];
	} control = {0};
	struct iovec io = {text->data, text->length};
	struct msghdr header = {.msg_iov = &io,
	        .msg_iovlen = 1,
	        .msg_control = &control,
	        .msg_controllen = sizeof(control)};

	give_pipes(spare, descriptors);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(SANDBOX_ORDER_FDS * sizeof(int));
	memcpy(CMSG_DATA(&control.header), descriptors, SANDBOX_ORDER_FDS * sizeof(int));
	if (sendmsg(spare->order, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}
