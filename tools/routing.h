/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The text of `aliases/NAME/routes` as the mount shows it, canonical: a line for each rule, then
 * one for each share, `VERSION WEIGHT`, in parts of 100 (fnfs(7)). Here it is only read and put
 * together anew; whether it makes sense, the mount judges.
 */
#include <stdbool.h>
#include <stdint.h>

/* A part of 100 as it was typed, exactly: 10, 2.5, 100/3. */
struct routing_share {
	uint64_t over;
	uint64_t under;
};

/* More than 0 and at most 100; else -EINVAL. */
int routing_share_parse(const char *text, struct routing_share *out);
bool routing_share_is_all(const struct routing_share *share);

/* Whether all calls go to the version, and no rule says otherwise. */
bool routing_is_only(const char *routes, const char *version);
bool routing_has_rules(const char *routes);

/* The version with the largest share beside this one; the caller frees. NULL: there is none. */
char *routing_beside(const char *routes, const char *version);

/*
 * The same routes where the version has this share, and the others keep what they have of the
 * rest. Rules stay. The caller frees. NULL and errno: ENOENT, there is no other version; ERANGE,
 * the weights are too fine; ENOMEM.
 */
char *routing_canary(const char *routes, const char *version, const struct routing_share *share);
