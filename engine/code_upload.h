/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Code that comes as an archive by the gateway: fnfs-fetch unpacks it, bounded, into a directory that is
 * nobody's yet; then it becomes the code of a function (code_change.h). What is refused has changed nothing.
 * A few at a time; others wait. Internal to engine/.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"
#include "run/alarm.h"
#include "run/fetch.h"

struct engine;
struct function;

#define CODE_ARCHIVE_MOST  (INT64_C(50) << 20) /* Lambda's own bounds */
#define CODE_UNPACKED_MOST (INT64_C(250) << 20)

struct code_uploads {
	struct list waiting; /* struct code_upload */
	unsigned running;
	struct alarm alarm; /* the next start */
};

struct code_upload;

/*
 * It is unpacked, or not: 0, or -errno with a sentence. Whoever is told installs it or frees it, then or later.
 */
typedef void (*code_unpacked_fn)(
        void *userdata, int status, const struct fetch_end *end, const char *why);

/* `archive` is taken over in any case. 0: `unpacked` comes; -ENOMEM. */
int code_upload_start(struct code_upload **out, struct engine *engine, int archive,
        code_unpacked_fn unpacked, void *userdata);

/* It belongs to the function now, and is freed. As code_change_start(). */
int code_upload_install(struct code_upload *upload, struct function *function,
        void (*done)(void *userdata, int status), void *userdata);

/* Throws it away, also while it is under way; `unpacked` does not come any more. NULL is none. */
void code_upload_free(struct code_upload *upload);
