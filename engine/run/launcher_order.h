/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the launcher orders of the guardian, as messages (guardian_message.h). */
#include <stdint.h>

#include "run/launcher.h"

void order_write_start(
        struct buf *out, uint64_t process, const char *group, const struct launch *launch);
void order_write_run(
        struct buf *out, uint64_t process, const char *group, const struct errand *errand);
