/* SPDX-License-Identifier: Apache-2.0 */
/* Spares whose program comes from a zygote. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "run/guardian.h"
#include "run/guardian_spare.h"
#include "run/guardian_spares_private.h"

#define AGAIN_US (INT64_C(60) * 1000 * 1000)

/* The next are started one by one, for a while; and what was ordered already is not waited for. */
static void give_up_zygote(struct guardian *guardian, struct spare_kind *kind)
{
	struct spare *spare, *following;

	zygote_end(&kind->zygote);
	kind->zygote_after_us = clock_monotonic_us(&clock_system) + AGAIN_US;
	list_each_safe(spare, following, &kind->spares, link)
		if (spare->ordered && !spare->ward->born)
			spares_end_one(guardian, spare);
}

void spares_fail_zygote(struct guardian *guardian, struct spare *spare, const char *why)
{
	struct spare_kind *kind = spare->kind;

	fail(-EIO, "forking %s into a sandbox: %s", kind->argv[0], why);
	spares_end_one(guardian, spare);
	give_up_zygote(guardian, kind);
}

/* --- who waits for one --- */

void spares_disappoint(struct guardian *guardian, struct spare *spare)
{
	struct pending *pending = take(spare->pending);

	if (pending && !guardian->daemon_gone)
		guardian_start_alone(guardian, pending->id, pending->body, pending->length,
		        pending->descriptors);
	pending_free(pending);
}

void spares_serve_pending(struct guardian *guardian, struct spare *spare)
{
	struct pending *pending = spare->pending;
	struct order order;

	spare->kind->zygote_proven = true;
	if (!pending)
		return;
	spare->pending = NULL;
	spare->kind->ready++;
	if (order_parse(&order, pending->body, pending->length) == 0 &&
	        spares_give(guardian, spare, &order, pending->id, pending->descriptors))
		pending = pending_free(pending);
	order_deinit(&order);
	if (!pending)
		return;
	guardian_start_alone(
	        guardian, pending->id, pending->body, pending->length, pending->descriptors);
	pending_free(pending);
}

bool spares_cancel(struct guardian *guardian, uint64_t id)
{
	struct spare_kind *kind;
	struct spare *spare;

	list_each(kind, &guardian->spares.kinds, link)
		list_each(spare, &kind->spares, link)
			if (spare->pending && spare->pending->id == id) {
				spare->pending = pending_free(spare->pending);
				kind->ready++;
				return true;
			}
	return false;
}

/* --- what is born --- */

void spares_hear(struct guardian *guardian, struct ward *ward)
{
	struct spare *spare = ward->spare;
	int error = 0;

	if (!spare->by_zygote || spare->unwanted)
		return;
	if (ward->waiting && !spare->ordered)
		error = spare_order_program(guardian, spare);
	else if (ward->born && spare->order >= 0)
		error = spare_take_program(guardian, spare);
	if (error == -ESRCH) /* it has ended again */
		spares_end_one(guardian, spare);
	else if (error || (spare->ordered && ward->words.length))
		spares_fail_zygote(guardian, spare, error ? strerror(-error) : ward->words.data);
	else if (ward->born)
		spares_serve_pending(guardian, spare);
}

void spares_reaped(struct guardian *guardian, pid_t pid)
{
	struct spare_kind *kind;

	list_each(kind, &guardian->spares.kinds, link)
		if (kind->zygote.pid == pid) {
			kind->zygote.pid = 0;
			give_up_zygote(guardian, kind);
			fail(-EIO, "what is forked into sandboxes ended: %s", kind->argv[0]);
		}
}

bool spares_know(const struct guardian *guardian, pid_t pid)
{
	struct spare_kind *kind;

	list_each(kind, &guardian->spares.kinds, link)
		if (kind->zygote.pid == pid)
			return true;
	return false;
}

bool spares_are_born(const struct guardian *guardian)
{
	struct spare_kind *kind;
	struct spare *spare;

	list_each(kind, &guardian->spares.kinds, link)
		list_each(spare, &kind->spares, link)
			if (spare->ordered && !spare->ward->born)
				return true;
	return false;
}
