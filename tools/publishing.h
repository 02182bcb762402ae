/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Publishing from the outside: `mkdir versions/VERSION`, repeated while the answer is that it goes
 * on. How far it is stands in the function's `status`; on a terminal that is drawn as a bar.
 */
#include <stdbool.h>

#include "target.h"

/*
 * 0, when it is published and durable, or -errno: -EEXIST, -EINVAL ... Shows a bar when standard
 * error is a terminal.
 */
int publishing_run(const struct target *target, const char *version);

/* Says why it was not published; a status to return. */
int publishing_complain(const struct target *target, const char *version, int error);

/* Whether there is a version of this name. */
bool publishing_is_there(const struct target *target, const char *version);

/*
 * The number after the highest one that names a version, "1" at first; the caller frees. NULL and
 * errno.
 */
char *publishing_next(const struct target *target);
