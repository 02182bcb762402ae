/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which `http` trigger a request of the gateway is for. A route is `[METHOD[,METHOD...] ]/path/{name}/x`: a
 * part in braces stands for any one segment, `{name+}` at the end for one or more. Of several that fit
 * the one wins whose first differing segment says more: a text before a name before the rest of
 * the path. No two that mean the same can stand beside each other. Names of methods are upper-case.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct http_routes;

enum { HTTP_ROUTE_PARAMETERS_MOST = 16 };

struct http_route {
	uint64_t trigger;                  /* its id: one route each */
	char name[64];                     /* of the trigger */
	uint64_t function, version, alias; /* where its calls go; 0: not one */
};

struct http_route_match {
	const struct http_route *route;
	struct {
		const char *name; /* borrowed from the route */
		char *value;      /* decoded */
	} parameters[HTTP_ROUTE_PARAMETERS_MOST];
	size_t parameter_count;
};

struct http_routes *http_routes_new(void); /* NULL: no memory */
struct http_routes *http_routes_free(struct http_routes *routes);

/*
 * Adds the route of a trigger, or replaces the one it had. -EINVAL: it is none; -EEXIST: another trigger has
 * what means the same; -ENOMEM. With a sentence; then the old one stays.
 */
int http_routes_set(struct http_routes *routes, const struct http_route *route, const char *text,
        struct buf *why);
void http_routes_drop(struct http_routes *routes, uint64_t trigger); /* harmless when it has none */

/* The canonical text of a value, or -EINVAL with a sentence. */
int http_route_check(const char *text, struct buf *canonical, struct buf *why);

/*
 * `path` as it was sent. 0: the match, to be deinit'ed; -ENOENT: nothing is there; -EOPNOTSUPP: something
 * is, but not by this method: `allow` gets those it has; -EINVAL: an escape is none; -ENOMEM.
 */
int http_routes_match(const struct http_routes *routes, const char *method, const char *path,
        struct http_route_match *match, struct buf *allow);
void http_route_match_deinit(struct http_route_match *match);
