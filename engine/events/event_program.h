/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An event that a source's program brings, in the format of its trigger. FunctionGraph hands on events of others as
 * CloudEvents, so there that is what they are; for Lambda they are events as of EventBridge. Pure.
 */
#include "events/event_format.h"

struct program_event {
	const char *kind;       /* of the source */
	const char *attributes; /* "" or a JSON object */
	const char *data;       /* any bytes */
	size_t length;
	const char *hide; /* the source's value, whose passwords are not in `source`; NULL */
};

/* 0; -EBADMSG: the attributes are no JSON object; -ENOMEM. What CloudEvents do not allow as an attribute is left out. */
int event_program(
        struct buf *out, const struct event_about *about, const struct program_event *event);
