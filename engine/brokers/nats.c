/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subject of NATS. From a stream of JetStream by a durable consumer that is pulled from: a batch is fetched, handed
 * over, answered, acknowledged, and then the next is fetched. With `mode=core` as a plain subscriber: what is published
 * while nobody is connected is lost then, as NATS has it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nats/nats.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "brokers/message.h"

enum { CONNECT_MS = 10000, PING_MS = 10000, FETCH_MS = 5000, BATCH = 128 };
enum { ACK_WAIT_S = 10, BEAT_S = 3, HELD_MOST = 65536, LOOK_UP_MS = 5000 };

struct reader {
	struct origin origin;
	natsConnection *connection;
	natsSubscription *subscription;
	jsCtx *stream;
	char *consumer, *stream_name;
	bool core, from_begin;
	int batch; /* fewer when messages are large */
	unsigned tries;
};

static void disconnect(struct reader *reader)
{
	natsSubscription_Destroy(reader->subscription);
	jsCtx_Destroy(reader->stream);
	natsConnection_Destroy(reader->connection);
	reader->subscription = NULL;
	reader->stream = NULL;
	reader->connection = NULL;
}

/* What went wrong last in this thread, for people. */
static const char *reason(natsStatus status)
{
	const char *last = nats_GetLastError(NULL);

	return last && *last ? last : natsStatus_GetText(status);
}

/* --- connecting ------------------------------------------------------------------------------- */

/* Credentials go beside the URL, so that no message has them. */
static natsStatus set_login(natsOptions *options, const struct address *address)
{
	if (!address->user)
		return NATS_OK;
	if (address->password)
		return natsOptions_SetUserInfo(options, address->user, address->password);
	return natsOptions_SetToken(options, address->user);
}

static natsStatus set_options(const struct reader *reader, natsOptions *options)
{
	const struct address *address = &reader->origin.address;
	const char *ca = address_option(address, "ca", NULL);
	char url[600];
	natsStatus status;

	snprintf(url, sizeof(url), strchr(address->host, ':') ? "nats://[%s]:%d" : "nats://%s:%d",
	        address->host, address->port);
	status = natsOptions_SetURL(options, url);
	if (status == NATS_OK)
		status = set_login(options, address);
	if (status == NATS_OK && strcmp(address->scheme, "tls") == 0)
		status = natsOptions_SetSecure(options, true);
	if (status == NATS_OK && ca)
		status = natsOptions_LoadCATrustedCertificates(options, ca);
	if (status != NATS_OK)
		return status;
	natsOptions_SetName(options, reader->origin.source.name);
	natsOptions_SetTimeout(options, CONNECT_MS);
	natsOptions_SetPingInterval(options, PING_MS);
	natsOptions_SetMaxPingsOut(options, 2);
	natsOptions_SetAllowReconnect(options, false); /* that is follow()'s, and says so */
	natsOptions_SetSendAsap(options, true);
	return NATS_OK;
}

static bool is_denial(natsStatus status)
{
	return status == NATS_CONNECTION_AUTH_FAILED || status == NATS_NOT_PERMITTED;
}

static bool connect_to(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	natsOptions *options = NULL;
	natsStatus status = natsOptions_Create(&options);

	if (status == NATS_OK)
		status = set_options(reader, options);
	if (status == NATS_OK)
		status = natsConnection_Connect(&reader->connection, options);
	natsOptions_Destroy(options);
	if (status != NATS_OK)
		source_state(is_denial(status) ? "denied" : "retrying", "%s: %s", address->hosts,
		        reason(status));
	return status == NATS_OK;
}

/* --- the stream and its consumer -------------------------------------------------------------- */

/* The stream that keeps the subject. NULL: said why not. */
static char *find_stream(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	const char *named = address_option(address, "stream", NULL);
	CLEANUP(buf_deinit) struct buf ask = BUF_INIT;
	CLEANUP(json_delete_p) cJSON *json = NULL;
	natsMsg *answer = NULL;
	const cJSON *first;
	natsStatus status;

	if (named)
		return strdup(named);
	buf_puts(&ask, "{\"subject\":");
	json_quote(&ask, address->subject, strlen(address->subject));
	buf_puts(&ask, "}");
	status = natsConnection_Request(&answer, reader->connection, "$JS.API.STREAM.NAMES",
	        ask.data, (int)ask.length, LOOK_UP_MS);
	if (status != NATS_OK) {
		source_state("retrying", "%s: %s", address->hosts,
		        status == NATS_NO_RESPONDERS
		                ? "JetStream is not enabled, for this account at "
		                  "least; mode=core does without"
		                : reason(status));
		return NULL;
	}
	json = cJSON_ParseWithLength(
	        natsMsg_GetData(answer), (size_t)natsMsg_GetDataLength(answer));
	natsMsg_Destroy(answer);
	first = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "streams"), 0);
	if (cJSON_IsString(first))
		return strdup(first->valuestring);
	source_state("retrying",
	        "%s: no stream keeps the subject %s; make one (nats stream add), or use mode=core",
	        address->hosts, address->subject);
	return NULL;
}

