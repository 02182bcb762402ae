/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The JSON of a failed call or start, {errorMessage, errorType, stackTrace}, said for people. */
#include "base/buf.h"

/* `Type: message`; text that is no such JSON as it is, cut. No newline at the end. */
void error_text_sentence(struct buf *out, const char *json, size_t length);

/* The lines of the stack trace, each with its newline; nothing when there is none. */
void error_text_trace(struct buf *out, const char *json, size_t length);

/* What `status` says of it: a line `why SENTENCE`, and the stack trace below an empty line. */
void error_text_status(struct buf *out, const char *json, size_t length);
