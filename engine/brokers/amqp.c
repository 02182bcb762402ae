/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of RabbitMQ, or of another broker that speaks AMQP 0-9-1. What came so far is handed over, answered, and
 * acknowledged; what the daemon refused is rejected, and goes where the queue lays its dead letters. While the daemon
 * takes nothing nothing is said to the broker, so there are no heartbeats: the kernel looks whether it is still there.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#include "base/cleanup.h"
#include "base/json.h"
#include "brokers/message.h"

enum {
	CHANNEL = 1,
	PREFETCH = 128,
	FRAME_BYTES = 131072,
	CONNECT_S = 10,
	ANSWER_S = 30,
	LOOK_S = 60
};

#define CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"

struct reader {
	struct origin origin;
	amqp_connection_state_t broker; /* NULL: not connected */
	const char *vhost;
	bool declare, ids;
	unsigned tries;
	bool denied;
	char trouble[256];
};

/* --- trouble ---------------------------------------------------------------------------------- */

static void say_trouble(struct reader *reader, const char *what)
{
	snprintf(reader->trouble, sizeof(reader->trouble), "%s", what);
}

static void say_close(struct reader *reader, int code, amqp_bytes_t text)
{
	reader->denied = code == AMQP_ACCESS_REFUSED;
	snprintf(reader->trouble, sizeof(reader->trouble), "%.*s", (int)text.len,
	        (char *)text.bytes);
}

static bool went_well(struct reader *reader, amqp_rpc_reply_t reply)
{
	if (reply.reply_type == AMQP_RESPONSE_NORMAL)
		return true;
	if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
		say_trouble(reader, amqp_error_string2(reply.library_error));
	} else if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
		const amqp_channel_close_t *end = reply.reply.decoded;

		say_close(reader, end->reply_code, end->reply_text);
	} else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
		const amqp_connection_close_t *end = reply.reply.decoded;

		say_close(reader, end->reply_code, end->reply_text);
	} else {
		say_trouble(reader, "it said what nobody understands");
	}
	return false;
}

static bool did_well(struct reader *reader, int status)
{
	if (status == AMQP_STATUS_OK)
		return true;
	say_trouble(reader, amqp_error_string2(status));
	return false;
}

static void disconnect(struct reader *reader)
{
	if (reader->broker)
		amqp_destroy_connection(reader->broker);
	reader->broker = NULL;
}

/* --- connecting ------------------------------------------------------------------------------- */

static void keep_alive(int fd)
{
	int on = 1, idle_s = 15, interval_s = 5, count = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static amqp_socket_t *make_socket(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	amqp_socket_t *socket;

	if (strcmp(address->scheme, "amqps") != 0)
		return amqp_tcp_socket_new(reader->broker);
	socket = amqp_ssl_socket_new(reader->broker);
	if (!socket || !did_well(reader, amqp_ssl_socket_set_cacert(socket,
	                                         address_option(address, "ca", CERTIFICATES))))
		return NULL;
	amqp_ssl_socket_set_verify_peer(socket, 1);
	amqp_ssl_socket_set_verify_hostname(socket, 1);
	return socket;
}

static bool open_socket(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	struct timeval connect = {.tv_sec = CONNECT_S}, answer = {.tv_sec = ANSWER_S};
	amqp_socket_t *socket;

	say_trouble(reader, "there is no memory");
	reader->broker = amqp_new_connection();
	socket = reader->broker ? make_socket(reader) : NULL;
	if (!socket)
		return false;
	amqp_set_handshake_timeout(reader->broker, &answer);
	amqp_set_rpc_timeout(reader->broker, &answer);
	if (!did_well(reader,
	            amqp_socket_open_noblock(socket, address->host, address->port, &connect)))
		return false;
	keep_alive(amqp_get_sockfd(reader->broker));
	return true;
}

/* Without being asked a broker says nothing when it ends a consumer, as it does when its queue is removed. */
static bool log_in(struct reader *reader)
{
	amqp_table_entry_t wish = {
	        .key = amqp_cstring_bytes("consumer_cancel_notify"),
	        .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1},
	};
	amqp_table_entry_t entries[] = {
	        {
	                .key = amqp_cstring_bytes("capabilities"),
	                .value = {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {1, &wish}},
	        },
	        {
	                .key = amqp_cstring_bytes("connection_name"),
	                .value = {.kind = AMQP_FIELD_KIND_UTF8,
	                        .value.bytes = amqp_cstring_bytes(reader->origin.source.name)},
	        },
	};
	amqp_table_t mine = {2, entries};
	const struct address *address = &reader->origin.address;
	const char *user = address->user ? address->user : "guest";
	const char *password = address->password ? address->password : "guest";

	if (!went_well(
	            reader, amqp_login_with_properties(reader->broker, reader->vhost, 1,
	                            FRAME_BYTES, 0, &mine, AMQP_SASL_METHOD_PLAIN, user, password)))
		return false;
	amqp_channel_open(reader->broker, CHANNEL);
	return went_well(reader, amqp_get_rpc_reply(reader->broker));
}

