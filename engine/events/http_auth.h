/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A request against the `auth` of the `http` trigger whose route it takes (model/trigger_auth.h). */
#include "base/buf.h"

/*
 * `event` is a whole APIG event; a password that opened the door is taken out of it. 0; -EPERM with a sentence: it
 * does not open; -EBADMSG: it is no such event; -ENOMEM.
 */
int http_auth_judge(
        const char *auth, const char *authorization, struct buf *event, struct buf *why);
