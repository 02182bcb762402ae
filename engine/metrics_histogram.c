/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/metrics_histogram.h"

#include <stddef.h>

#define LINEAR  32                       /* values below have a bucket each */
#define LARGEST ((INT64_C(1) << 38) - 1) /* 2^38 us are 76 hours */

static size_t bucket_of(int64_t value)
{
	int power;

	if (value < LINEAR)
		return (size_t)value;
	power = 63 - __builtin_clzll((unsigned long long)value); /* 5 or more */
	return (size_t)((power - 4) * LINEAR + (value >> (power - 5)) - LINEAR);
}

/* The middle of a bucket. */
static int64_t value_of(size_t bucket)
{
	int shift = (int)(bucket / LINEAR) - 1;
	int64_t low;

	if (bucket < 2 * LINEAR)
		return (int64_t)bucket;
	low = (int64_t)(bucket % LINEAR + LINEAR) << shift;
	return low + (INT64_C(1) << shift) / 2;
}

void histogram_add(struct histogram *histogram, int64_t value)
{
	if (value < 0)
		value = 0;
	if (value > LARGEST)
		value = LARGEST;
	histogram->counts[bucket_of(value)]++;
	histogram->sum += value;
	if (!histogram->total || value < histogram->least)
		histogram->least = value;
	if (value > histogram->most)
		histogram->most = value;
	histogram->total++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	size_t i;

	if (!from->total)
		return;
	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->counts[i] += from->counts[i];
	into->sum += from->sum;
	if (!into->total || from->least < into->least)
		into->least = from->least;
	if (from->most > into->most)
		into->most = from->most;
	into->total += from->total;
}

int64_t histogram_mean(const struct histogram *histogram)
{
	return histogram->total ? histogram->sum / (int64_t)histogram->total : 0;
}

int64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
	uint64_t wanted = (uint64_t)(quantile * (double)histogram->total + 0.999999), seen = 0;
	int64_t value;
	size_t i;

	if (!wanted)
		wanted = 1;
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (seen < wanted)
			continue;
		value = value_of(i);
		if (value > histogram->most)
			return histogram->most;
		return value < histogram->least ? histogram->least : value;
	}
	return histogram->most;
}
