/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Frames to the daemon. Whoever cannot be told any more ends the process: there is nothing left to do. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "run/protocol.h"

void frame_send(uint8_t type, uint8_t flags, uint64_t call, const void *data, size_t length);

/* FRAME_ERROR or FRAME_FAILED; the last lines of `tail` (may be NULL) become the stack trace. */
void frame_send_error(uint8_t type, uint8_t flags, uint64_t call, const char *kind,
        const char *message, const struct buf *tail);

/* The daemon said something the contract does not allow: status 70. */
_Noreturn void frame_refuse(const char *why);
