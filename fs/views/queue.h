/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * queue/, running/, results/ and failed/ of functions, versions and aliases. The `key` of such a directory's
 * row says which place it shows (enum queue_place). An entry is the same node in queue/, running/ and
 * failed/; what came of it is another, and so is the body of its error.
 */
#include "events/queue.h"
#include "fs/view.h"

extern const struct each queue_waiting_each, queue_running_each, queue_results_each,
        queue_failed_each, queue_errors_each;

/* The target whose directory, or whose entry, this is. */
struct queue_target queue_target_of(const struct subject *subject);
