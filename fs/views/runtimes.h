/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* runtimes/: what can run here. An object is the runtime's place in the engine's list, from 1. */
#include "fs/view.h"

extern const struct each runtimes_each;

int runtime_show_about(const struct subject *subject, struct buf *out);