static bool consume(struct reader *reader)
{
	amqp_bytes_t queue = amqp_cstring_bytes(reader->origin.address.subject);

	amqp_queue_declare(
	        reader->broker, CHANNEL, queue, !reader->declare, 1, 0, 0, amqp_empty_table);
	if (!went_well(reader, amqp_get_rpc_reply(reader->broker)))
		return false;
	amqp_basic_qos(reader->broker, CHANNEL, 0, PREFETCH, 0);
	if (!went_well(reader, amqp_get_rpc_reply(reader->broker)))
		return false;
	amqp_basic_consume(reader->broker, CHANNEL, queue,
	        amqp_cstring_bytes(reader->origin.source.name), 0, 0, 0, amqp_empty_table);
	return went_well(reader, amqp_get_rpc_reply(reader->broker));
}

static void connect_again(struct reader *reader)
{
	const struct address *address = &reader->origin.address;

	for (;;) {
		if (!reader->tries)
			source_state("connecting", "%s", address->hosts);
		reader->denied = false;
		if (open_socket(reader) && log_in(reader) && consume(reader))
			break;
		source_state(reader->denied ? "denied" : "retrying", "%s: %s", address->hosts,
		        reader->trouble);
		disconnect(reader);
		source_pause(reader->tries++);
	}
	source_state("connected", "%s, queue %s", address->hosts, address->subject);
}

/* --- Lambda's event --------------------------------------------------------------------------- */

static void put_text(struct buf *out, const char *key, bool there, amqp_bytes_t text)
{
	buf_printf(out, ",\"%s\":", key);
	if (there)
		json_quote(out, text.bytes, text.len);
	else
		buf_puts(out, "null");
}

static void put_header(struct buf *out, const amqp_table_entry_t *entry)
{
	const amqp_field_value_t *value = &entry->value;

	json_quote(out, entry->key.bytes, entry->key.len);
	switch (value->kind) {
	case AMQP_FIELD_KIND_UTF8:
	case AMQP_FIELD_KIND_BYTES:
		buf_puts(out, ":{\"bytes\":[");
		for (size_t i = 0; i < value->value.bytes.len; i++)
			buf_printf(out, "%s%u", i ? "," : "",
			        ((unsigned char *)value->value.bytes.bytes)[i]);
		buf_puts(out, "]}");
		break;
	case AMQP_FIELD_KIND_I32:
		buf_printf(out, ":%d", value->value.i32);
		break;
	case AMQP_FIELD_KIND_I64:
		buf_printf(out, ":%lld", (long long)value->value.i64);
		break;
	case AMQP_FIELD_KIND_BOOLEAN:
		buf_puts(out, value->value.boolean ? ":true" : ":false");
		break;
	default:
		buf_puts(out, ":null");
	}
}

