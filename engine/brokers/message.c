/* SPDX-License-Identifier: Apache-2.0 */
#include "brokers/message.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/utf8.h"

enum { ID_MOST = 150 };

void message_put_base64(struct buf *out, const void *data, size_t length)
{
	struct base64_encoder encoder = {0};

	buf_puts(out, "\"");
	base64_encode(&encoder, data, length, out);
	base64_finish(&encoder, out);
	buf_puts(out, "\"");
}

void message_put_time(struct buf *out, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	char text[32];
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) ||
	        !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts))
		strcpy(text, "1970-01-01T00:00:00");
	buf_printf(out, "\"%s.%03dZ\"", text, (int)(time_ms % 1000));
}

/* As Kafka's; `is_base64_encoded` is ours, for messages are strings there and bytes everywhere else. */
static void put_functiongraph(
        struct buf *out, const struct origin *origin, const struct message *message)
{
	bool text = utf8_valid(message->data, message->length);

	buf_printf(out,
	        "{\"event_version\":\"v1.0\",\"event_time\":%lld,\"trigger_type\":\"%s\","
	        "\"region\":\"local\",\"instance_id\":",
	        (long long)(message->time_ms ? message->time_ms / 1000 : time(NULL)), origin->type);
	json_quote(out, origin->address.hosts, strlen(origin->address.hosts));
	buf_puts(out, ",\"records\":[{\"messages\":[");
	if (text)
		json_quote(out, message->data, message->length);
	else
		message_put_base64(out, message->data, message->length);
	buf_puts(out, "],\"topic_id\":");
	json_quote(out, origin->address.subject, strlen(origin->address.subject));
	buf_printf(out, "%s}]}", text ? "" : ",\"is_base64_encoded\":true");
}

/* A path as it stands in a URI. */
static void put_path(struct buf *out, const char *text)
{
	for (; *text; text++)
		if (strchr("-._~/:,$&+;=@", *text) || (*text >= '0' && *text <= '9') ||
		        (*text >= 'A' && *text <= 'Z') || (*text >= 'a' && *text <= 'z'))
			buf_append(out, text, 1);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
}

static void put_attributes(
        struct buf *out, const struct origin *origin, const struct message *message)
{
	buf_printf(out, "{\"source\":\"/%s/", origin->kind);
	put_path(out, origin->address.hosts);
	buf_puts(out, "/");
	put_path(out, origin->address.subject);
	buf_puts(out, "\"");
	if (message->subject && *message->subject) {
		buf_puts(out, ",\"subject\":");
		json_quote(out, message->subject, strlen(message->subject));
	}
	if (message->content_type && *message->content_type) {
		buf_puts(out, ",\"datacontenttype\":");
		json_quote(out, message->content_type, strlen(message->content_type));
	}
	if (message->time_ms > 0) {
		buf_puts(out, ",\"time\":");
		message_put_time(out, message->time_ms);
	}
	buf_puts(out, "}");
}

/* What is too long or has bytes that an ID may not have stands for itself by its hash. */
static const char *fit_id(const char *id, char hash[2 * SHA256_SIZE + 1])
{
	struct sha256 *sha256;
	unsigned char sum[SHA256_SIZE];
	size_t length = strlen(id);
	bool fits = length > 0 && length <= ID_MOST;

	for (size_t i = 0; fits && i < length; i++)
		fits = id[i] > ' ' && id[i] <= '~';
	if (fits)
		return id;
	if (!length)
		return "-";
	sha256 = sha256_new();
	if (!sha256)
		return "-";
	sha256_of(sha256, id, length, sum);
	sha256_free(sha256);
	for (size_t i = 0; i < SHA256_SIZE; i++)
		snprintf(hash + 2 * i, 3, "%02x", sum[i]);
	return hash;
}

void message_send(const struct origin *origin, const struct message *message,
        message_lambda_fn *lambda, const void *context)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	enum source_format format = origin->source.format;
	bool record = format == SOURCE_FUNCTIONGRAPH || (format == SOURCE_LAMBDA && lambda);
	char hash[2 * SHA256_SIZE + 1];
	const char *id = fit_id(message->id, hash);

	if (format == SOURCE_FUNCTIONGRAPH)
		put_functiongraph(&out, origin, message);
	else if (record)
		lambda(&out, origin, message, context);
	else
		put_attributes(&out, origin, message);
	if (out.failed) {
		/* Nothing was acknowledged: the broker has it still when this process is started again. */
		fprintf(stderr, "there is no memory for a message of %zu bytes\n", message->length);
		_exit(1);
	}
	if (record)
		source_record(id, out.data, out.length);
	else
		source_event(id, message->data, message->length, out.data);
}

int message_settled(int patience_ms)
{
	struct pollfd answers = {.fd = SOURCE_FD, .events = POLLIN};
	char why[SOURCE_WHY];
	bool taken;

	while (!source_answer(&taken, why)) {
		int n = poll(&answers, 1, patience_ms);

		if (n == 0)
			return -EAGAIN;
	}
	if (!taken)
		fprintf(stderr, "a message is dropped: %s\n", why);
	return taken;
}

int message_batch(int batch, int most, size_t bytes)
{
	if (bytes > MESSAGE_BATCH_BYTES && batch > 1)
		return batch / 2;
	return bytes < MESSAGE_BATCH_BYTES / 2 && batch < most ? batch * 2 : batch;
}
