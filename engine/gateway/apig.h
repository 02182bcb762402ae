/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A request as an APIG event of FunctionGraph: what a function behind an HTTP route is given. */
#include "gateway/exchange.h"

/*
 * All of it but the body and what the daemon alone knows: path parameters and the id of the call. The object
 * is left open for these. `path` as the function shall see it.
 */
void apig_open(const struct exchange *exchange, const char *path, struct buf *out);

/* Adds the body in Base64; the object is still open. */
void apig_add_body(struct buf *out, const char *body, size_t length);
