/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What came from a broker, handed to the daemon in the format of the trigger. FunctionGraph's record of messaging
 * sources is the same for all of them but for its type; Lambda's are each another, and adapters write their own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "brokers/address.h"
#include "brokers/source.h"

/* What is the same for all messages of a trigger. */
struct origin {
	struct source source;
	struct address address;
	const char *kind; /* of the source's URI in CloudEvents */
	const char *type; /* FunctionGraph's trigger_type */
};

struct message {
	const char
	        *id; /* "-": none. Otherwise anything: what does not fit the contract is hashed */
	const char *subject;      /* CloudEvents': a key, a topic; NULL: none */
	const char *content_type; /* NULL: not known */
	int64_t time_ms;          /* since 1970; 0: not known */
	const void *data;
	size_t length;
};

/*
 * Waits while the daemon takes nothing. `lambda`: Lambda's event of the message; NULL where Lambda has no such
 * source, then the daemon makes what it makes of topics.
 */
typedef void message_lambda_fn(struct buf *out, const struct origin *origin,
        const struct message *message, const void *context);
void message_send(const struct origin *origin, const struct message *message,
        message_lambda_fn *lambda, const void *context);

/*
 * Waits for the next answer, at most `patience_ms` (-1: for ever). 1: it is on the disk. 0: it never will be, which
 * was said. -EAGAIN: no answer yet.
 */
int message_settled(int patience_ms);

enum { MESSAGE_BATCH_BYTES = 8 << 20 }; /* about as much is handed over at once */

/* How many messages to ask for next, of those that had so many bytes this time: 1 to about `most`. */
int message_batch(int batch, int most, size_t bytes);

/* Pieces of JSON: "base64", and "2026-03-01T03:00:00.000Z" from milliseconds since 1970. */
void message_put_base64(struct buf *out, const void *data, size_t length);
void message_put_time(struct buf *out, int64_t time_ms);
