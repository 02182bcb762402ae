/* SPDX-License-Identifier: Apache-2.0 */
/* Spares whose program comes from a zygote. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "run/guardian.h"
#include "run/guardian_spare.h"
#include "run/guardian_spares_private.h"

/* The next are started one by one. */
void spares_fail_zygote(struct guardian *guardian, struct spare *spare, const char *why)
{
	fail(-EIO, "forking %s into a sandbox: %s", spare->kind->argv[0], why);
	spare->kind->zygote_failed = true;
	zygote_end(&spare->kind->zygote);
	spares_end_one(guardian, spare);
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
	/* Of what was parsed before. */
	if (order_parse(&order, pending->body, pending->length) == 0) {
		spare->pending = NULL;
		spare->kind->ready++;
		if (spares_give(guardian, spare, &order, pending->id, pending->descriptors))
			pending = pending_free(pending);
	}
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
	if (error || (spare->ordered && ward->words.length))
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
			zygote_end(&kind->zygote);
			kind->zygote_failed = true;
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