static void put_headers(struct buf *out, const amqp_basic_properties_t *properties)
{
	int count =
	        properties->_flags & AMQP_BASIC_HEADERS_FLAG ? properties->headers.num_entries : 0;

	buf_puts(out, ",\"headers\":{");
	for (int i = 0; i < count; i++) {
		if (i)
			buf_puts(out, ",");
		put_header(out, &properties->headers.entries[i]);
	}
	buf_puts(out, "}");
}

/* As Lambda writes it: Jan 1, 1970, 12:33:41 AM. */
static void put_timestamp(struct buf *out, const amqp_basic_properties_t *properties)
{
	time_t seconds = (time_t)properties->timestamp;
	char text[64];
	struct tm parts;

	if (properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG && gmtime_r(&seconds, &parts) &&
	        strftime(text, sizeof(text), "%b %-d, %Y, %-I:%M:%S %p", &parts))
		buf_printf(out, ",\"timestamp\":\"%s\"", text);
	else
		buf_puts(out, ",\"timestamp\":null");
}

static void put_properties(
        struct buf *out, const amqp_basic_properties_t *properties, size_t length)
{
	const struct {
		const char *key;
		amqp_flags_t flag;
		amqp_bytes_t text;
	} texts[] = {
	        {"contentType", AMQP_BASIC_CONTENT_TYPE_FLAG, properties->content_type},
	        {"contentEncoding", AMQP_BASIC_CONTENT_ENCODING_FLAG, properties->content_encoding},
	        {"correlationId", AMQP_BASIC_CORRELATION_ID_FLAG, properties->correlation_id},
	        {"replyTo", AMQP_BASIC_REPLY_TO_FLAG, properties->reply_to},
	        {"expiration", AMQP_BASIC_EXPIRATION_FLAG, properties->expiration},
	        {"messageId", AMQP_BASIC_MESSAGE_ID_FLAG, properties->message_id},
	        {"type", AMQP_BASIC_TYPE_FLAG, properties->type},
	        {"userId", AMQP_BASIC_USER_ID_FLAG, properties->user_id},
	        {"appId", AMQP_BASIC_APP_ID_FLAG, properties->app_id},
	        {"clusterId", AMQP_BASIC_CLUSTER_ID_FLAG, properties->cluster_id},
	};

	buf_printf(out, "\"basicProperties\":{\"bodySize\":%zu", length);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		put_text(out, texts[i].key, (properties->_flags & texts[i].flag) != 0,
		        texts[i].text);
	buf_printf(out, ",\"deliveryMode\":%d,\"priority\":%d",
	        properties->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG ? properties->delivery_mode : 1,
	        properties->_flags & AMQP_BASIC_PRIORITY_FLAG ? properties->priority : 0);
	put_timestamp(out, properties);
	put_headers(out, properties);
	buf_puts(out, "}");
}

/* As from Amazon MQ. `context`: the envelope. */
static void put_lambda(struct buf *out, const struct origin *origin, const struct message *message,
        const void *context)
{
	const amqp_envelope_t *envelope = context;
	CLEANUP(buf_deinit) struct buf queue = BUF_INIT;

	buf_puts(out, "{\"eventSource\":\"aws:rmq\",\"eventSourceArn\":"
	              "\"arn:aws:mq:local:000000000000:broker:");
	buf_printf(out, "%s:b-1\",\"rmqMessagesByQueue\":{", origin->source.trigger);
	buf_printf(&queue, "%s::/%s", origin->address.subject, origin->address.path);
	json_quote(out, queue.data ? queue.data : "", queue.length);
	buf_puts(out, ":[{");
	put_properties(out, &envelope->message.properties, message->length);
	buf_printf(out, ",\"redelivered\":%s,\"data\":", envelope->redelivered ? "true" : "false");
	message_put_base64(out, message->data, message->length);
	buf_puts(out, "}]}}");
}

/* --- messages --------------------------------------------------------------------------------- */

/* What of a property may stand in a text; NULL: it is not there. */
static char *text_of(bool there, amqp_bytes_t bytes)
{
	return there && bytes.len ? strndup(bytes.bytes, bytes.len) : NULL;
}

