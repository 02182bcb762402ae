/* SPDX-License-Identifier: Apache-2.0 */
/* Timers, topics and files; requests of HTTP are in event_http.c. Each format is one function of a table. */
#include "events/event_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_valid.h"
#include "events/event_json.h"

#define ACCOUNT "000000000000" /* there are no accounts */

void event_time(struct buf *out, int64_t time_us, int64_t offset_s)
{
	time_t local = (time_t)(time_us / 1000000 + offset_s);
	long minutes = labs((long)offset_s) / 60;
	char text[32];
	struct tm parts;

	gmtime_r(&local, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	buf_puts(out, text);
	if (offset_s)
		buf_printf(
		        out, "%c%02ld:%02ld", offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
	else
		buf_puts(out, "Z");
}

static void put_source(struct buf *out, const struct event_about *about)
{
	buf_printf(out, "/functions/%s/triggers/%s", about->function, about->trigger);
}

static bool is_object(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '{' && json_valid(text, strlen(text));
}

/* --- timers --- */

static void timer_functiongraph(struct buf *out, const struct event_about *about, int64_t offset_s)
{
	buf_puts(out, "{\"version\":\"v1.0\",\"time\":\"");
	event_time(out, about->time_us, offset_s);
	buf_puts(out, "\",\"trigger_type\":\"TIMER\"");
	event_comma(out, "trigger_name", about->trigger);
	event_comma(out, "user_event", about->payload);
	buf_puts(out, "}");
}

static void timer_cloudevents(struct buf *out, const struct event_about *about, int64_t offset_s)
{
	CLEANUP(buf_deinit) struct buf source = BUF_INIT;

	put_source(&source, about);
	if (source.failed) {
		out->failed = true;
		return;
	}
	event_begin_cloud(out, about, "fnfs.timer", source.data, NULL);
	if (*about->payload)
		event_end_cloud(out, about->payload, strlen(about->payload));
	else
		buf_puts(out, "}");
}

/* A scheduled event of EventBridge. */
static void timer_lambda(struct buf *out, const struct event_about *about, int64_t offset_s)
{
	buf_puts(out, "{\"version\":\"0\"");
	event_comma(out, "id", about->id);
	buf_puts(out, ",\"detail-type\":\"Scheduled Event\",\"source\":\"aws.events\","
	              "\"account\":\"" ACCOUNT "\",\"time\":\"");
	event_time(out, about->time_us, 0);
	buf_printf(out,
	        "\",\"region\":\"local\",\"resources\":[\"arn:aws:events:local:" ACCOUNT
	        ":rule/%s-%s\"],\"detail\":",
	        about->function, about->trigger);
	if (is_object(about->payload))
		buf_puts(out, about->payload);
	else
		buf_puts(out, "{}");
	buf_puts(out, "}");
}

static void timer_raw(struct buf *out, const struct event_about *about, int64_t offset_s)
{
	buf_puts(out, about->payload);
}

void event_timer(struct buf *out, const struct event_about *about, int64_t offset_s)
{
	static void (*const make[EVENT_FORMATS])(
	        struct buf * out, const struct event_about *about, int64_t offset_s) = {
	        [FORMAT_FUNCTIONGRAPH] = timer_functiongraph,
	        [FORMAT_CLOUDEVENTS] = timer_cloudevents,
	        [FORMAT_LAMBDA] = timer_lambda,
	        [FORMAT_RAW] = timer_raw,
	};

	make[about->format](out, about, offset_s);
}

/* --- topics --- */

struct published {
	const char *topic, *data;
	size_t length;
};

/* As a notification of SMN, the nearest there is. */
static void topic_functiongraph(
        struct buf *out, const struct event_about *about, const struct published *event)
{
	buf_puts(out, "{\"record\":[{\"event_version\":\"1.0\",\"smn\":{");
	buf_printf(out, "\"topic_urn\":\"urn:smn:local:local:%s\"", event->topic);
	event_comma_time(out, "timestamp", about->time_us);
	buf_puts(out, ",\"message_attributes\":null,\"message\":");
	json_quote(out, event->data, event->length);
	buf_puts(out, ",\"type\":\"notification\"");
	event_comma(out, "message_id", about->id);
	event_comma(out, "subject", "");
	buf_printf(out,
	        "},\"event_subscription_urn\":\"urn:fss:local:local:function:default:%s\","
	        "\"event_source\":\"smn\"}]",
	        about->function);
	event_comma(out, "functionname", about->function);
	event_comma(out, "requestId", about->id);
	event_comma_time(out, "timestamp", about->time_us);
	buf_puts(out, "}");
}

/* Whoever publishes may publish CloudEvents: they are handed on as they are. */
static bool is_cloud_event(const struct published *event)
{
	static const char *const needed[] = {"id", "source", "type"};
	cJSON *json = cJSON_ParseWithLength(event->data, event->length);
	bool is = json && strcmp(json_string(json, "specversion", ""), "1.0") == 0;

	for (size_t i = 0; is && i < ARRAY_SIZE(needed); i++)
		is = *json_string(json, needed[i], "") != 0;
	cJSON_Delete(json);
	return is && json_valid(event->data, event->length);
}

static void topic_cloudevents(
        struct buf *out, const struct event_about *about, const struct published *event)
{
	char source[128];

	if (is_cloud_event(event)) {
		buf_append(out, event->data, event->length);
		return;
	}
	snprintf(source, sizeof(source), "/topics/%s", event->topic);
	event_begin_cloud(out, about, "fnfs.topic", source, NULL);
	event_end_cloud(out, event->data, event->length);
}

/* As a notification of SNS. */
static void topic_lambda(
        struct buf *out, const struct event_about *about, const struct published *event)
{
	buf_printf(out,
	        "{\"Records\":[{\"EventSource\":\"aws:sns\",\"EventVersion\":\"1.0\","
	        "\"EventSubscriptionArn\":\"arn:aws:sns:local:" ACCOUNT
	        ":%s:%s-%s\",\"Sns\":{\"Type\":\"Notification\"",
	        event->topic, about->function, about->trigger);
	event_comma(out, "MessageId", about->id);
	buf_printf(out, ",\"TopicArn\":\"arn:aws:sns:local:" ACCOUNT ":%s\",\"Subject\":null",
	        event->topic);
	buf_puts(out, ",\"Message\":");
	json_quote(out, event->data, event->length);
	event_comma_time(out, "Timestamp", about->time_us);
	buf_puts(out, ",\"MessageAttributes\":{}}}]}");
}

static void topic_raw(
        struct buf *out, const struct event_about *about, const struct published *event)
{
	buf_append(out, event->data, event->length);
}

void event_topic(struct buf *out, const struct event_about *about, const char *topic,
        const char *data, size_t length)
{
	static void (*const make[EVENT_FORMATS])(struct buf * out, const struct event_about *about,
	        const struct published *event) = {
	        [FORMAT_FUNCTIONGRAPH] = topic_functiongraph,
	        [FORMAT_CLOUDEVENTS] = topic_cloudevents,
	        [FORMAT_LAMBDA] = topic_lambda,
	        [FORMAT_RAW] = topic_raw,
	};

	make[about->format](out, about, &(struct published){topic, data, length});
}

/* --- files --- */

static const char *const changes[WATCH_CHANGES] = {
        [WATCH_CREATED] = "created", [WATCH_CHANGED] = "changed", [WATCH_REMOVED] = "removed"};

const char *watch_change_name(enum watch_change change)
{
	return changes[change];
}

/* The key of a bucket's event is escaped as in a form; so has S3 it, and whoever handles it expects that. */
static void put_key(struct buf *out, const char *name)
{
	for (; *name; name++) {
		char one[2] = {*name, 0};

		if (*name == ' ')
			buf_puts(out, "+");
		else
			event_put_uri(out, one);
	}
}

/* A record as OBS and S3 have it, from awsRegion to the end of `s3`. The bucket is the directory. */
static void put_record(struct buf *out, const struct event_about *about,
        const struct watch_event *file, bool lambda)
{
	char owner[16];

	snprintf(owner, sizeof(owner), "%u", file->uid);
	event_comma_time(out, "eventTime", about->time_us);
	event_comma(out, "awsRegion", "local");
	event_comma(out, "eventName",
	        file->change == WATCH_REMOVED ? "ObjectRemoved:Delete" : "ObjectCreated:Put");
	buf_puts(out, ",\"userIdentity\":{");
	event_member(out, "principalId", owner);
	buf_puts(out, "},\"requestParameters\":{\"sourceIPAddress\":\"127.0.0.1\"},\"s3\":{");
	if (lambda)
		buf_puts(out, "\"s3SchemaVersion\":\"1.0\",");
	event_member(out, "configurationId", about->trigger);
	buf_puts(out, ",\"bucket\":{");
	event_member(out, "name", file->directory);
	buf_puts(out, ",\"ownerIdentity\":{");
	event_member(out, lambda ? "principalId" : "PrincipalId", owner);
	buf_puts(out, "},\"arn\":\"arn:aws:s3:::");
	event_put_uri(out, file->directory);
	buf_puts(out, "\"},\"object\":{\"key\":\"");
	put_key(out, file->name);
	buf_printf(out, "\",\"size\":%" PRId64, file->bytes);
	event_comma(out, "eTag", "");
	event_comma(out, "sequencer", file->sequence);
	buf_puts(out, "}}");
}

static void watch_functiongraph(
        struct buf *out, const struct event_about *about, const struct watch_event *file)
{
	buf_puts(out, "{\"Records\":[{\"eventVersion\":\"2.0\"");
	put_record(out, about, file, false);
	buf_puts(out, "}]}");
}

static void watch_lambda(
        struct buf *out, const struct event_about *about, const struct watch_event *file)
{
	buf_puts(out, "{\"Records\":[{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\"");
	put_record(out, about, file, true);
	buf_puts(out, "}]}");
}

static void put_file(struct buf *out, const struct watch_event *file)
{
	CLEANUP(buf_deinit) struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%s", strcmp(file->directory, "/") == 0 ? "" : file->directory,
	        file->name);
	if (path.failed) {
		out->failed = true;
		return;
	}
	buf_puts(out, "{");
	event_member(out, "change", changes[file->change]);
	event_comma(out, "path", path.data);
	event_comma(out, "directory", file->directory);
	event_comma(out, "name", file->name);
	buf_printf(out, ",\"size\":%" PRId64, file->bytes);
	if (file->change != WATCH_REMOVED)
		event_comma_time(out, "modified", file->mtime_us);
	buf_puts(out, "}");
}

static void watch_cloudevents(
        struct buf *out, const struct event_about *about, const struct watch_event *file)
{
	CLEANUP(buf_deinit) struct buf source = BUF_INIT;
	char type[64];

	buf_puts(&source, "file://");
	event_put_uri(&source, file->directory);
	if (source.failed) {
		out->failed = true;
		return;
	}
	snprintf(type, sizeof(type), "fnfs.watch.%s", changes[file->change]);
	event_begin_cloud(out, about, type, source.data, file->name);
	buf_puts(out, ",\"datacontenttype\":\"application/json\",\"data\":");
	put_file(out, file);
	buf_puts(out, "}");
}

static void watch_raw(
        struct buf *out, const struct event_about *about, const struct watch_event *file)
{
	put_file(out, file);
}

void event_watch(struct buf *out, const struct event_about *about, const struct watch_event *file)
{
	static void (*const make[EVENT_FORMATS])(struct buf * out, const struct event_about *about,
	        const struct watch_event *file) = {
	        [FORMAT_FUNCTIONGRAPH] = watch_functiongraph,
	        [FORMAT_CLOUDEVENTS] = watch_cloudevents,
	        [FORMAT_LAMBDA] = watch_lambda,
	        [FORMAT_RAW] = watch_raw,
	};

	make[about->format](out, about, file);
}
