/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A topic of Kafka, read by a consumer group. A batch is polled, handed over, answered, and then its offsets are
 * committed: what is behind the committed offset is given again to whoever comes next. Librdkafka looks for brokers by
 * itself and for ever. Partitions may be taken away while a batch is with the daemon; then it is answered and committed
 * first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/utf8.h"
#include "brokers/message.h"

enum { BATCH = 256, POLL_MS = 1000, LOOK_MS = 500, ASK_MS = 5000, BEGIN_TRIES = 5 };

#define CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"

struct reader {
	struct origin origin;
	rd_kafka_t *kafka;
	rd_kafka_message_t *batch[BATCH]; /* handed over, not answered */
	int count;
	rd_kafka_topic_partition_list_t
	        *done; /* what is to be committed, of the partitions that are ours */
	bool dirty;    /* some of it is not committed */
	bool from_begin;
	bool up;       /* what `status` says */
	bool in_doubt; /* a connection was lost, perhaps the last one */
	time_t looked; /* last, whether brokers are back */
};

static void say_connected(struct reader *reader)
{
	reader->up = true;
	source_state("connected", "%s, topic %s", reader->origin.address.hosts,
	        reader->origin.address.subject);
}

static void say_trouble(struct reader *reader, rd_kafka_resp_err_t error, const char *why)
{
	bool denied = error == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
	              error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
	              error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;

	reader->up = false;
	source_state(denied ? "denied" : "retrying", "%s: %s", reader->origin.address.hosts,
	        why ? why : rd_kafka_err2str(error));
}

/* --- messages --------------------------------------------------------------------------------- */

static void put_bytes(struct buf *out, const void *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		buf_printf(out, "%s%u", i ? "," : "", ((const unsigned char *)data)[i]);
}

static void put_headers(struct buf *out, const rd_kafka_message_t *message)
{
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t length;

	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &length); i++) {
		buf_puts(out, i ? ",{" : "{");
		json_quote(out, name, strlen(name));
		buf_puts(out, ":[");
		put_bytes(out, value, value ? length : 0);
		buf_puts(out, "]}");
	}
}

/* As Lambda gets it from a Kafka of one's own. `context`: the message of librdkafka. */
static void put_lambda(struct buf *out, const struct origin *origin, const struct message *about,
        const void *context)
{
	const rd_kafka_message_t *message = context;
	const char *topic = rd_kafka_topic_name(message->rkt);
	rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
	int64_t time_ms = rd_kafka_message_timestamp(message, &type);

	buf_puts(out, "{\"eventSource\":\"SelfManagedKafka\",\"bootstrapServers\":");
	json_quote(out, origin->address.hosts, strlen(origin->address.hosts));
	/* Names of topics have letters, digits, dots, - and _ only. */
	buf_printf(out,
	        ",\"records\":{\"%s-%d\":[{\"topic\":\"%s\",\"partition\":%d,\"offset\":%lld",
	        topic, message->partition, topic, message->partition, (long long)message->offset);
	buf_printf(out, ",\"timestamp\":%lld,\"timestampType\":\"%s\"", (long long)time_ms,
	        type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? "LOG_APPEND_TIME" : "CREATE_TIME");
	if (message->key) {
		buf_puts(out, ",\"key\":");
		message_put_base64(out, message->key, message->key_len);
	}
	buf_puts(out, ",\"value\":");
	message_put_base64(out, about->data, about->length);
	buf_puts(out, ",\"headers\":[");
	put_headers(out, message);
	buf_puts(out, "]}]}}");
}

static void send_message(struct reader *reader, rd_kafka_message_t *message)
{
	bool text = message->key && utf8_valid(message->key, message->key_len);
	CLEANUP(free_p) char *key = text ? strndup(message->key, message->key_len) : NULL;
	int64_t time_ms = rd_kafka_message_timestamp(message, NULL);
	char id[300];
	struct message out = {
	        .id = id,
	        .subject = key,
	        .time_ms = time_ms > 0 ? time_ms : 0,
	        .data = message->payload ? message->payload : "",
	        .length = message->payload ? message->len : 0,
	};

	snprintf(id, sizeof(id), "%s-%d-%lld", rd_kafka_topic_name(message->rkt),
	        message->partition, (long long)message->offset);
	message_send(&reader->origin, &out, put_lambda, message);
	reader->batch[reader->count++] = message;
}

/* --- offsets ---------------------------------------------------------------------------------- */

/* What the daemon refused is behind us as well: it never will be taken. */
static void settle(struct reader *reader)
{
	for (int i = 0; i < reader->count; i++) {
		rd_kafka_message_t *message = reader->batch[i];
		const char *topic = rd_kafka_topic_name(message->rkt);
		rd_kafka_topic_partition_t *place;

		message_settled(-1);
		place = rd_kafka_topic_partition_list_find(reader->done, topic, message->partition);
		if (!place)
			place = rd_kafka_topic_partition_list_add(
			        reader->done, topic, message->partition);
		place->offset = message->offset + 1;
		reader->dirty = true;
		rd_kafka_message_destroy(message);
	}
	reader->count = 0;
}

