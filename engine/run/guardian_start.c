/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon wants started: in a spare where there is one, else anew; and errands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run/guardian.h"

static void refuse(struct guardian *guardian, uint64_t id, const struct buf *why)
{
	struct process_end end = {
	        .exit_status = -1, .failed_to_start = true, .memory_peak_bytes = -1, .cpu_us = -1};

	snprintf(end.reason, sizeof(end.reason), "%s", why->data ? why->data : "out of memory");
	guardian_tell(guardian, MESSAGE_ENDED, id, &end, sizeof(end));
}

static void start_order(struct guardian *guardian, uint64_t id, const struct order *order,
        const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct buf why = BUF_INIT;
	struct ward *ward;

	if (ward_start(&ward, &guardian->sandbox, &guardian->limits, id, order, descriptors, &why))
		refuse(guardian, id, &why);
	else
		guardian_take_in(guardian, ward, id);
	buf_deinit(&why);
}

static void refuse_unreadable(struct guardian *guardian, uint64_t id, int error)
{
	struct buf why = BUF_INIT;

	buf_printf(&why, "reading the order: %s", strerror(-error));
	refuse(guardian, id, &why);
	buf_deinit(&why);
}

void guardian_start_alone(struct guardian *guardian, uint64_t id, const char *body, size_t length,
        const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct order order;
	int error = order_parse(&order, body, length);

	if (error)
		refuse_unreadable(guardian, id, error);
	else
		start_order(guardian, id, &order, descriptors);
	order_deinit(&order);
}

void guardian_start(struct guardian *guardian, uint64_t id, const char *body, size_t length,
        const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct order order;
	int error = order_parse(&order, body, length);

	if (error)
		refuse_unreadable(guardian, id, error);
	else if (!spares_take(guardian, &order, id, descriptors) &&
	         !spares_make_for(guardian, &order, id, body, length, descriptors))
		start_order(guardian, id, &order, descriptors);
	order_deinit(&order);
}

void guardian_run_errand(struct guardian *guardian, uint64_t id, const char *body, size_t length,
        const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct buf why = BUF_INIT;
	struct ward *ward;

	if (errand_start(
	            &ward, &guardian->view, &guardian->limits, id, body, length, descriptors, &why))
		refuse(guardian, id, &why);
	else
		guardian_take_in(guardian, ward, id);
	buf_deinit(&why);
}

/* Killed before there was a process. */
void guardian_cancel(struct guardian *guardian, uint64_t id)
{
	const struct process_end end = {
	        .exit_status = -1, .signal = SIGKILL, .memory_peak_bytes = -1, .cpu_us = -1};

	if (spares_cancel(guardian, id))
		guardian_tell(guardian, MESSAGE_ENDED, id, &end, sizeof(end));
}
