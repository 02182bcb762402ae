/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One request of a client and the call it becomes: the head is judged by a dialect, the event collected
 * here until it is complete, for what never becomes so is no concern of the daemon's; then the daemon is
 * asked, and what it says goes back as the dialect puts it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/uuid.h"
#include "gateway/reply.h"
#include "gateway/server.h"
#include "gateway/target.h"
#include "gateway/url.h"
#include "wire/fields.h"

struct dialect;
struct gateway;

#define EVENT_MOST (6u << 20)

struct exchange {
	struct gateway *gateway;
	struct list
	        fresh; /* gateway.fresh: there is a beginning of the response, which has not gone out */
	struct http_request *request;
	const struct dialect *dialect;
	struct url url;
	struct target_name target;
	int verb;                /* enum wire_verb; for the dialect */
	char id[UUID_TEXT_SIZE]; /* ours, until the call has one */
	/* What is asked. */
	uint64_t call;  /* 0: nothing yet */
	struct buf ask; /* fields */
	struct buf event;
	size_t event_most, held; /* bytes counted in gateway.held */
	bool too_large;
	/* What was said. */
	struct wire_said begun, ended;
	struct buf response, trouble; /* what was not handed on yet */
	struct reply_reader reader;   /* of a program that speaks HTTP */
	bool streaming, over;
	struct buf headers; /* of the answer */
};

extern const struct server_events exchange_events; /* userdata: struct gateway */

/* What the daemon says of a call. */
struct wire_frame;
bool exchange_frame(struct exchange *exchange, const struct wire_frame *frame);

/* All was taken that came at once: responses that are not complete by now are streamed. */
void exchanges_stream(struct gateway *gateway);

/* Bytes that are kept for it until it is over or they were sent. */
void exchange_hold(struct exchange *exchange, size_t bytes);
const char *exchange_headers(
        struct exchange *exchange); /* those added so far, as an answer has them */

/* --- for dialects ------------------------------------------------------------------------------- */

struct dialect {
	/* Whether the request is one of its own. The first that says so has it. */
	bool (*claims)(const struct exchange *exchange);
	/* The head is there: fills `target` and `ask`, or refuses. */
	void (*ask)(struct exchange *exchange);
	void (*event)(
	        struct exchange *exchange); /* all has come: may change it, or refuse; or NULL */
	bool streams; /* pieces of a call go out as they come; else `answer` has all of it */
	/*
	 * A form of its own for what is streamed, of this type: each piece, and the end. NULL: it goes out as it is,
	 * and an error behind the first piece cuts it off.
	 */
	const char *streams_as;
	void (*piece)(struct exchange *exchange, const char *data, size_t length);
	void (*finish)(struct exchange *exchange);
	void (*head)(
	        struct exchange *exchange); /* adds headers before anything goes out; or NULL */
	void (*answer)(struct exchange *exchange); /* it went well, or the function failed */
	/* Says what was refused, by us or by the daemon: `error` is an errno. */
	void (*refuse)(struct exchange *exchange, int error, const char *sentence);
};

/* As an errno; then nothing else is asked of the dialect. */
void exchange_refuse(struct exchange *exchange, int error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Adds a header to the answer; what cannot be one is left out. */
void exchange_header(struct exchange *exchange, const char *name, const char *value);

/* Answers with the headers added so far. */
void exchange_answer(struct exchange *exchange, int status, const void *body, size_t length);
void exchange_answer_text(struct exchange *exchange, int status, const char *text);

/* What the daemon said at the end, and before. */
int exchange_error(const struct exchange *exchange); /* an errno; 0 */
const char *exchange_request_id(const struct exchange *exchange);
const char *exchange_said(const struct exchange *exchange, enum wire_field field); /* or NULL */

/* The status of plain HTTP for an errno. */
int exchange_status(int error, bool of_function);
