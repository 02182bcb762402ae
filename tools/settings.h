/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The settings, variables and dependencies of a function or a version, as `struct bundle_text`:
 * what stands in its config/. Dependencies are told by where they lead in the root,
 * `dependencies/NAME/versions/N`.
 */
#include <stdbool.h>

#include "base/list.h"
#include "bundle.h"

/* Reads them all into the list, which the caller frees. 0 or -errno, with the file in `where`. */
int settings_read(int directory, struct list *texts, struct buf *where);
void settings_free(struct list *texts);

/* A link to the queue of the same function, wherever that is. */
bool settings_leads_within(const char *link);

/* Likewise, and that of one of its aliases. */
bool settings_leads_to_alias(const char *link, const char *alias);

/*
 * The first path of what is not the same in both; NULL: they agree. What `but` names does not
 * count (NULL: nothing).
 */
const char *settings_differ(
        const struct list *wanted, const struct list *found, bool (*but)(const char *path));

/*
 * Makes those of a function what is wanted; what `but` names is left alone. 0 or -errno, with the
 * file in `where`.
 */
int settings_apply(
        int function, const struct list *wanted, bool (*but)(const char *path), struct buf *where);

/* Writes one file of config/; 0 or -errno. */
int settings_write(int directory, const char *path, const char *text);

/* The text of one setting; NULL: it is not there. Borrowed. */
const char *settings_find(const struct list *texts, const char *path);
