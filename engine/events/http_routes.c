/* SPDX-License-Identifier: Apache-2.0 */
/*
 * There are few routes, so all of them are tried: each segment of each gives a rank, and the ranks are
 * compared as a word is, from the left.
 */
#include "events/http_routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "base/percent.h"
#include "model/why.h"

enum { TEXT_LONGEST = 1024, SEGMENTS_MOST = 32, METHODS_MOST = 16, METHOD_LONGEST = 20 };

/* The better, the larger. */
enum rank { RANK_NONE, RANK_REST, RANK_NAME, RANK_TEXT };

struct segment {
	const char *text; /* or the name */
	enum rank rank;
};

struct entry {
	struct list link;
	struct http_route route;
	char *space;                       /* what the others point into */
	const char *methods[METHODS_MOST]; /* none: all */
	size_t method_count;
	struct segment segments[SEGMENTS_MOST];
	size_t count;
};

struct http_routes {
	struct list entries;
};

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_of(const char *text, const char *letters)
{
	return *text && !text[strspn(text, letters)];
}

static int read_methods(struct entry *entry, char *text, struct buf *why)
{
	char *method;

	while ((method = strsep(&text, ","))) {
		if (entry->method_count == METHODS_MOST || strlen(method) > METHOD_LONGEST ||
		        !is_of(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")) {
			why_say(why, "methods are upper-case, with commas between them; not ");
			why_quote(why, method);
			return -EINVAL;
		}
		entry->methods[entry->method_count++] = method;
	}
	return 0;
}

static bool is_named_before(const struct entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->count; i++)
		if (entry->segments[i].rank != RANK_TEXT &&
		        strcmp(entry->segments[i].text, name) == 0)
			return true;
	return false;
}