/* One that fails is done again with the next batch, or when nothing comes. */
static void commit(struct reader *reader, bool wait)
{
	if (!reader->dirty)
		return;
	reader->dirty = false;
	if (rd_kafka_commit(reader->kafka, reader->done, !wait) != RD_KAFKA_RESP_ERR_NO_ERROR)
		reader->dirty = true;
}

static void on_commit(rd_kafka_t *kafka, rd_kafka_resp_err_t error,
        rd_kafka_topic_partition_list_t *offsets, void *context)
{
	struct reader *reader = context;

	if (error && error != RD_KAFKA_RESP_ERR__NO_OFFSET)
		reader->dirty = true;
}

/* --- where to begin --------------------------------------------------------------------------- */

/* All partitions of the topic, with what the group has committed of them. NULL: not known. */
static rd_kafka_topic_partition_list_t *committed(struct reader *reader)
{
	const char *topic = reader->origin.address.subject;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(reader->kafka, topic, NULL);
	rd_kafka_topic_partition_list_t *list = NULL;
	const struct rd_kafka_metadata *facts = NULL;

	if (handle && !rd_kafka_metadata(reader->kafka, 0, handle, &facts, ASK_MS) &&
	        facts->topic_cnt == 1 && !facts->topics[0].err) {
		list = rd_kafka_topic_partition_list_new(facts->topics[0].partition_cnt);
		rd_kafka_topic_partition_list_add_range(
		        list, topic, 0, facts->topics[0].partition_cnt - 1);
	}
	rd_kafka_metadata_destroy(facts);
	if (handle)
		rd_kafka_topic_destroy(handle);
	if (list && rd_kafka_committed(reader->kafka, list, ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
		return list;
	if (list)
		rd_kafka_topic_partition_list_destroy(list);
	return NULL;
}

/* The ends of partitions, as their offsets. */
static bool find_ends(struct reader *reader, rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++) {
		int64_t low, high;

		if (rd_kafka_query_watermark_offsets(reader->kafka, list->elems[i].topic,
		            list->elems[i].partition, &low, &high, ASK_MS))
			return false;
		list->elems[i].offset = high;
	}
	return true;
}

/*
 * A group that has committed nothing anywhere is new, and begins at the ends. They are committed at once: else whatever
 * comes before the first commit would be behind the end for whoever begins again. A partition without a commit of a group
 * that has some was added to the topic, and is read from its begin.
 */
static bool begin_at_ends(struct reader *reader)
{
	rd_kafka_topic_partition_list_t *list = committed(reader);
	bool begun = false, well = list != NULL;

	for (int i = 0; list && i < list->cnt; i++)
		begun |= list->elems[i].offset >= 0;
	if (list && !begun)
		well = find_ends(reader, list) &&
		       rd_kafka_commit(reader->kafka, list, 0) == RD_KAFKA_RESP_ERR_NO_ERROR;
	if (list)
		rd_kafka_topic_partition_list_destroy(list);
	return well;
}

static void take_partitions(struct reader *reader, rd_kafka_topic_partition_list_t *partitions)
{
	for (unsigned tries = 0; !reader->from_begin && !begin_at_ends(reader); tries++) {
		if (tries == BEGIN_TRIES) {
			fprintf(stderr, "where to begin is not to be known: beginning anew\n");
			_exit(1);
		}
		say_trouble(reader, 0, "where to begin is not known yet");
		source_pause(tries);
	}
	rd_kafka_assign(reader->kafka, partitions);
	say_connected(reader);
}

static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t error,
        rd_kafka_topic_partition_list_t *partitions, void *context)
{
	struct reader *reader = context;

	if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		take_partitions(reader, partitions);
		return;
	}
	settle(reader);
	if (!rd_kafka_assignment_lost(kafka))
		commit(reader, true);
	rd_kafka_topic_partition_list_destroy(reader->done);
	reader->done = rd_kafka_topic_partition_list_new(8);
	reader->dirty = false;
	rd_kafka_assign(kafka, NULL);
}

/* --- connecting ------------------------------------------------------------------------------- */

static void on_error(rd_kafka_t *kafka, int error, const char *why, void *context)
{
	struct reader *reader = context;

	if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
	        error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__RESOLVE ||
	        error == RD_KAFKA_RESP_ERR__SSL)
		say_trouble(reader, (rd_kafka_resp_err_t)error, why);
	else if (error == RD_KAFKA_RESP_ERR__TRANSPORT)
		reader->in_doubt = true;
}

/*
 * Librdkafka does not tell when brokers are back, nor always when the last of them is gone, and messages that still come
 * may have been here before: they are asked for something, now and then.
 */
