/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the launcher orders of the guardian, as messages (guardian_message.h). */
#include <stdint.h>

#include "run/launcher.h"

/* Letters, digits and `-` of the name, and a number that is never used again. NULL: no memory. */
char *order_group(const char *name, uint64_t id);

void order_write_start(
        struct buf *out, uint64_t process, const char *group, const struct launch *launch);
void order_write_run(
        struct buf *out, uint64_t process, const char *group, const struct errand *errand);
