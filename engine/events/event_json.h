/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How the files of events write JSON. Internal to events/. */
#include <stdint.h>

#include "events/event_format.h"

void event_member(struct buf *out, const char *key, const char *text);    /* "key":"text" */
void event_comma(struct buf *out, const char *key, const char *text);     /* ,"key":"text" */
void event_comma_time(struct buf *out, const char *key, int64_t time_us); /* UTC, milliseconds */

/* The value itself when it is JSON, else the text as a string. */
void event_put_value(struct buf *out, const char *data, size_t length);

/* {"specversion":"1.0",...,"time":"..." of CloudEvents, without what follows. */
void event_begin_cloud(struct buf *out, const struct event_about *about, const char *type,
        const char *source, const char *subject);
/* ,"data":... or ,"data_base64":..., and the end. */
void event_end_cloud(struct buf *out, const char *data, size_t length);

void event_put_base64(struct buf *out, const char *data, size_t length);

/* A path as it stands in a URI: what is none of its characters is escaped. */
void event_put_uri(struct buf *out, const char *path);
