/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The payload of those frames that say several things: fields, each a tag of one byte, the length as
 * a little-endian u32, and its bytes. A field is a text, in which no zero byte may stand; numbers are
 * decimal. Which may come once and which again is a table here; what is in no table is -EPROTO.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum wire_field {
	/* ASK */
	FIELD_VERB = 1,  /* one of enum wire_verb, as a number */
	FIELD_DOOR,      /* `owner`: trusted as the mount's owner; `token`: asks for one */
	FIELD_TOKEN,     /* what the client gave */
	FIELD_FUNCTION,  /* a name */
	FIELD_QUALIFIER, /* a version or an alias; none: latest */
	FIELD_METHOD,    /* of the HTTP request, for routes */
	FIELD_PATH,      /* of the HTTP request, for routes: decoded */
	FIELD_HEAD,   /* an APIG event without its body, left open, for programs that speak HTTP */
	FIELD_SOURCE, /* what the flight recorder says of it */
	FIELD_KEY,    /* asynchronous: the entry's name, the same means the same call */
	FIELD_WANTS_LOG,
	FIELD_AUTHORIZATION, /* the header, for routes whose trigger asks for one of its own */
	FIELD_CALLBACK, /* asynchronous: the URL its result is posted to; needs a KEY that is a UUID */
	FIELD_PARAMETERS, /* of what is managed: a JSON object (engine/door_manage.h) */
	/* BEGIN */
	FIELD_REQUEST_ID = 32,
	FIELD_VERSION,     /* that runs */
	FIELD_SPEAKS_HTTP, /* the response is the text of http_event.h: {"statusCode":...} */
	/* END */
	FIELD_ERROR = 64,  /* an errno; none: it went well */
	FIELD_OF_FUNCTION, /* the function's own fault: the error's body came as trouble */
	FIELD_SENTENCE,
	FIELD_DURATION_US,
	FIELD_MEMORY_BYTES,
	FIELD_MEMORY_LIMIT_BYTES,
	FIELD_ALLOW, /* the methods that would have been understood */
	FIELD_LOG,   /* the end of what it logged */
	/* SETUP */
	FIELD_LISTENER = 96, /* `unix`, `open`, `token`: of the next descriptor; again and again */
	FIELD_CERTIFICATE,   /* PEM: TLS on all but Unix sockets */
	FIELD_PRIVATE_KEY,
};

enum wire_verb {
	VERB_INVOKE = 1, /* a function, synchronously */
	VERB_ENQUEUE,    /* asynchronously: the response is its request id */
	VERB_CHECK,      /* whether one could: nothing runs */
	VERB_ROUTE,      /* whatever the routes of triggers say of method and path */
	VERB_METRICS,    /* the engine's OpenMetrics text */
	/* What exists, and its change: by FUNCTION, QUALIFIER and PARAMETERS; the response is JSON. */
	VERB_LIST,   /* functions */
	VERB_SHOW,   /* a function, or a version of it */
	VERB_CREATE, /* a function; what comes as its event is an archive of code */
	VERB_CODE,   /* new code; likewise */
	VERB_CONFIGURE,
	VERB_REMOVE, /* a function, or a version of it */
	VERB_PUBLISH,
	VERB_VERSIONS, /* of a function */
	VERB_ALIASES,
	VERB_ALIAS_SHOW,
	VERB_ALIAS_CREATE,
	VERB_ALIAS_CHANGE,
	VERB_ALIAS_REMOVE,
	VERBS,
};

void wire_put(struct buf *out, enum wire_field tag, const char *text);
void wire_put_bytes(struct buf *out, enum wire_field tag, const char *text, size_t length);
void wire_put_number(struct buf *out, enum wire_field tag, int64_t number);

/* What a payload says: texts with a zero behind them, in `space`. */
struct wire_said {
	const char *fields[128]; /* by tag; NULL: not said */
	struct buf space;
};

/* 0, -EPROTO, or -ENOMEM. Deinit in any case. Of a field that came again the last one counts. */
int wire_take(struct wire_said *said, const char *payload, size_t length);
void wire_said_deinit(struct wire_said *said);

/* The number of a field; `otherwise` when it was not said or is none. */
int64_t wire_number(const struct wire_said *said, enum wire_field tag, int64_t otherwise);

/* Steps through the fields as they stand: for those that come again. 1, 0 at the end, -EPROTO. */
int wire_next(const char **place, const char *end, enum wire_field *tag, const char **text,
        size_t *length);
