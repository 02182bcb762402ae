/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Librdkafka's cluster of its own tests, as a process: brokers that are there without Java. What it holds is gone with it,
 * so what stands for its death is that nobody can reach it for a while. Orders come as lines, each is answered by one:
 *
 *	create TOPIC PARTITIONS	produce TOPIC LENGTH, and LENGTH bytes	flush	down	up	rest TOPIC GROUP
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { PATIENCE_MS = 30000, PARTITIONS_MOST = 16 };

static rd_kafka_mock_cluster_t *cluster;
static const char *servers;
static int failed;

static rd_kafka_t *make(rd_kafka_type_t type, const char *group)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[200];
	rd_kafka_t *kafka;

	if (servers)
		rd_kafka_conf_set(conf, "bootstrap.servers", servers, NULL, 0);
	if (group)
		rd_kafka_conf_set(conf, "group.id", group, NULL, 0);
	if (type == RD_KAFKA_PRODUCER) {
		rd_kafka_conf_set(conf, "message.max.bytes", "16000000", NULL, 0);
		rd_kafka_conf_set(conf, "linger.ms", "2", NULL, 0);
	}
	rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	kafka = rd_kafka_new(type, conf, why, sizeof(why));
	if (!kafka) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	return kafka;
}

static void answer(int error)
{
	printf(error ? "no %s\n" : "ok\n", rd_kafka_err2str((rd_kafka_resp_err_t)error));
	fflush(stdout);
}

static void produce(rd_kafka_t *producer, const char *topic, size_t length)
{
	char *data = malloc(length + 1);

	if (!data || fread(data, 1, length, stdin) != length)
		exit(1);
	while (rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE(data, length),
	               RD_KAFKA_V_KEY("key", 3), RD_KAFKA_V_PARTITION(0),
	               RD_KAFKA_V_HEADER("h", "ab", 2), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_FREE),
	               RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(producer, 100);
}

/* How many messages of partition 0 the group has not committed. */
static void rest(const char *topic, const char *group)
{
	rd_kafka_t *consumer = make(RD_KAFKA_CONSUMER, group);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	int64_t low, high = 0;
	int error = rd_kafka_query_watermark_offsets(consumer, topic, 0, &low, &high, PATIENCE_MS);

	rd_kafka_topic_partition_list_add(list, topic, 0);
	if (!error)
		error = rd_kafka_committed(consumer, list, PATIENCE_MS);
	if (error)
		answer(error);
	else
		printf("%lld\n",
		        (long long)(high -
		                    (list->elems[0].offset < 0 ? 0 : list->elems[0].offset)));
	fflush(stdout);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(consumer);
}

static void obey(rd_kafka_t *producer, char *line)
{
	char word[20] = "", first[256] = "", second[256] = "";

	sscanf(line, "%19s %255s %255s", word, first, second);
	if (strcmp(word, "create") == 0)
		answer(rd_kafka_mock_topic_create(cluster, first, atoi(second), 1));
	else if (strcmp(word, "produce") == 0)
		produce(producer, first, strtoul(second, NULL, 10));
	else if (strcmp(word, "flush") == 0)
		answer(rd_kafka_flush(producer, PATIENCE_MS) || failed);
	else if (strcmp(word, "down") == 0)
		answer(rd_kafka_mock_broker_set_down(cluster, -1));
	else if (strcmp(word, "up") == 0)
		answer(rd_kafka_mock_broker_set_up(cluster, -1));
	else if (strcmp(word, "rest") == 0)
		rest(first, second);
	else
		exit(1);
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *context)
{
	failed += message->err != 0;
}

int main(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char line[600], why[200];
	rd_kafka_t *host = make(RD_KAFKA_PRODUCER, NULL), *producer;

	cluster = rd_kafka_mock_cluster_new(host, 1);
	if (!cluster)
		return 1;
	servers = rd_kafka_mock_cluster_bootstraps(cluster);
	rd_kafka_conf_set(conf, "bootstrap.servers", servers, NULL, 0);
	rd_kafka_conf_set(conf, "message.max.bytes", "16000000", NULL, 0);
	rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!producer)
		return 1;
	printf("%s\n", servers);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		obey(producer, line);
	return 0;
}
