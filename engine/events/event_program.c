/* SPDX-License-Identifier: Apache-2.0 */
#include "events/event_program.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_valid.h"
#include "base/utf8.h"
#include "events/event_json.h"
#include "events/program_value.h"

#define ACCOUNT "000000000000" /* there are no accounts */

/* What every CloudEvent has, whoever made it. */
struct words {
	const char *type, *source;
	const char *subject, *time, *content; /* NULL: not said */
	struct buf own_type, own_source;
};

static void words_deinit(struct words *words)
{
	buf_deinit(&words->own_type);
	buf_deinit(&words->own_source);
}

static const char *said(const cJSON *attributes, const char *name)
{
	const char *text = json_string(attributes, name, "");

	return *text ? text : NULL;
}

/* RFC 3339, as far as its shape goes. */
static bool is_time(const char *text)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	size_t i;

	for (i = 0; shape[i]; i++)
		if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9'
		                    : (text[i] & ~0x20) != (shape[i] & ~0x20))
			return false;
	if (text[i] == '.')
		for (i++; text[i] >= '0' && text[i] <= '9'; i++)
			; /* parts of a second */
	if ((text[i] == 'Z' || text[i] == 'z') && !text[i + 1])
		return true;
	return (text[i] == '+' || text[i] == '-') && strlen(text + i) == 6 && text[i + 3] == ':' &&
	       strspn(text + i + 1, "0123456789:") == 5;
}

static void find_words(struct words *words, const struct event_about *about,
        const struct program_event *event, const cJSON *attributes)
{
	words->type = said(attributes, "type");
	words->source = said(attributes, "source");
	words->subject = said(attributes, "subject");
	words->time = said(attributes, "time");
	words->content = said(attributes, "datacontenttype");
	if (words->time && !is_time(words->time))
		words->time = NULL;
	if (!words->type) {
		buf_printf(&words->own_type, "fnfs.%s", event->kind);
		words->type = words->own_type.data;
	}
	if (!words->source) {
		buf_printf(&words->own_source, "/functions/%s/triggers/%s", about->function,
		        about->trigger);
		words->source = words->own_source.data;
	} else if (event->hide) {
		program_value_hide(event->hide, words->source, &words->own_source);
		words->source = words->own_source.data;
	}
}

/* --- CloudEvents ------------------------------------------------------------------------------ */

static bool is_extension(const cJSON *attributes, const cJSON *member)
{
	static const char *const others[] = {"specversion", "id", "type", "source", "subject",
	        "time", "datacontenttype", "data", "data_base64"};
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *name = member->string;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i], name) == 0)
			return false;
	return *name && !name[strspn(name, plain)] &&
	       cJSON_GetObjectItemCaseSensitive(attributes, name) == member;
}

static void put_extension(struct buf *out, const cJSON *member)
{
	double number = member->valuedouble;

	if (cJSON_IsString(member))
		event_comma(out, member->string, member->valuestring);
	else if (cJSON_IsBool(member))
		buf_printf(
		        out, ",\"%s\":%s", member->string, cJSON_IsTrue(member) ? "true" : "false");
	else if (cJSON_IsNumber(member) && number == floor(number) && fabs(number) < 2147483648.)
		buf_printf(out, ",\"%s\":%.0f", member->string, number);
}

static bool is_json_type(const char *type)
{
	size_t length = strcspn(type, "; ");

	return (length == 16 && strncasecmp(type, "application/json", 16) == 0) ||
	       (length == 9 && strncasecmp(type, "text/json", 9) == 0) ||
	       (length > 5 && strncasecmp(type + length - 5, "+json", 5) == 0);
}

/* What the type says it is, if it can be that. */
static void put_data(struct buf *out, const struct program_event *event, const char *type)
{
	bool json = is_json_type(type);

	event_comma(out, "datacontenttype", type);
	if (json && json_valid(event->data, event->length)) {
		buf_puts(out, ",\"data\":");
		buf_append(out, event->data, event->length);
	} else if (!json && utf8_valid(event->data, event->length)) {
		buf_puts(out, ",\"data\":");
		json_quote(out, event->data, event->length);
	} else {
		buf_puts(out, ",\"data_base64\":\"");
		event_put_base64(out, event->data, event->length);
		buf_puts(out, "\"");
	}
	buf_puts(out, "}");
}

static void make_cloud(struct buf *out, const struct event_about *about,
        const struct program_event *event, const struct words *words, const cJSON *attributes)
{
	const cJSON *member;

	buf_puts(out, "{\"specversion\":\"1.0\"");
	event_comma(out, "id", about->id);
	event_comma(out, "source", words->source);
	event_comma(out, "type", words->type);
	if (words->subject)
		event_comma(out, "subject", words->subject);
	if (words->time)
		event_comma(out, "time", words->time);
	else
		event_comma_time(out, "time", about->time_us);
	cJSON_ArrayForEach(member, attributes)
		if (is_extension(attributes, member))
			put_extension(out, member);
	if (words->content)
		put_data(out, event, words->content);
	else
		event_end_cloud(out, event->data, event->length);
}

/* --- EventBridge ------------------------------------------------------------------------------ */

static void make_lambda(struct buf *out, const struct event_about *about,
        const struct program_event *event, const struct words *words)
{
	buf_puts(out, "{\"version\":\"0\"");
	event_comma(out, "id", about->id);
	event_comma(out, "detail-type", words->type);
	event_comma(out, "source", words->source);
	event_comma(out, "account", ACCOUNT);
	if (words->time)
		event_comma(out, "time", words->time);
	else
		event_comma_time(out, "time", about->time_us);
	buf_puts(out, ",\"region\":\"local\",\"resources\":[");
	if (words->subject)
		json_quote(out, words->subject, strlen(words->subject));
	buf_puts(out, "],\"detail\":");
	if (json_valid(event->data, event->length) || utf8_valid(event->data, event->length)) {
		event_put_value(out, event->data, event->length);
	} else {
		buf_puts(out, "{\"data_base64\":\"");
		event_put_base64(out, event->data, event->length);
		buf_puts(out, "\"}");
	}
	buf_puts(out, "}");
}

int event_program(
        struct buf *out, const struct event_about *about, const struct program_event *event)
{
	CLEANUP(json_delete_p) cJSON *attributes = NULL;
	CLEANUP(words_deinit) struct words words = {};

	if (*event->attributes) {
		if (json_valid(event->attributes, strlen(event->attributes)))
			attributes = cJSON_Parse(event->attributes);
		if (!cJSON_IsObject(attributes))
			return -EBADMSG;
	}
	if (about->format == FORMAT_RAW) {
		buf_append(out, event->data, event->length);
		return 0;
	}
	find_words(&words, about, event, attributes);
	if (words.own_type.failed || words.own_source.failed)
		return -ENOMEM;
	if (about->format == FORMAT_LAMBDA)
		make_lambda(out, about, event, &words);
	else
		make_cloud(out, about, event, &words, attributes);
	return 0;
}
