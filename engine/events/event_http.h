/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A request of HTTP in the format of its trigger. The gateway makes an APIG event of each; here it becomes a request of AWS
 * (payload 2.0), a CloudEvent, or the body alone. Pure.
 */
#include "events/event_format.h"

/*
 * `apig` is replaced. `id` and `time_us` of `about` are those of the request, `route` is the value of the trigger. 0; -EBADMSG: it is no
 * APIG event; -ENOMEM. Then it is what it was.
 */
int event_http(struct buf *apig, const struct event_about *about, const char *route);
