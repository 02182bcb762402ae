/* SPDX-License-Identifier: Apache-2.0 */
#include "run/guardian_spares.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "run/guardian.h"
#include "run/guardian_spare.h"
#include "run/guardian_spares_private.h"
#include "run/sandbox_attach.h"
#include "run/sandbox_order.h"

#define MOST_READY 8

/* Of each kind, which has seldom more than one or two of a machine's functions start at the same moment. */
static unsigned most_ready(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors < 2                ? 2
	       : processors > MOST_READY / 2 ? MOST_READY
	                                     : 2 * (unsigned)processors;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static bool same_strings(const char **strings, char *const *others)
{
	size_t i = 0;

	for (; strings[i] && others[i]; i++)
		if (strcmp(strings[i], others[i]) != 0)
			return false;
	return !strings[i] && !others[i];
}

/* Root's functions have each a user of their own, and so has each spare of root's. */
static bool is_of(
        const struct spare_kind *kind, const struct order *order, bool running, int64_t tmp_bytes)
{
	const struct message_start *numbers = &order->numbers;

	return kind->uid == numbers->uid && (!numbers->uid || kind->gid == numbers->gid) &&
	       kind->max_processes == numbers->max_processes && kind->tmp_bytes == tmp_bytes &&
	       kind->running == running && strcmp(kind->runtime, order->runtime) == 0 &&
	       (!running || same_strings(order->argv, kind->argv));
}

static int64_t tmp_bytes_of(const struct guardian *guardian, const struct order *order)
{
	if (limits_has(&guardian->limits, LIMITS_MEMORY))
		return INT64_MAX;
	return ward_tmp_bytes(&guardian->limits, order->numbers.memory_bytes);
}

static struct spare_kind *find_kind(
        const struct guardian *guardian, const struct order *order, bool running)
{
	int64_t tmp_bytes = tmp_bytes_of(guardian, order);
	struct spare_kind *kind;

	list_each(kind, &guardian->spares.kinds, link)
		if (is_of(kind, order, running, tmp_bytes))
			return kind;
	return NULL;
}

static struct spare_kind *make_kind(
        struct guardian *guardian, const struct order *order, bool running)
{
	struct spare_kind *kind = spare_kind_new(order, running, tmp_bytes_of(guardian, order));

	if (kind)
		list_prepend(&guardian->spares.kinds, &kind->link);
	return kind;
}

static bool child_has_ended(pid_t pid)
{
	siginfo_t end = {0};

	return waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) < 0 || end.si_pid;
}

/* That it ended may not have been heard yet. */
static bool has_ended(const struct ward *ward)
{
	return ward->has_end || ward->doomed || child_has_ended(ward->bubblewrap) ||
	       (ward->born && child_has_ended(ward->runtime));
}

static struct spare *ready_spare(const struct spare_kind *kind)
{
	struct spare *spare;

	list_each(spare, &kind->spares, link)
		if (!spare->pending &&
		        (kind->running ? spare->ward->running &&
		                                 (!spare->by_zygote || spare->order < 0)
		                       : spare->ward->waiting) &&
		        !has_ended(spare->ward))
			return spare;
	return NULL;
}

/* --- ends ------------------------------------------------------------------------------------- */

void spares_end_one(struct guardian *guardian, struct spare *spare)
{
	struct ward *ward = spare->ward;

	spare->unwanted = true;
	spare_leave(spare);
	spares_disappoint(guardian, spare);
	ward_kill(ward, &guardian->limits);
}

void spares_end_some(struct guardian *guardian, struct spare_kind *kind, unsigned most)
{
	struct spare *spare, *following;

	list_each_safe(spare, following, &kind->spares, link)
		if (kind->ready > most && !spare->pending)
			spares_end_one(guardian, spare);
}

void spares_end_kind(struct guardian *guardian, struct spare_kind *kind)
{
	struct spare *spare, *following;

	list_each_safe(spare, following, &kind->spares, link)
		spares_end_one(guardian, spare);
	spare_kind_free(kind);
}

void spares_end_all(struct guardian *guardian)
{
	struct spare_kind *kind, *following;

	list_each_safe(kind, following, &guardian->spares.kinds, link)
		spares_end_kind(guardian, kind);
}

/* What cannot be made is not made again and again, but when it is asked for. */
void spares_lose(struct guardian *guardian, struct ward *ward)
{
	struct spare *spare = ward->spare;

	if (!spare->unwanted) {
		spare->kind->wanted = 0;
		fail(-EIO, "a sandbox that waited ended: %s",
		        ward->words.length ? ward->words.data : "by itself");
	}
	spare_leave(spare); /* while it can still be told whether it counts */
	spares_disappoint(guardian, spare);
	ward->spare = spare_free(spare);
}

/* --- what is taken ---------------------------------------------------------------------------- */