static void send_message(const struct reader *reader, const amqp_envelope_t *envelope)
{
	const amqp_basic_properties_t *properties = &envelope->message.properties;
	bool has_id = reader->ids && properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG;
	CLEANUP(free_p) char *id = text_of(has_id, properties->message_id);
	CLEANUP(free_p) char *key = text_of(true, envelope->routing_key);
	CLEANUP(free_p)
	char *type = text_of(
	        properties->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG, properties->content_type);
	struct message message = {
	        .id = id ? id : "-",
	        .subject = key,
	        .content_type = type,
	        .data = envelope->message.body.bytes,
	        .length = envelope->message.body.len,
	};

	if (properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG && properties->timestamp < 253402300800)
		message.time_ms = (int64_t)properties->timestamp * 1000;
	if (!message.data)
		message.data = "";
	message_send(&reader->origin, &message, put_lambda, envelope);
}

/* 1: handed over. 0: none came in time. -1: the connection is lost, or the queue. */
static int take_one(struct reader *reader, int patience_s, uint64_t *tag)
{
	struct timeval patience = {.tv_sec = patience_s};
	amqp_envelope_t envelope;
	amqp_rpc_reply_t reply;

	amqp_maybe_release_buffers(reader->broker);
	reply = amqp_consume_message(reader->broker, &envelope, &patience, 0);
	if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
	        reply.library_error == AMQP_STATUS_TIMEOUT)
		return 0;
	if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
	        reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {
		say_trouble(reader, "the broker ended the consumer; the queue may be gone");
		return -1;
	}
	if (!went_well(reader, reply))
		return -1;
	*tag = envelope.delivery_tag;
	send_message(reader, &envelope);
	amqp_destroy_envelope(&envelope);
	return 1;
}

static bool settle(struct reader *reader, uint64_t tag)
{
	if (message_settled(-1))
		return did_well(reader, amqp_basic_ack(reader->broker, CHANNEL, tag, 0));
	return did_well(reader, amqp_basic_reject(reader->broker, CHANNEL, tag, 0));
}

/* Until the connection is lost, or the queue. All that was handed over is answered, or the answers would be taken for others'. */
static void follow(struct reader *reader)
{
	uint64_t tags[PREFETCH];
	int more = 1;

	while (more >= 0) {
		int count = 0;
		bool well = true;

		while (count < PREFETCH &&
		        (more = take_one(reader, count ? 0 : LOOK_S, &tags[count])) > 0)
			count++;
		for (int i = 0; i < count; i++) {
			if (well)
				well = settle(reader, tags[i]);
			else
				message_settled(-1);
		}
		if (count && well)
			reader->tries = 0;
		if (!well)
			return;
	}
}

int main(void)
{
	static const char *const schemes[] = {"amqp", "amqps", NULL};
	static const char *const options[] = {"declare", "ids", "ca", NULL};
	static struct address_form form = {schemes, options, .port = 5672};
	struct reader reader = {
	        .origin = {.source = source_begin(), .kind = "amqp", .type = "RABBITMQ"},
	};
	const struct address *address = &reader.origin.address;

	if (strncmp(reader.origin.source.value, "amqps:", 6) == 0)
		form.port = 5671;
	reader.origin.address = address_read(reader.origin.source.value, &form);
	reader.vhost = *address->path ? address->path : "/";
	reader.declare =
	        address_choice(address, "declare", (const char *const[]){"no", "durable", NULL});
	reader.ids =
	        address_choice(address, "ids", (const char *const[]){"message", "none", NULL}) == 0;
	if (strlen(address->subject) > 255)
		source_refuse("names of queues have at most 255 bytes");
	for (;;) {
		connect_again(&reader);
		follow(&reader);
		source_state("retrying", "%s: %s", address->hosts, reader.trouble);
		disconnect(&reader);
		source_pause(reader.tries++);
	}
}
