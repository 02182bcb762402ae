/* SPDX-License-Identifier: Apache-2.0 */
#include "events/event_json.h"

#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_valid.h"
#include "base/utf8.h"

void event_member(struct buf *out, const char *key, const char *text)
{
	buf_printf(out, "\"%s\":", key);
	json_quote(out, text, strlen(text));
}

void event_comma(struct buf *out, const char *key, const char *text)
{
	buf_puts(out, ",");
	event_member(out, key, text);
}

void event_comma_time(struct buf *out, const char *key, int64_t time_us)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(text, time_us);
	event_comma(out, key, text);
}

void event_put_value(struct buf *out, const char *data, size_t length)
{
	if (json_valid(data, length))
		buf_append(out, data, length);
	else
		json_quote(out, data, length);
}

void event_put_uri(struct buf *out, const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                            "/-._~";

	for (; *path; path++) {
		if (strchr(plain, *path))
			buf_append(out, path, 1);
		else
			buf_printf(out, "%%%02X", (unsigned char)*path);
	}
}

void event_begin_cloud(struct buf *out, const struct event_about *about, const char *type,
        const char *source, const char *subject)
{
	buf_puts(out, "{\"specversion\":\"1.0\"");
	event_comma(out, "id", about->id);
	event_comma(out, "source", source);
	event_comma(out, "type", type);
	if (subject)
		event_comma(out, "subject", subject);
	event_comma_time(out, "time", about->time_us);
}

void event_put_base64(struct buf *out, const char *data, size_t length)
{
	struct base64_encoder encoder = {};

	base64_encode(&encoder, data, length, out);
	base64_finish(&encoder, out);
}

void event_end_cloud(struct buf *out, const char *data, size_t length)
{
	if (json_valid(data, length)) {
		buf_puts(out, ",\"datacontenttype\":\"application/json\",\"data\":");
		buf_append(out, data, length);
	} else if (utf8_valid(data, length)) {
		buf_puts(out, ",\"datacontenttype\":\"text/plain\",\"data\":");
		json_quote(out, data, length);
	} else {
		buf_puts(out, ",\"datacontenttype\":\"application/octet-stream\","
		              "\"data_base64\":\"");
		event_put_base64(out, data, length);
		buf_puts(out, "\"");
	}
	buf_puts(out, "}");
}