static bool read_name(struct entry *entry, char *text, bool last)
{
	size_t length = strlen(text);
	struct segment *segment = &entry->segments[entry->count];

	text[length - 1] = 0; /* the brace */
	segment->rank = RANK_NAME;
	segment->text = text + 1;
	if (length > 3 && text[length - 2] == '+') {
		text[length - 2] = 0;
		segment->rank = RANK_REST;
		if (!last)
			return false;
	}
	return is_of(segment->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789_-") &&
	       !is_named_before(entry, segment->text);
}

static bool read_segment(struct entry *entry, char *text, bool last)
{
	size_t length = strlen(text), names = 0;
	struct segment *segment = &entry->segments[entry->count];

	for (size_t i = 0; i < entry->count; i++)
		names += entry->segments[i].rank != RANK_TEXT;
	if (entry->count == SEGMENTS_MOST)
		return false;
	if (length > 2 && text[0] == '{' && text[length - 1] == '}')
		return names < HTTP_ROUTE_PARAMETERS_MOST && read_name(entry, text, last);
	*segment = (struct segment){text, RANK_TEXT};
	return !text[strcspn(text, "{}?#% ")] && (length || last) && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

static int read_path(struct entry *entry, char *text, struct buf *why)
{
	char *rest = text + 1, *segment;

	for (segment = text; segment && *segment; segment++)
		if ((unsigned char)*segment <= ' ' || *segment == 127)
			goto refused;
	if (text[0] != '/')
		goto refused;
	while (rest && (rest != text + 1 || *rest)) {
		segment = strsep(&rest, "/");
		if (!read_segment(entry, segment, !rest))
			goto refused;
		entry->count++;
	}
	return 0;
refused:
	why_say(why, "a route is [METHOD[,METHOD] ]/path/{name}, with {name+} at most at its end");
	return -EINVAL;
}

static struct entry *entry_free(struct entry *entry)
{
	if (!entry)
		return NULL;
	list_unlink(&entry->link);
	free(entry->space);
	free(entry);
	return NULL;
}

static void entry_free_p(struct entry **entry)
{
	entry_free(*entry);
}

static int entry_read(struct entry **out, const char *text, struct buf *why)
{
	CLEANUP(entry_free_p) struct entry *entry = calloc(1, sizeof(*entry));
	char *path;
	int r = 0;

	if (!entry)
		return -ENOMEM;
	list_init(&entry->link);
	if (strlen(text) > TEXT_LONGEST) {
		why_say(why, "a route has at most %d bytes", TEXT_LONGEST);
		return -EINVAL;
	}
	entry->space = strdup(text);
	if (!entry->space)
		return -ENOMEM;
	path = strchr(entry->space, ' ');
	if (path) {
		*path++ = 0;
		path += strspn(path, " ");
		r = read_methods(entry, entry->space, why);
	}
	if (r == 0)
		r = read_path(entry, path ? path : entry->space, why);
	if (r == 0)
		*out = take(entry);
	return r;
}

static void entry_print(const struct entry *entry, struct buf *out)
{
	for (size_t i = 0; i < entry->method_count; i++)
		buf_printf(out, "%s%s", i ? "," : "", entry->methods[i]);
	buf_puts(out, entry->method_count ? " " : "");
	for (size_t i = 0; i < entry->count; i++) {
		const struct segment *segment = &entry->segments[i];

		buf_printf(out, segment->rank == RANK_TEXT ? "/%s" : "/{%s", segment->text);
		if (segment->rank != RANK_TEXT)
			buf_puts(out, segment->rank == RANK_REST ? "+}" : "}");
	}
	if (!entry->count)
		buf_puts(out, "/");
}

int http_route_check(const char *text, struct buf *canonical, struct buf *why)
{
	CLEANUP(entry_free_p) struct entry *entry = NULL;
	int r = entry_read(&entry, text, why);

	if (r == 0)
		entry_print(entry, canonical);
	return r == 0 && canonical->failed ? -ENOMEM : r;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct http_routes *http_routes_new(void)
{
	struct http_routes *routes = calloc(1, sizeof(*routes));

	if (routes)
		list_init(&routes->entries);
	return routes;
}

struct http_routes *http_routes_free(struct http_routes *routes)
{
	struct entry *entry, *following;

	if (!routes)
		return NULL;
	list_each_safe(entry, following, &routes->entries, link)
		entry_free(entry);
	free(routes);
	return NULL;
}

static bool has_method(const struct entry *entry, const char *method)
{
	for (size_t i = 0; i < entry->method_count; i++)
		if (strcmp(entry->methods[i], method) == 0)
			return true;
	return !entry->method_count;
}

static bool share_a_method(const struct entry *a, const struct entry *b)
{
	if (!a->method_count || !b->method_count)
		return a->method_count == b->method_count; /* one says more than the other */
	for (size_t i = 0; i < a->method_count; i++)
		if (has_method(b, a->methods[i]))
			return true;
	return false;
}

/* Whether each request that fits the one fits the other, and neither says more. */
static bool mean_the_same(const struct entry *a, const struct entry *b)
{
	if (a->count != b->count || !share_a_method(a, b))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->segments[i].rank != b->segments[i].rank ||
		        (a->segments[i].rank == RANK_TEXT &&
		                strcmp(a->segments[i].text, b->segments[i].text) != 0))
			return false;
	return true;
}

static struct entry *find(const struct http_routes *routes, uint64_t trigger)
{
	struct entry *entry;

	list_each(entry, &routes->entries, link)
		if (entry->route.trigger == trigger)
			return entry;
	return NULL;
}

int http_routes_set(struct http_routes *routes, const struct http_route *route, const char *text,
        struct buf *why)
{
	CLEANUP(entry_free_p) struct entry *entry = NULL;
	struct entry *other;
	int r = entry_read(&entry, text, why);

	if (r < 0)
		return r;
	list_each(other, &routes->entries, link) {
		if (other->route.trigger == route->trigger || !mean_the_same(entry, other))
			continue;
		why_say(why, "trigger %s has this route already", other->route.name);
		return -EEXIST;
	}
	entry_free(find(routes, route->trigger));
	entry->route = *route;
	list_append(&routes->entries, &entry->link);
	take(entry);
	return 0;
}

void http_routes_drop(struct http_routes *routes, uint64_t trigger)
{
	entry_free(find(routes, trigger));
}

/* --- choosing --------------------------------------------------------------------------------- */

struct request_path {
	char *space;
	const char *segments[SEGMENTS_MOST + 1]; /* decoded */
	const char *rests[SEGMENTS_MOST + 1];    /* from there on, as sent */
	size_t count;
};

static int path_read(struct request_path *path, const char *text)
{
	char *rest, *segment;

	*path = (struct request_path){.space = strdup(text)};
	if (!path->space)
		return -ENOMEM;
	rest = path->space + (*path->space == '/');
	while (rest && (rest != path->space + 1 || *rest)) {
		if (path->count > SEGMENTS_MOST)
			return 0; /* longer than any route; {name+} takes the rest as it is */
		path->rests[path->count] = text + (rest - path->space);
		segment = strsep(&rest, "/");
		if (percent_decode(segment, false) < 0)
			return -EINVAL;
		path->segments[path->count++] = segment;
	}
	return 0;
}

/* How well each segment fits; false: it does not. */
static bool rank(const struct entry *entry, const struct request_path *path,
        enum rank ranks[SEGMENTS_MOST + 1])
{
	for (size_t i = 0; i < entry->count; i++) {
		const struct segment *segment = &entry->segments[i];

		if (i >= path->count)
			return false;
		ranks[i] = segment->rank;
		if (segment->rank == RANK_REST)
			return *path->rests[i];
		if (segment->rank == RANK_TEXT ? strcmp(segment->text, path->segments[i]) != 0
		                               : !*path->segments[i])
			return false;
	}
	return entry->count == path->count;
}

static void put_allow(const struct entry *entry, struct buf *allow)
{
	for (size_t i = 0; i < entry->method_count; i++)
		buf_printf(allow, "%s%s", allow->length ? ", " : "", entry->methods[i]);
}

static const struct entry *choose(const struct http_routes *routes, const char *method,
        const struct request_path *path, struct buf *allow, bool *other_method)
{
	enum rank best_ranks[SEGMENTS_MOST + 1] = {RANK_NONE};
	const struct entry *entry, *best = NULL;

	list_each(entry, &routes->entries, link) {
		enum rank ranks[SEGMENTS_MOST + 1] = {RANK_NONE};
		int difference = 0;

		if (!rank(entry, path, ranks))
			continue;
		if (!has_method(entry, method)) {
			put_allow(entry, allow);
			*other_method = true;
			continue;
		}
		for (size_t i = 0; i <= SEGMENTS_MOST && !difference; i++)
			difference = (int)ranks[i] - (int)best_ranks[i];
		/* Of two alike, the one that names its methods says more. */
		if (best && (difference < 0 || (!difference && !entry->method_count)))
			continue;
		best = entry;
		memcpy(best_ranks, ranks, sizeof(ranks));
	}
	return best;
}

static int put_parameters(
        const struct entry *entry, const struct request_path *path, struct http_route_match *match)
{
	for (size_t i = 0; i < entry->count; i++) {
		const struct segment *segment = &entry->segments[i];
		size_t at = match->parameter_count;

		if (segment->rank == RANK_TEXT)
			continue;
		match->parameters[at].name = segment->text;
		match->parameters[at].value =
		        strdup(segment->rank == RANK_REST ? path->rests[i] : path->segments[i]);
		if (!match->parameters[at].value)
			return -ENOMEM;
		match->parameter_count++;
		if (segment->rank == RANK_REST &&
		        percent_decode(match->parameters[at].value, false) < 0)
			return -EINVAL;
	}
	return 0;
}

int http_routes_match(const struct http_routes *routes, const char *method, const char *path,
        struct http_route_match *match, struct buf *allow)
{
	struct request_path cut;
	const struct entry *entry = NULL;
	bool other_method = false;
	int r = path_read(&cut, path);

	*match = (struct http_route_match){0};
	if (r == 0) {
		entry = choose(routes, method, &cut, allow, &other_method);
		r = entry          ? put_parameters(entry, &cut, match)
		    : other_method ? -EOPNOTSUPP
		                   : -ENOENT;
	}
	if (r == 0)
		match->route = &entry->route;
	else
		http_route_match_deinit(match);
	free(cut.space);
	return r;
}

void http_route_match_deinit(struct http_route_match *match)
{
	while (match->parameter_count)
		free(match->parameters[--match->parameter_count].value);
}