/* One of another subject is from before the value was changed. */
static void remove_other(struct reader *reader)
{
	jsConsumerInfo *info = NULL;

	if (js_GetConsumerInfo(&info, reader->stream, reader->stream_name, reader->consumer, NULL,
	            NULL) != NATS_OK)
		return;
	if (!info->Config || !info->Config->FilterSubject ||
	        strcmp(info->Config->FilterSubject, reader->origin.address.subject) != 0)
		js_DeleteConsumer(
		        reader->stream, reader->stream_name, reader->consumer, NULL, NULL);
	jsConsumerInfo_Destroy(info);
}

/* Makes the consumer unless there is one: it stays where it was. */
static natsStatus make_consumer(struct reader *reader)
{
	jsConsumerInfo *info = NULL;
	jsConsumerConfig config;
	natsStatus status = js_GetConsumerInfo(
	        &info, reader->stream, reader->stream_name, reader->consumer, NULL, NULL);

	jsConsumerInfo_Destroy(info);
	if (status == NATS_OK)
		return status;
	jsConsumerConfig_Init(&config);
	config.Durable = reader->consumer;
	config.FilterSubject = reader->origin.address.subject;
	config.AckPolicy = js_AckExplicit;
	config.AckWait = ACK_WAIT_S * (int64_t)1000000000;
	config.DeliverPolicy = reader->from_begin ? js_DeliverAll : js_DeliverNew;
	return js_AddConsumer(NULL, reader->stream, reader->stream_name, &config, NULL, NULL);
}

static natsStatus subscribe_to_stream(struct reader *reader)
{
	jsSubOptions options;
	natsStatus status;

	jsSubOptions_Init(&options);
	options.Stream = reader->stream_name;
	options.Consumer = reader->consumer;
	options.ManualAck = true;
	remove_other(reader);
	status = make_consumer(reader);
	if (status == NATS_OK)
		status = js_PullSubscribe(&reader->subscription, reader->stream,
		        reader->origin.address.subject, reader->consumer, NULL, &options, NULL);
	return status;
}

static natsStatus subscribe_to_subject(struct reader *reader)
{
	const char *group = address_option(&reader->origin.address, "group", NULL);
	const char *subject = reader->origin.address.subject;
	natsStatus status = group ? natsConnection_QueueSubscribeSync(&reader->subscription,
	                                    reader->connection, subject, group)
	                          : natsConnection_SubscribeSync(
	                                    &reader->subscription, reader->connection, subject);

	if (status == NATS_OK)
		status = natsSubscription_SetPendingLimits(
		        reader->subscription, HELD_MOST, 8 * MESSAGE_BATCH_BYTES);
	return status == NATS_OK ? natsConnection_FlushTimeout(reader->connection, CONNECT_MS)
	                         : status;
}

static bool subscribe(struct reader *reader)
{
	natsStatus status = NATS_OK;

	if (reader->core) {
		status = subscribe_to_subject(reader);
	} else {
		status = natsConnection_JetStream(&reader->stream, reader->connection, NULL);
		free(reader->stream_name);
		reader->stream_name = status == NATS_OK ? find_stream(reader) : NULL;
		if (status == NATS_OK && !reader->stream_name)
			return false;
		if (status == NATS_OK)
			status = subscribe_to_stream(reader);
	}
	if (status != NATS_OK)
		source_state(is_denial(status) ? "denied" : "retrying", "%s: %s",
		        reader->origin.address.hosts, reason(status));
	return status == NATS_OK;
}

static void connect_again(struct reader *reader)
{
	const struct address *address = &reader->origin.address;

	for (;;) {
		if (!reader->tries)
			source_state("connecting", "%s", address->hosts);
		if (connect_to(reader) && subscribe(reader))
			break;
		disconnect(reader);
		source_pause(reader->tries++);
	}
	if (reader->core)
		source_state("connected", "%s, subject %s, at most once", address->hosts,
		        address->subject);
	else
		source_state("connected", "%s, stream %s", address->hosts, reader->stream_name);
}

/* --- messages --------------------------------------------------------------------------------- */