static void look_again(struct reader *reader)
{
	const struct rd_kafka_metadata *facts = NULL;
	rd_kafka_topic_partition_list_t *ours = NULL;
	bool sure = reader->up && !reader->in_doubt;
	rd_kafka_resp_err_t error;

	if (sure || time(NULL) == reader->looked || rd_kafka_assignment(reader->kafka, &ours))
		return;
	reader->looked = time(NULL);
	error = rd_kafka_metadata(reader->kafka, 0, NULL, &facts, LOOK_MS);
	reader->in_doubt &= error != RD_KAFKA_RESP_ERR_NO_ERROR;
	if (!error && ours->cnt)
		say_connected(reader);
	else if (error && reader->up)
		say_trouble(reader, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, NULL);
	rd_kafka_metadata_destroy(facts);
	rd_kafka_topic_partition_list_destroy(ours);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		source_refuse("%s", why);
}

static void set_security(rd_kafka_conf_t *conf, const struct address *address)
{
	static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL};
	bool secure = strcmp(address->scheme, "kafkas") == 0;
	int mechanism = address_choice(address, "sasl", mechanisms);

	if (address->user)
		set(conf, "security.protocol", secure ? "sasl_ssl" : "sasl_plaintext");
	else if (secure)
		set(conf, "security.protocol", "ssl");
	if (secure)
		set(conf, "ssl.ca.location", address_option(address, "ca", CERTIFICATES));
	if (!address->user)
		return;
	set(conf, "sasl.mechanism", mechanisms[mechanism]);
	set(conf, "sasl.username", address->user);
	set(conf, "sasl.password", address->password ? address->password : "");
}

static void begin(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	char why[256];

	set(conf, "bootstrap.servers", address->hosts);
	set(conf, "client.id", reader->origin.source.name);
	set(conf, "group.id", address_option(address, "group", reader->origin.source.name));
	set(conf, "enable.auto.commit", "false");
	set(conf, "enable.auto.offset.store", "false");
	/* What is gone before it was read is no reason to go to the end. */
	set(conf, "auto.offset.reset", "earliest");
	/* Who was killed is waited for by the group before anybody else reads on. */
	set(conf, "session.timeout.ms", "6000");
	set(conf, "heartbeat.interval.ms", "2000");
	/* Old brokers give no message that is larger. */
	set(conf, "fetch.message.max.bytes", "16777216");
	/* While the daemon takes nothing nobody polls; a process that hangs is ended by the daemon. */
	set(conf, "max.poll.interval.ms", "86400000");
	set(conf, "queued.max.messages.kbytes", "16384");
	set(conf, "log_level", "0");
	set_security(conf, address);
	rd_kafka_conf_set_opaque(conf, reader);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
	reader->done = rd_kafka_topic_partition_list_new(8);
	source_state("connecting", "%s", address->hosts);
	reader->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (!reader->kafka)
		source_refuse("%s", why);
	rd_kafka_poll_set_consumer(reader->kafka);
	rd_kafka_topic_partition_list_add(topics, address->subject, RD_KAFKA_PARTITION_UA);
	if (rd_kafka_subscribe(reader->kafka, topics))
		source_refuse("it cannot be subscribed to %s", address->subject);
	rd_kafka_topic_partition_list_destroy(topics);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* What came so far, at most a batch; waits for the first of it. */
static void read_batch(struct reader *reader)
{
	rd_kafka_message_t *message;
	size_t bytes = 0;

	while (reader->count < BATCH && bytes < MESSAGE_BATCH_BYTES) {
		message = rd_kafka_consumer_poll(reader->kafka, reader->count ? 0 : POLL_MS);
		if (!message)
			return;
		if (message->err) {
			say_trouble(reader, message->err, rd_kafka_message_errstr(message));
			rd_kafka_message_destroy(message);
			return;
		}
		bytes += message->len;
		send_message(reader, message);
	}
}

static void check_topic(const char *topic)
{
	for (const char *at = topic; *at; at++)
		if (!strchr("._-", *at) && !(*at >= '0' && *at <= '9') &&
		        !(*at >= 'A' && *at <= 'Z') && !(*at >= 'a' && *at <= 'z'))
			source_refuse("names of topics have letters, digits, dots, - and _");
	if (strlen(topic) > 249)
		source_refuse("names of topics have at most 249 characters");
}

int main(void)
{
	static const char *const schemes[] = {"kafka", "kafkas", NULL};
	static const char *const options[] = {"group", "from", "sasl", "ca", NULL};
	static const struct address_form form = {
	        schemes, options, .port = 9092, .many_hosts = true};
	static struct reader reader;
	struct address *address = &reader.origin.address;

	reader.origin = (struct origin){.source = source_begin(), .kind = "kafka", .type = "KAFKA"};
	*address = address_read(reader.origin.source.value, &form);
	if (*address->path)
		source_refuse("the URL of this source has no path");
	check_topic(address->subject);
	reader.from_begin =
	        address_choice(address, "from", (const char *const[]){"new", "begin", NULL});
	begin(&reader);
	for (;;) {
		read_batch(&reader);
		settle(&reader);
		commit(&reader, false);
		look_again(&reader);
	}
}
