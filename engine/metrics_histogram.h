/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How often each length of time came, log-linear: 32 buckets for each power of two, so that a value
 * read back is within 1/64 of the true one. Microseconds, up to 76 hours (what is longer counts as that).
 */
#include <stdint.h>

#define HISTOGRAM_BUCKETS 1088

struct histogram {
	uint32_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	int64_t sum, least, most; /* exact; 0 while total is 0 */
};

void histogram_add(struct histogram *histogram, int64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
int64_t histogram_mean(const struct histogram *histogram);
int64_t histogram_quantile(const struct histogram *histogram, double quantile); /* 0 while empty */