static void send_message(const struct reader *reader, natsMsg *message)
{
	struct message out = {
	        .id = "-",
	        .subject = natsMsg_GetSubject(message),
	        .data = natsMsg_GetDataLength(message) ? natsMsg_GetData(message) : "",
	        .length = (size_t)natsMsg_GetDataLength(message),
	};
	jsMsgMetaData *facts = NULL;
	char id[400];

	if (!reader->core && natsMsg_GetMetaData(&facts, message) == NATS_OK) {
		snprintf(id, sizeof(id), "%s-%llu", facts->Stream,
		        (unsigned long long)facts->Sequence.Stream);
		out.id = id;
		out.time_ms = facts->Timestamp / 1000000;
	}
	message_send(&reader->origin, &out, NULL, NULL);
	jsMsgMetaData_Destroy(facts);
}

/* What waits is told of, so that the server does not give it out again meanwhile. */
static void beat(natsMsgList *list, int first, time_t *last)
{
	time_t now = time(NULL);

	if (now >= *last && now - *last < BEAT_S)
		return;
	for (int i = first; i < list->Count; i++)
		natsMsg_InProgress(list->Msgs[i], NULL);
	*last = now;
}

static void settle(natsMsgList *list)
{
	time_t last = time(NULL);

	for (int i = 0; i < list->Count; i++) {
		int taken;

		while ((taken = message_settled(BEAT_S * 1000)) < 0)
			beat(list, i, &last);
		beat(list, i, &last);
		if (taken)
			natsMsg_Ack(list->Msgs[i], NULL);
		else
			natsMsg_Term(list->Msgs[i], NULL);
	}
}

static void hand_over(struct reader *reader, natsMsgList *list)
{
	size_t bytes = 0;

	for (int i = 0; i < list->Count; i++) {
		bytes += (size_t)natsMsg_GetDataLength(list->Msgs[i]);
		send_message(reader, list->Msgs[i]);
	}
	settle(list);
	reader->batch = message_batch(reader->batch, BATCH, bytes);
}

static natsStatus next_from_stream(struct reader *reader)
{
	natsMsgList list = {0};
	natsStatus status =
	        natsSubscription_Fetch(&list, reader->subscription, reader->batch, FETCH_MS, NULL);

	if (status == NATS_OK && list.Count) {
		hand_over(reader, &list);
		reader->tries = 0;
	}
	natsMsgList_Destroy(&list);
	return status;
}

static natsStatus next_from_subject(struct reader *reader)
{
	natsMsg *message = NULL;
	natsStatus status = natsSubscription_NextMsg(&message, reader->subscription, FETCH_MS);

	if (status == NATS_SLOW_CONSUMER) {
		fprintf(stderr, "messages were lost: more came than fnfs took\n");
		return NATS_OK;
	}
	if (status == NATS_OK) {
		send_message(reader, message);
		message_settled(-1);
		reader->tries = 0;
	}
	natsMsg_Destroy(message);
	return status;
}

/* Until the connection is lost, or the consumer is. */
static void follow(struct reader *reader)
{
	natsStatus status;

	do
		status = reader->core ? next_from_subject(reader) : next_from_stream(reader);
	while (status == NATS_OK ||
	        (status == NATS_TIMEOUT && !natsConnection_IsClosed(reader->connection)));
	source_state("retrying", "%s: %s", reader->origin.address.hosts, reason(status));
}

/* Consumers have names without dots, wildcards and blanks. */
static char *consumer_name(const char *name)
{
	char *out = strdup(name);

	for (char *at = out; at && *at; at++)
		if (strchr(".*>/\\ \t", *at))
			*at = '-';
	return out;
}

/* As the server has it: tokens between dots, * one of them, > the rest. */
static void check_subject(const char *subject)
{
	size_t length = strlen(subject);

	if (*subject == '.' || subject[length - 1] == '.' || strstr(subject, ".."))
		source_refuse("the subject has an empty token");
	if (strchr(subject, '>') && strcmp(strchr(subject, '>'), ">") != 0)
		source_refuse("> stands at the end of a subject only");
}

int main(void)
{
	static const char *const schemes[] = {"nats", "tls", NULL};
	static const char *const options[] = {"stream", "mode", "from", "group", "ca", NULL};
	static const struct address_form form = {schemes, options, .port = 4222};
	struct reader reader = {
	        .origin = {.source = source_begin(), .kind = "nats", .type = "NATS"},
	        .batch = 32,
	};
	const struct address *address = &reader.origin.address;

	reader.origin.address = address_read(reader.origin.source.value, &form);
	check_subject(address->subject);
	if (*address->path)
		source_refuse("the URL of this source has no path");
	reader.core =
	        address_choice(address, "mode", (const char *const[]){"stream", "core", NULL});
	reader.from_begin =
	        address_choice(address, "from", (const char *const[]){"new", "begin", NULL});
	if (address_option(address, "group", NULL) && !reader.core)
		source_refuse("group is an option of mode=core");
	reader.consumer = consumer_name(reader.origin.source.name);
	for (;;) {
		connect_again(&reader);
		follow(&reader);
		disconnect(&reader);
		source_pause(reader.tries++);
	}
}
