/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A part of THE TABLE, for tree.c alone: the directories of asynchronous calls, which three kinds of things have, and
 * their settings, which two have.
 */
#include "fs/row.h"
#include "fs/row_ids.h"
#include "fs/views/destinations.h"
#include "fs/views/queue.h"
#include "model/config.h"

/* An asynchronous call, in one of the directories it goes through: the same row in each. */
#define EACH_ENTRY(row_id, row_each, row_mode, row_help) \
	{ \
		.id = row_id, .behaviour = &entry_behaviour, .mode = S_IFREG | row_mode, \
		.flags = ROW_FLEETING | ROW_MOVES, .each = row_each, .help = row_help \
	}

static const struct row running_rows[] = {
        EACH_ENTRY(ROW_ENTRY, &queue_running_each, 0644, "NAME: one call; `rm` cancels it"),
        {},
};

static const struct row failed_rows[] = {
        EACH_ENTRY(ROW_ENTRY_ERROR, &queue_errors_each, 0444,
                "NAME.error: why: the body of the last error"),
        EACH_ENTRY(ROW_ENTRY, &queue_failed_each, 0644,
                "NAME: the request of one call; `mv failed/NAME queue/` makes it again"),
        {},
};

/* These two hold a file with a row of its own each. */
#define QUEUE_ROWS(batch_id) \
	EACH_ENTRY(ROW_ENTRY, &queue_waiting_each, 0644, \
	        "NAME: one call: a file that is made here is one; `touch -d` postpones, `rm` " \
	        "cancels"), \
	{ \
		.id = batch_id, .name = ".batch", .behaviour = &batch_behaviour, \
		.mode = S_IFREG | 0666, .flags = ROW_HIDDEN, \
		.help = "one call per line, all in one commit" \
	}

#define RESULTS_ROWS(wait_id) \
	EACH_ENTRY(ROW_ENTRY_RESULT, &queue_results_each, 0444, \
	        "NAME: the response of one call, kept for 24 hours"), \
	{ \
		.id = wait_id, .name = ".wait", .behaviour = &wait_behaviour, \
		.mode = S_IFREG | 0666, .flags = ROW_HIDDEN, \
		.help = "write the name of a call; the read waits until it has ended" \
	}

static const struct row queue_rows[] = {QUEUE_ROWS(ROW_QUEUE_BATCH), {}};
static const struct row version_queue_rows[] = {QUEUE_ROWS(ROW_VERSION_QUEUE_BATCH), {}};
static const struct row alias_queue_rows[] = {QUEUE_ROWS(ROW_ALIAS_QUEUE_BATCH), {}};
static const struct row results_rows[] = {RESULTS_ROWS(ROW_RESULTS_WAIT), {}};
static const struct row version_results_rows[] = {RESULTS_ROWS(ROW_VERSION_RESULTS_WAIT), {}};
static const struct row alias_results_rows[] = {RESULTS_ROWS(ROW_ALIAS_RESULTS_WAIT), {}};

#define QUEUES(queue_id, queue_children, running_id, results_id, results_children, failed_id) \
	DIR(queue_id, "queue", queue_children, \
	        "asynchronous calls that wait; a file dropped here is a call", \
	        .flags = ROW_DYNAMIC, .key = QUEUE_WAITING), \
	        DIR(running_id, "running", running_rows, "asynchronous calls that run", \
	                .flags = ROW_DYNAMIC, .key = QUEUE_RUNNING), \
	        DIR(results_id, "results", results_children, \
	                "responses of finished asynchronous calls", .flags = ROW_DYNAMIC, \
	                .key = QUEUE_RESULT), \
	        DIR(failed_id, "failed", failed_rows, "asynchronous calls that ran out of tries", \
	                .flags = ROW_DYNAMIC, .key = QUEUE_FAILED)

/* At most one link each. */
#define EACH_DESTINATION(row_id, row_each, config_key, row_help) \
	{ \
		.id = row_id, .behaviour = &link_behaviour, .mode = S_IFLNK | 0777, \
		.each = row_each, .show = destination_show, .key = config_key, .help = row_help \
	}

/* `setting`: how a file of config/ is made, SETTING or FIXED. */
#define QUEUE_SETTINGS(setting, on_success_id, on_failure_id) \
	setting(ROW_CONFIG_MAX_RETRIES, "max_retries", CONFIG_MAX_RETRIES, \
	        "further tries of an asynchronous call"), \
	        setting(ROW_CONFIG_MAX_EVENT_AGE, "max_event_age", CONFIG_MAX_EVENT_AGE, \
	                "an asynchronous call older than this goes to `failed/`"), \
	        setting(ROW_CONFIG_QUEUE_LIMIT, "queue_limit", CONFIG_QUEUE_LIMIT, \
	                "calls that may wait in the queue"), \
	        EACH_DESTINATION(on_success_id, &on_success_each, CONFIG_ON_SUCCESS, \
	                "on_success: link to the `queue` or topic that gets a record of each " \
	                "success"), \
	        EACH_DESTINATION(on_failure_id, &on_failure_each, CONFIG_ON_FAILURE, \
	                "on_failure: link to the `queue` or topic that gets a record of each " \
	                "failed call")
