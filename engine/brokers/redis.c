/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of Redis, read by a consumer group. A batch is read, handed over, answered, acknowledged, and then the next
 * is read, so that what is pending for this consumer in between is left from a process that died.
 * What is pending for others of the group for too long is claimed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include <hiredis/hiredis.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/utf8.h"
#include "brokers/message.h"

enum { CONNECT_S = 10, BLOCK_MS = 5000, ANSWER_S = 60, CLAIM_MOST_S = 60, BATCH_MOST = 256 };

struct reader {
	struct origin origin;
	redisContext *redis; /* NULL: not connected */
	const char *group, *field;
	int claim_s; /* how long others may have an entry */
	bool from_begin;
	unsigned tries; /* to connect, since it went well */
	int batch;      /* entries asked for at once: fewer when they are large */
	char trouble[256];
};

/* --- talking ---------------------------------------------------------------------------------- */

static void say_trouble(struct reader *reader, const char *what)
{
	snprintf(reader->trouble, sizeof(reader->trouble), "%s", what);
}

static void disconnect(struct reader *reader)
{
	if (reader->redis)
		redisFree(reader->redis);
	reader->redis = NULL;
}

static void freeReplyObject_p(redisReply **reply)
{
	if (*reply)
		freeReplyObject(*reply);
}

/* NULL: the connection is lost, or (it is kept then) the server refused; `trouble` says what. */
static redisReply *ask(struct reader *reader, int count, const char *const *words)
{
	CLEANUP(freeReplyObject_p)
	redisReply *reply =
	        redisCommandArgv(reader->redis, count, (const char **)(uintptr_t)words, NULL);

	if (!reply) {
		say_trouble(reader, reader->redis->errstr);
		disconnect(reader);
		return NULL;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		say_trouble(reader, reply->str);
		return NULL;
	}
	return take(reply);
}

#define ASK(reader, ...) \
	ask(reader, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), \
	        (const char *[]){__VA_ARGS__})

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* --- connecting ------------------------------------------------------------------------------- */

