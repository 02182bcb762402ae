/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config/on_success and config/on_failure: links to the queue that gets the record of an end. The `key` of the
 * row is the setting. Each is at most one object, with the number of whose setting it is.
 */
#include "fs/view.h"

extern const struct each on_success_each, on_failure_each;

int destination_show(const struct subject *subject, struct buf *out);
