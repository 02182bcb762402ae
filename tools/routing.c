/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A canary with the part P of all calls, beside versions whose weights make up S: its weight w is
 * to be P of w + S, so w = S * P / (100 - P). All as fractions, so that the shares are exactly
 * what was typed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "routing.h"

typedef unsigned __int128 wide;

#define PART_MOST UINT64_C(999999999999) /* of a fraction, as the mount takes it */

struct line {
	const char *version;
	int version_length;
	const char *rest; /* behind the weight: ` sticky ...`, or nothing */
	int rest_length;
	bool is_rule;
	struct routing_share weight;
	const char *text;
	int length;
};

static wide divisor(wide a, wide b)
{
	while (b) {
		wide rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static const char *take_digits(const char *at, uint64_t *number)
{
	const char *begin = at;

	for (; *at >= '0' && *at <= '9' && *number <= PART_MOST; at++)
		*number = *number * 10 + (uint64_t)(*at - '0');
	return at == begin || *number > PART_MOST ? NULL : at;
}

/* Where the number ends; NULL: there is none. */
static const char *take_share(const char *at, struct routing_share *out)
{
	*out = (struct routing_share){.under = 1};
	at = take_digits(at, &out->over);
	if (at && *at == '/') {
		out->under = 0;
		return take_digits(at + 1, &out->under);
	}
	if (at && *at == '.') {
		const char *places = at + 1;

		at = take_digits(places, &out->over);
		for (; at && places < at; places++)
			out->under *= 10;
	}
	return at;
}

int routing_share_parse(const char *text, struct routing_share *out)
{
	const char *end = take_share(text, out);

	if (!end || *end || !out->over || !out->under || out->over > (wide)out->under * 100)
		return -EINVAL;
	return 0;
}

bool routing_share_is_all(const struct routing_share *share)
{
	return share->over == (wide)share->under * 100;
}

/* The next line of the routes that says anything; false at the end. */
static bool next_line(const char **at, struct line *line)
{
	const char *end;

	*at += strspn(*at, "\n");
	if (!**at)
		return false;
	*line = (struct line){.text = *at, .version = *at};
	line->length = (int)strcspn(*at, "\n");
	line->version_length = (int)strcspn(*at, " \n");
	*at += line->length;
	end = line->version + line->version_length + (line->version_length < line->length);
	line->is_rule = strncmp(end, "if ", 3) == 0;
	if (!line->is_rule && !(end = take_share(end, &line->weight))) {
		line->weight = (struct routing_share){.over = 100, .under = 1};
		end = *at;
	}
	line->rest = end;
	line->rest_length = (int)(*at - end);
	return true;
}

static bool names(const struct line *line, const char *version)
{
	return strlen(version) == (size_t)line->version_length &&
	       strncmp(line->version, version, strlen(version)) == 0;
}

bool routing_has_rules(const char *routes)
{
	struct line line;

	while (next_line(&routes, &line))
		if (line.is_rule)
			return true;
	return false;
}

bool routing_is_only(const char *routes, const char *version)
{
	struct line line;
	bool any = false;

	while (next_line(&routes, &line)) {
		if (line.is_rule || !names(&line, version))
			return false;
		any = true;
	}
	return any;
}

static bool larger(const struct routing_share *a, const struct routing_share *b)
{
	return (wide)a->over * b->under > (wide)b->over * a->under;
}

char *routing_beside(const char *routes, const char *version)
{
	struct line line, largest = {.weight = {.under = 1}};

	while (next_line(&routes, &line))
		if (!line.is_rule && !names(&line, version) &&
		        larger(&line.weight, &largest.weight))
			largest = line;
	return largest.version ? strndup(largest.version, (size_t)largest.version_length) : NULL;
}

/* Its weight beside the others, who have what it does not have now; 0 or -ERANGE. */
static int weigh(const struct routing_share *now, const struct routing_share *wanted,
        struct routing_share *out)
{
	wide over = ((wide)now->under * 100 - now->over) * wanted->over;
	wide under = ((wide)wanted->under * 100 - wanted->over) * now->under;
	wide common = divisor(over, under);

	over /= common;
	under /= common;
	if (over > PART_MOST || under > PART_MOST)
		return -ERANGE;
	*out = (struct routing_share){.over = (uint64_t)over, .under = (uint64_t)under};
	return 0;
}

char *routing_canary(const char *routes, const char *version, const struct routing_share *share)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	struct line line, own = {.rest = "", .weight = {.over = 0, .under = 1}};
	struct routing_share weight;
	bool others = false;
	const char *at = routes;

	while (next_line(&at, &line)) {
		if (!line.is_rule && names(&line, version)) {
			own = line;
			continue;
		}
		buf_printf(&text, "%.*s\n", line.length, line.text);
		others |= !line.is_rule;
	}
	if (!others || weigh(&own.weight, share, &weight) < 0) {
		errno = others ? ERANGE : ENOENT;
		return NULL;
	}
	buf_printf(&text, "%s %" PRIu64 "/%" PRIu64 "%.*s\n", version, weight.over, weight.under,
	        own.rest_length, own.rest);
	return text.failed ? NULL : buf_take(&text);
}
