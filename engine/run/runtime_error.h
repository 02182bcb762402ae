/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The errors that programs post to a runtime API, as everybody else here writes them. No I/O. */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Appends {"errorMessage":...,"errorType":...,"stackTrace":[...]} made of a posted body, whatever that
 * is. `type` is the error type of the headers, or NULL; `has_cause`: the body's `errorCause` is not
 * for the caller.
 */
void runtime_error_read(
        struct buf *out, const char *body, size_t length, const char *type, bool has_cause);