/* A server that is gone without a word is found by the kernel, also while the daemon takes nothing. */
static void keep_alive(redisContext *redis)
{
	int on = 1, idle_s = 15, interval_s = 5, count = 3;

	setsockopt(redis->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(redis->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(redis->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(redis->fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	/* Longer than the server itself waits, for a server that is there and says nothing. */
	redisSetTimeout(redis, (struct timeval){.tv_sec = ANSWER_S});
}

/* redis://:PASSWORD@host has no user: that is how servers were before there were users. */
static bool log_in(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	CLEANUP(freeReplyObject_p) redisReply *reply = NULL;

	if (!address->user)
		return true;
	if (*address->user)
		reply = ASK(reader, "AUTH", address->user, address->password);
	else
		reply = ASK(reader, "AUTH", address->password);
	if (!reply && reader->redis)
		source_state("denied", "%s: %s", address->hosts, reader->trouble);
	return reply != NULL;
}

static bool choose_database(struct reader *reader)
{
	CLEANUP(freeReplyObject_p) redisReply *reply = NULL;

	if (!*reader->origin.address.path)
		return true;
	reply = ASK(reader, "SELECT", reader->origin.address.path);
	return reply != NULL;
}

/* The group exists from now on: what is added to the stream afterwards will be read, whatever happens. */
static bool make_group(struct reader *reader)
{
	CLEANUP(freeReplyObject_p)
	redisReply *reply = ASK(reader, "XGROUP", "CREATE", reader->origin.address.subject,
	        reader->group, reader->from_begin ? "0" : "$", "MKSTREAM");

	return reply || (reader->redis && begins(reader->trouble, "BUSYGROUP"));
}

static bool connect_to(struct reader *reader)
{
	const struct address *address = &reader->origin.address;

	reader->redis = redisConnectWithTimeout(
	        address->host, address->port, (struct timeval){.tv_sec = CONNECT_S});
	if (!reader->redis || reader->redis->err) {
		say_trouble(reader, reader->redis ? reader->redis->errstr : "there is no memory");
		disconnect(reader);
		return false;
	}
	keep_alive(reader->redis);
	return log_in(reader) && choose_database(reader) && make_group(reader);
}

/* Until it is connected. */
static void connect_again(struct reader *reader)
{
	const struct address *address = &reader->origin.address;

	for (;;) {
		if (!reader->tries)
			source_state("connecting", "%s", address->hosts);
		if (connect_to(reader))
			break;
		if (!begins(reader->trouble, "WRONGPASS") && !begins(reader->trouble, "NOAUTH") &&
		        !begins(reader->trouble, "ERR invalid password"))
			source_state("retrying", "%s: %s", address->hosts, reader->trouble);
		disconnect(reader);
		source_pause(reader->tries++);
	}
	source_state("connected", "%s, stream %s", address->hosts, address->subject);
}

/* --- entries ---------------------------------------------------------------------------------- */

static bool is_pair_list(const redisReply *fields)
{
	if (fields->type != REDIS_REPLY_ARRAY || fields->elements % 2)
		return false;
	for (size_t i = 0; i < fields->elements; i++)
		if (fields->element[i]->type != REDIS_REPLY_STRING)
			return false;
	return fields->elements > 0;
}

/* The field that was asked for, or the only one; NULL: the entry is its fields. */
static const redisReply *payload_of(const struct reader *reader, const redisReply *fields)
{
	if (fields->elements == 2 && !reader->field)
		return fields->element[1];
	for (size_t i = 0; reader->field && i < fields->elements; i += 2)
		if (strcmp(fields->element[i]->str, reader->field) == 0)
			return fields->element[i + 1];
	return NULL;
}

static void put_fields(struct buf *out, const redisReply *fields)
{
	for (size_t i = 0; i < fields->elements; i += 2) {
		const redisReply *name = fields->element[i], *value = fields->element[i + 1];
		CLEANUP(buf_deinit) struct buf key = BUF_INIT;
		bool text = utf8_valid(value->str, value->len);

		buf_append(&key, name->str, name->len);
		if (!text)
			buf_puts(&key, "_base64");
		buf_puts(out, i ? "," : "{");
		json_quote(out, key.data ? key.data : "", key.length);
		buf_puts(out, ":");
		if (text)
			json_quote(out, value->str, value->len);
		else
			message_put_base64(out, value->str, value->len);
	}
	buf_puts(out, "}");
}

/* An entry's id begins with the time at which it was added. Ids of our own making need not: then it is not told. */
static int64_t time_of(const char *id)
{
	long long time_ms = strtoll(id, NULL, 10);

	return time_ms > 0 && time_ms < 253402300800000 ? time_ms : 0;
}

static void send_entry(const struct reader *reader, const redisReply *id, const redisReply *fields)
{
	CLEANUP(buf_deinit) struct buf json = BUF_INIT;
	const redisReply *payload = payload_of(reader, fields);
	struct message message = {.id = id->str, .time_ms = time_of(id->str)};

	if (payload) {
		message.data = payload->str;
		message.length = payload->len;
	} else {
		put_fields(&json, fields);
		if (json.failed) {
			fprintf(stderr, "there is no memory for entry %s\n", id->str);
			exit(1);
		}
		message.data = json.data;
		message.length = json.length;
		message.content_type = "application/json";
	}
	message_send(&reader->origin, &message, NULL, NULL);
}

static bool is_entry(const redisReply *entry)
{
	return entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 &&
	       entry->element[0]->type == REDIS_REPLY_STRING;
}

static size_t size_of(const redisReply *fields)
{
	size_t size = 0;

	for (size_t i = 0; i < fields->elements; i++)
		size += fields->element[i]->len;
	return size;
}

/* What was deleted from the stream while it was pending has no fields any more: it only has to be acknowledged. */
static bool hand_over(struct reader *reader, const redisReply *entries)
{
	const char *words[BATCH_MOST + 3] = {"XACK", reader->origin.address.subject, reader->group};
	CLEANUP(freeReplyObject_p) redisReply *reply = NULL;
	size_t bytes = 0, sent = 0;
	int count = 3;

	for (size_t i = 0; i < entries->elements && count < BATCH_MOST + 3; i++) {
		const redisReply *entry = entries->element[i];

		if (!is_entry(entry))
			continue;
		words[count++] = entry->element[0]->str;
		if (!is_pair_list(entry->element[1]))
			continue;
		bytes += size_of(entry->element[1]);
		send_entry(reader, entry->element[0], entry->element[1]);
		sent++;
	}
	while (sent--)
		message_settled(-1);
	reader->batch = message_batch(reader->batch, BATCH_MOST, bytes);
	if (count > 3)
		reply = ask(reader, count, words);
	return count == 3 || reply;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* `from`: ">" is what nobody got, "0" what this consumer got and did not acknowledge. `*count`: how many came. */
static bool read_batch(struct reader *reader, const char *from, size_t *count)
{
	char batch[16], block[16];
	CLEANUP(freeReplyObject_p) redisReply *reply = NULL;
	const redisReply *stream;

	*count = 0;
	snprintf(batch, sizeof(batch), "%d", reader->batch);
	snprintf(block, sizeof(block), "%d",
	        reader->claim_s * 1000 < BLOCK_MS ? reader->claim_s * 1000 : BLOCK_MS);
	reply = ASK(reader, "XREADGROUP", "GROUP", reader->group, reader->origin.source.name,
	        "COUNT", batch, "BLOCK", block, "STREAMS", reader->origin.address.subject, from);
	if (!reply)
		return false;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1)
		return true; /* nothing came in time */
	stream = reply->element[0];
	if (stream->type != REDIS_REPLY_ARRAY || stream->elements != 2 ||
	        stream->element[1]->type != REDIS_REPLY_ARRAY)
		return true;
	*count = stream->element[1]->elements;
	return hand_over(reader, stream->element[1]);
}

static bool read_pending(struct reader *reader)
{
	size_t count;

	do {
		if (!read_batch(reader, "0", &count))
			return false;
	} while (count);
	return true;
}

/* Takes over what others of the group had for too long. Servers before 6.2 cannot; with one consumer nothing is lost by that. */
static bool claim(struct reader *reader)
{
	CLEANUP(freeReplyObject_p) redisReply *reply = NULL;
	char idle_ms[16], batch[16];

	snprintf(idle_ms, sizeof(idle_ms), "%d000", reader->claim_s);
	snprintf(batch, sizeof(batch), "%d", reader->batch);
	reply = ASK(reader, "XAUTOCLAIM", reader->origin.address.subject, reader->group,
	        reader->origin.source.name, idle_ms, "0-0", "COUNT", batch);
	if (!reply)
		return begins(reader->trouble, "ERR unknown command");
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
	        reply->element[1]->type != REDIS_REPLY_ARRAY)
		return true;
	return hand_over(reader, reply->element[1]);
}

/*
 * Until the connection is lost, or the group is. What is pending for this consumer between two batches went to a process
 * before this one, which died with it: perhaps when this one was here already.
 */
static void follow(struct reader *reader)
{
	int every_s = reader->claim_s < CLAIM_MOST_S ? reader->claim_s : CLAIM_MOST_S;
	time_t claimed = 0;
	size_t count = 0;

	for (;;) {
		bool due = time(NULL) - claimed >= every_s || time(NULL) < claimed;

		if ((!count || due) && !read_pending(reader))
			return;
		if (due) {
			if (!claim(reader))
				return;
			claimed = time(NULL);
		}
		if (!read_batch(reader, ">", &count))
			return;
		reader->tries = 0;
	}
}

int main(void)
{
	static const char *const schemes[] = {"redis", NULL};
	static const char *const options[] = {"group", "from", "field", "claim", NULL};
	static const struct address_form form = {schemes, options, .port = 6379};
	struct reader reader = {
	        .origin = {.source = source_begin(), .kind = "redis", .type = "REDIS"},
	        .batch = 16,
	};
	const struct address *address = &reader.origin.address;

	reader.origin.address = address_read(reader.origin.source.value, &form);
	reader.group = address_option(address, "group", reader.origin.source.name);
	reader.field = address_option(address, "field", NULL);
	reader.from_begin =
	        address_choice(address, "from", (const char *const[]){"new", "begin", NULL});
	reader.claim_s = address_number(address, "claim", 600, 86400);
	if (address->path[strspn(address->path, "0123456789")])
		source_refuse("the path of its URL is the number of a database, as in /0");
	if (address->user && !address->password)
		source_refuse(
		        "a user needs a password: redis://USER:PASSWORD@ or redis://:PASSWORD@");
	for (;;) {
		connect_again(&reader);
		follow(&reader);
		if (reader.redis)
			source_state("retrying", "%s: %s", address->hosts, reader.trouble);
		disconnect(&reader);
		source_pause(reader.tries++);
	}
}