/* A copy that was built belongs to the function's own user. */
static bool readable_by_others(const struct guardian *guardian, const struct order *order)
{
	struct stat st;

	return !guardian->sandbox.is_root || order->numbers.uid ||
	       (stat(order->code, &st) == 0 && st.st_uid == 0);
}

static bool could_be_spare(const struct guardian *guardian, const struct order *order)
{
	const struct message_start *numbers = &order->numbers;

	return guardian->spares.wanted && !numbers->image && !numbers->writable &&
	       !numbers->outbound && !numbers->host_network && readable_by_others(guardian, order);
}

static int dress(struct guardian *guardian, struct spare *spare, const struct order *order)
{
	const struct sandbox_attachment attachment = {.inside = spare->ward->init,
	        .code = order->code,
	        .layers = (const char *const *)order->layers,
	        .hostname = order->name,
	        .is_root = guardian->sandbox.is_root};
	struct limits_values values;
	int error;

	if (sandbox_root_refresh(&guardian->sandbox.root) < 0 ||
	        spare->root != guardian->sandbox.root.number)
		return -ESTALE; /* the machine's settings have changed since */
	ward_limits(order, &values);
	error = limits_create(&guardian->limits, spare->ward->group, &values);
	return error ? error : sandbox_attach(&attachment);
}

/* The way out is not among the things a spare can get, so that init needs nothing else. */
static int give_order(
        struct spare *spare, const struct order *order, const int descriptors[MESSAGE_DESCRIPTORS])
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;

	if (order->numbers.arguments > SANDBOX_ORDER_ARGS)
		return -E2BIG;
	spare_write_order(&text, order);
	if (text.failed || text.length > SANDBOX_ORDER_MAX)
		return -E2BIG;
	return spare_send_order(spare, &text, descriptors);
}

static int clothe(struct guardian *guardian, struct spare *spare, const struct order *order,
        const int descriptors[MESSAGE_DESCRIPTORS])
{
	int error = dress(guardian, spare, order);

	return error || spare->kind->running ? error : give_order(spare, order, descriptors);
}

static void hand_over(
        struct guardian *guardian, struct spare *spare, const struct order *order, uint64_t id)
{
	struct ward *ward = spare->ward;

	guardian_rename(guardian, ward, id);
	ward->memory_limit = order->numbers.memory_bytes;
	ward->spare = NULL;
	ward->was_spare = true;
	if (spare->kind->running)
		guardian_tell_started(guardian, ward, spare->ends);
	spare_free(spare);
}

bool spares_give(struct guardian *guardian, struct spare *spare, const struct order *order,
        uint64_t id, const int *descriptors)
{
	int error = clothe(guardian, spare, order, descriptors);

	if (error) {
		if (error != -ESTALE)
			fail(error, "giving a sandbox its code");
		spares_end_one(guardian, spare);
		return false;
	}
	hand_over(guardian, spare, order, id);
	return true;
}

static bool take_of(struct guardian *guardian, struct spare_kind *kind, const struct order *order,
        uint64_t id, const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct spare *spare = kind ? ready_spare(kind) : NULL;

	return spare && spares_give(guardian, spare, order, id, descriptors);
}

bool spares_make_for(struct guardian *guardian, const struct order *order, uint64_t id,
        const char *body, size_t length, const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct spare_kind *kind =
	        could_be_spare(guardian, order) ? find_kind(guardian, order, true) : NULL;
	struct pending *pending;
	struct spare *spare;

	if (!kind || !kind->zygote.pid || !kind->zygote_proven)
		return false;
	pending = pending_new(id, body, length, descriptors);
	spare = pending ? spares_make(guardian, kind) : NULL;
	if (!spare) {
		pending_free(pending);
		return false;
	}
	spare->pending = pending;
	kind->ready--;
	return true;
}

/* The kind is wanted once more; the more, if it was missing. */
static void note_use(struct spare_kind *kind, bool missed, int64_t now)
{
	if (!kind)
		return;
	kind->used_us = now;
	if (missed && kind->wanted < most_ready()) {
		kind->wanted++;
		kind->raised_us = now;
	}
}

bool spares_take(struct guardian *guardian, const struct order *order, uint64_t id,
        const int descriptors[MESSAGE_DESCRIPTORS])
{
	bool running = order->numbers.parks, taken;
	struct spare_kind *kind;

	guardian->spares.started_us = clock_monotonic_us(&clock_system);
	if (!could_be_spare(guardian, order))
		return false;
	kind = find_kind(guardian, order, running);
	taken = take_of(guardian, kind, order, id, descriptors);
	if (!kind)
		kind = make_kind(guardian, order, running);
	note_use(kind, !taken, guardian->spares.started_us);
	/* A sandbox without the program is better than none. */
	return taken || (running && take_of(guardian, find_kind(guardian, order, false), order, id,
	                                    descriptors));
}
