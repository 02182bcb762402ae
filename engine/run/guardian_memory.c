/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function that outgrows its memory is ended as a whole, and reported as such. With control groups the
 * kernel says so: by itself for v2, through an event for v1, whose victim may be any process of the
 * group. Without them process trees are sampled, often while they are busy, seldom while they are not.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/guardian.h"
#include "run/process_tree.h"

enum {
	LOOK_AGAIN_MS = 5,
	LOOK_FOR_MS = 200,
	SAMPLE_BUSY_MS = 100,
	SAMPLE_IDLE_MS = 500,
	SAMPLE_AGAIN_MS = 20,
};

static void run_out(struct guardian *guardian, struct ward *ward)
{
	if (!ward_ran_out(ward, &guardian->limits))
		return;
	ward_kill(ward, &guardian->limits);
}

void guardian_hear_memory(struct guardian *guardian, struct ward *ward)
{
	uint64_t count;

	if (read(ward->memory_event, &count, sizeof(count)) < 0)
		return;
	/* The event comes before the kill it announces, and also when a group above ran out. */
	guardian->memory_look_until_us = clock_monotonic_us(&clock_system) + LOOK_FOR_MS * 1000;
	run_out(guardian, ward);
}

static void judge_sample(
        struct guardian *guardian, struct ward *ward, const struct limits_usage *now)
{
	if (now->cpu_us > ward->usage.cpu_us)
		guardian->sample_ms = SAMPLE_BUSY_MS;
	ward_used(ward, now);
	if (now->memory_bytes <= ward->memory_limit || ward->doomed)
		return;
	ward->out_of_memory = true;
	ward_kill(ward, &guardian->limits);
}

static void sample(struct guardian *guardian)
{
	struct process_tree *trees = calloc(guardian->by_id.count, sizeof(*trees));
	struct ward *ward;
	size_t count = 0;

	if (!trees)
		return;
	list_each(ward, &guardian->wards, link)
		trees[count++].root = ward->bubblewrap;
	process_tree_sample(trees, count);
	guardian->sample_ms = SAMPLE_IDLE_MS;
	count = 0;
	list_each(ward, &guardian->wards, link) {
		trees[count].usage.memory_peak_bytes = trees[count].usage.memory_bytes;
		judge_sample(guardian, ward, &trees[count++].usage);
	}
	free(trees);
}

static void sample_after(struct guardian *guardian, int age_ms)
{
	int64_t now = clock_monotonic_us(&clock_system);

	if (guardian->limits.kind != LIMITS_POLL || !guardian->by_id.count ||
	        now < guardian->sampled_us + age_ms * 1000)
		return;
	sample(guardian);
	guardian->sampled_us = now;
}

void guardian_sample_memory(struct guardian *guardian)
{
	sample_after(guardian, guardian->sample_ms);
}

void guardian_sample_at_last(struct guardian *guardian)
{
	sample_after(guardian, SAMPLE_AGAIN_MS);
}

void guardian_look_at_memory(struct guardian *guardian)
{
	struct ward *ward;

	if (!guardian->memory_look_until_us)
		return;
	if (clock_monotonic_us(&clock_system) > guardian->memory_look_until_us)
		guardian->memory_look_until_us = 0;
	list_each(ward, &guardian->wards, link)
		if (!ward->doomed)
			run_out(guardian, ward);
}

int guardian_memory_patience_ms(const struct guardian *guardian)
{
	int64_t wait_us;

	if (guardian->memory_look_until_us)
		return LOOK_AGAIN_MS;
	if (guardian->limits.kind != LIMITS_POLL || !guardian->by_id.count)
		return -1;
	wait_us = guardian->sampled_us + guardian->sample_ms * 1000 -
	          clock_monotonic_us(&clock_system);
	return wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0;
}
