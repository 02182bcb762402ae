/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * /etc/resolv.conf of instances with a way out. A resolver elsewhere is asked directly. One on this machine, by
 * a loopback address or one of the machine's own, cannot be reached from another network: in its place
 * stands OUTBOUND_RESOLVER, for which pasta asks it.
 */
#include <stdbool.h>

#include "base/buf.h"

/* True: OUTBOUND_RESOLVER is in it. `is_here` says whether an address is one of this machine's own. */
bool resolvers_write(struct buf *out, const char *host, bool (*is_here)(const char *address));

/* From this machine's /etc/resolv.conf. */
bool resolvers_read(struct buf *out);
