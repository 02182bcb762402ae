/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights are fractions, exactly: as written, then as whole numbers over a common measure, then as parts
 * of 100. All in 128 bits where two numbers meet, with bounds that keep it there: what is written has parts of
 * at most 12 digits, the sum of all lines, as whole numbers, below 2^33.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "model/routes_private.h"

typedef unsigned __int128 wide;

#define PART_MOST UINT64_C(999999999999)
#define ALL_MOST  (UINT64_C(1) << 33) /* so that 100 times it is a part again */

static uint64_t divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Digits at the text; the rest, or NULL when there is none or it is too large. */
static const char *take_digits(const char *text, uint64_t *number)
{
	const char *at;

	for (at = text; *at >= '0' && *at <= '9'; at++) {
		*number = *number * 10 + (uint64_t)(*at - '0');
		if (*number > PART_MOST)
			return NULL;
	}
	return at == text ? NULL : at;
}

int routes_weight_parse(const char *text, uint64_t *numerator, uint64_t *denominator)
{
	uint64_t over = 0, under = 1, common;
	const char *at = take_digits(text, &over), *places;

	if (at && *at == '/') {
		under = 0;
		at = take_digits(at + 1, &under);
	} else if (at && *at == '.') {
		places = at + 1;
		at = take_digits(places, &over); /* goes on where the whole part ended */
		for (; at && places < at && under <= PART_MOST; places++)
			under *= 10;
	}
	if (!at || *at || !over || !under || under > PART_MOST)
		return -EINVAL;
	common = divisor(over, under);
	*numerator = over / common;
	*denominator = under / common;
	return 0;
}

static int common_measure(const struct routes *routes, uint64_t *measure)
{
	size_t i;

	*measure = 1;
	for (i = 0; i < routes->shares_count; i++) {
		uint64_t under = routes->shares[i].denominator;
		wide next = (wide)*measure * (under / divisor(*measure, under));

		if (next > UINT64_MAX / 2)
			return -ERANGE;
		*measure = (uint64_t)next;
	}
	return 0;
}

/* What all the weights have in common, once they are whole numbers. */
static int common_divisor(const struct routes *routes, uint64_t measure, uint64_t *common)
{
	size_t i;

	*common = 0;
	for (i = 0; i < routes->shares_count; i++) {
		const struct routes_share *share = &routes->shares[i];
		wide weight = (wide)share->numerator * (measure / share->denominator);

		if (weight > UINT64_MAX / 2)
			return -ERANGE;
		*common = divisor((uint64_t)weight, *common);
	}
	return 0;
}

int routes_weights_settle(struct routes *routes)
{
	uint64_t measure, common;
	size_t i;
	int r = common_measure(routes, &measure);

	if (r == 0)
		r = common_divisor(routes, measure, &common);
	for (i = 0; i < routes->shares_count && r == 0; i++) {
		struct routes_share *share = &routes->shares[i];

		share->weight = share->numerator * (measure / share->denominator) / common;
		if (share->weight >= ALL_MOST)
			return -ERANGE;
		routes->weight_of_all += share->weight;
	}
	return r == 0 && routes->weight_of_all < ALL_MOST ? 0 : -ERANGE;
}

void routes_weight_show(const struct routes_share *share, uint64_t of_all, struct buf *out)
{
	uint64_t over = share->weight * 100, under = of_all, common = divisor(over, under);
	uint64_t power = 1;
	int places = 0;

	over /= common;
	under /= common;
	while (places < 6 && power % under) {
		power *= 10;
		places++;
	}
	if (power % under) {
		buf_printf(out, "%" PRIu64 "/%" PRIu64, over, under);
		return;
	}
	over *= power / under;
	buf_printf(out, "%" PRIu64, over / power);
	if (places)
		buf_printf(out, ".%0*" PRIu64, places, over % power);
}
