/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlives the daemon, as text, one thing a line: a word and whole numbers.
 *
 *	fnfs-metrics 1
 *	counts COUNT ...                     since the function was made, by enum metric
 *	durations SUM_US COUNT
 *	init LAST_US
 *	recent SINCE INIT_SUM INIT_COUNT MEMORY LEAST MOST SUM
 *	bucket INDEX COUNT                   of the recent durations
 *	minute NUMBER VALUE ...              in order; times in us
 *	end
 *
 * A minute that goes on is saved like one that is over. New metrics are added at the end of enum metric:
 * a line with fewer numbers is one of before, the rest is 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/metrics_private.h"

#include "base/cleanup.h"

#define HEADER "fnfs-metrics 1\n"
#define FOOTER "end\n"

#define NUMBER_MOST (INT64_C(1) << 53) /* sums of it do not overflow; it is exact as a double */

static void metrics_free_p(struct metrics **metrics)
{
	metrics_free(*metrics);
}

static void save_number(struct buf *out, int64_t number)
{
	buf_append(out, " ", 1);
	metric_append(out, number);
}

static void save_recent(const struct metrics *metrics, struct buf *out)
{
	struct tally tally = metrics->recent;
	size_t i;

	tally_merge(&tally, &metrics->before);
	buf_puts(out, "recent");
	save_number(out, metrics->recent_since);
	save_number(out, tally.init_sum_us);
	save_number(out, tally.init_count);
	save_number(out, tally.memory_max);
	save_number(out, tally.durations.least);
	save_number(out, tally.durations.most);
	save_number(out, tally.durations.sum);
	buf_puts(out, "\n");
	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (tally.durations.counts[i])
			buf_printf(out, "bucket %zu %u\n", i, tally.durations.counts[i]);
}

void metrics_save(const struct metrics *metrics, struct buf *out)
{
	size_t count = metrics_minutes(metrics), i;
	struct minute minute;
	int m;

	buf_puts(out, HEADER "counts");
	for (m = 0; m < METRICS; m++)
		save_number(out, metrics->counts[m]);
	buf_printf(out, "\ndurations %lld %lld\ninit %lld\n", (long long)metrics->duration_sum_us,
	        (long long)metrics->duration_count, (long long)metrics->last_init_us);
	save_recent(metrics, out);
	for (i = 0; i < count; i++) {
		metrics_minute_at(metrics, i, &minute);
		buf_printf(out, "minute %u", minute.number);
		for (m = 0; m < METRICS; m++)
			save_number(out, (int64_t)minute.values[m]);
		buf_puts(out, "\n");
	}
	buf_puts(out, FOOTER);
}

/* Numbers up to the end of the line, at most `most`; how many, or -EBADMSG. None is negative. */
static int load_numbers(const char *text, int64_t *numbers, int most)
{
	int count = 0;
	char *end;

	while (*text) {
		if (*text++ != ' ' || *text < '0' || *text > '9' || count == most)
			return -EBADMSG;
		errno = 0;
		numbers[count++] = strtoll(text, &end, 10);
		if (errno || numbers[count - 1] > NUMBER_MOST)
			return -EBADMSG;
		text = end;
	}
	return count;
}

static int load_counts(struct metrics *metrics, const int64_t *numbers, int count)
{
	memcpy(metrics->counts, numbers, (size_t)count * sizeof(*numbers));
	return 0;
}

static int load_durations(struct metrics *metrics, const int64_t *numbers, int count)
{
	metrics->duration_sum_us = numbers[0];
	metrics->duration_count = numbers[1];
	return 0;
}

static int load_init(struct metrics *metrics, const int64_t *numbers, int count)
{
	metrics->last_init_us = numbers[0];
	return 0;
}

static int load_recent(struct metrics *metrics, const int64_t *numbers, int count)
{
	struct tally *recent = &metrics->recent;

	metrics->recent_since = numbers[0];
	recent->init_sum_us = numbers[1];
	recent->init_count = numbers[2];
	recent->memory_max = numbers[3];
	recent->durations.least = numbers[4];
	recent->durations.most = numbers[5];
	recent->durations.sum = numbers[6];
	return 0;
}

static int load_bucket(struct metrics *metrics, const int64_t *numbers, int count)
{
	if (numbers[0] >= HISTOGRAM_BUCKETS || numbers[1] > UINT32_MAX)
		return -EBADMSG;
	metrics->recent.durations.counts[numbers[0]] = (uint32_t)numbers[1];
	metrics->recent.durations.total += (uint64_t)numbers[1];
	return 0;
}

static int load_minute(struct metrics *metrics, const int64_t *numbers, int count)
{
	struct minute minute = {.number = (uint32_t)numbers[0]};
	int m;

	if (numbers[0] > UINT32_MAX - MINUTES_KEPT)
		return -EBADMSG;
	for (m = 0; m + 1 < count; m++)
		minute.values[m] = (float)numbers[m + 1];
	minutes_add(&metrics->minutes, &minute);
	return 0;
}

static const struct line {
	const char *word;
	int least, most; /* numbers */
	int (*load)(struct metrics *metrics, const int64_t *numbers, int count);
} lines[] = {
        {"counts", 1, METRICS, load_counts},
        {"durations", 2, 2, load_durations},
        {"init", 1, 1, load_init},
        {"recent", 7, 7, load_recent},
        {"bucket", 2, 2, load_bucket},
        {"minute", 2, METRICS + 1, load_minute},
};

static int load_line(struct metrics *metrics, const char *text)
{
	int64_t numbers[METRICS + 1] = {0};
	size_t length = strcspn(text, " "), i;
	int count;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		if (strlen(lines[i].word) != length || memcmp(text, lines[i].word, length) != 0)
			continue;
		count = load_numbers(text + length, numbers, lines[i].most);
		if (count < lines[i].least)
			return -EBADMSG;
		return lines[i].load(metrics, numbers, count);
	}
	return -EBADMSG;
}

/* Everything between header and footer, which are there. */
static int load_lines(struct metrics *metrics, char *text)
{
	char *newline;
	int r = 0;

	while (r == 0 && *text) {
		newline = strchr(text, '\n');
		if (!newline)
			return -EBADMSG;
		*newline = 0;
		r = load_line(metrics, text);
		text = newline + 1;
	}
	return r;
}

int metrics_load(struct metrics *metrics, const char *data, size_t length)
{
	const size_t header = strlen(HEADER), footer = strlen(FOOTER);
	CLEANUP(metrics_free_p) struct metrics *fresh = NULL;
	CLEANUP(free_p) char *text = NULL;
	struct metrics old;
	int r;

	if (length < header + footer || memcmp(data, HEADER, header) != 0 ||
	        memcmp(data + length - footer, FOOTER, footer) != 0)
		return -EBADMSG;
	text = strndup(data + header, length - header - footer);
	fresh = metrics_new(metrics->clock);
	if (!text || !fresh)
		return -ENOMEM;
	r = load_lines(fresh, text);
	if (r < 0)
		return r;
	memcpy(fresh->now, metrics->now, sizeof(fresh->now)); /* the only thing that lives on */
	old = *metrics;
	*metrics = *fresh;
	*fresh = old;
	return 0;
}
