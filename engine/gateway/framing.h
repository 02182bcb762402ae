/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whether all who read a request agree where it ends. libmicrohttpd is lenient where a proxy before us may
 * read differently (two lengths, a length with a coding, a name with a blank): such a request is refused
 * and its connection closed, whatever it was meant to be.
 */
#include <stdbool.h>
#include <stdint.h>

struct http_request;

/* NULL, or a sentence that says what is wrong. */
const char *framing_trouble(const struct http_request *request, const char *version);

/* Of the body, as announced; -1: it was not. Where there is no trouble. */
int64_t framing_length(const struct http_request *request);

/*
 * Whether the body of a request that was refused by its head is to be taken, and thrown away: most clients
 * look for an answer only when they have sent all, and lose it when the connection is closed before.
 * Those that asked before they send (Expect) hear it at once.
 */
enum { FRAMING_SWALLOWED_MOST = 128 << 20 };
bool framing_swallows(const struct http_request *request);
