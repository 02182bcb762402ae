/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whether all who read a request agree where it ends. libmicrohttpd is lenient where a proxy before us may
 * read differently (two lengths, a length with a coding, a name with a blank): such a request is refused
 * and its connection closed, whatever it was meant to be.
 */
#include <stdint.h>

struct http_request;

/* NULL, or a sentence that says what is wrong. */
const char *framing_trouble(const struct http_request *request, const char *version);

/* Of the body, as announced; -1: it was not. Where there is no trouble. */
int64_t framing_length(const struct http_request *request);
