/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_enqueue PLACE TARGET WRITERS SECONDS	events put into a queue, each durable before the next
 * bench_enqueue PLACE TARGET drain COUNT	so many taken out again, each acknowledged by itself
 *
 * PLACE is `file` (TARGET: a queue/ directory; no drain), `redis` (PORT:USER:PASSWORD: a stream; the server
 * syncs each append) or `amqp` (likewise: a durable queue; persistent messages, publisher confirms). Prints: events per second, and of putting them
 * the 50th and 99th percentile of the time of one in microseconds.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_REDIS
#include <hiredis/hiredis.h>
#endif
#ifdef HAVE_AMQP
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif
#endif

#define EVENT \
	"{\"order\":4711,\"text\":\"about as long as such an event is, which is not very long\"}"
#define SUBJECT "orders"
#define TIMES   (1 << 22)

static void give_up(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

struct writer {
	const char *target;
	unsigned number;
	unsigned long count;
	int64_t until_ns;
	void *connection;
	uint32_t *times_ns;
	pthread_t thread;
};

struct place {
	const char *name;
	void *(*open)(const char *target);
	void (*put)(struct writer *writer);
	void (*drain)(void *connection, long count);
};

struct login {
	int port;
	char user[64], password[64];
};

static struct login login_of(const char *target)
{
	struct login login = {};

	if (sscanf(target, "%d:%63[^:]:%63s", &login.port, login.user, login.password) != 3)
		give_up("a target is PORT:USER:PASSWORD");
	return login;
}

/* --- files ------------------------------------------------------------------------------------ */

static void *file_open(const char *target)
{
	return (void *)target;
}

static void file_put(struct writer *writer)
{
	char name[512];
	int fd;

	snprintf(name, sizeof(name), "%s/%d-%u-%lu", writer->target, (int)getpid(), writer->number,
	        writer->count);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0 || write(fd, EVENT, strlen(EVENT)) < 0 || close(fd) < 0)
		give_up(name);
}

/* --- Redis ------------------------------------------------------------------------------------ */

#ifdef HAVE_REDIS
static redisReply *ask(redisContext *redis, const char *command)
{
	redisReply *reply = redisCommand(redis, command);

	if (!reply || reply->type == REDIS_REPLY_ERROR) {
		fprintf(stderr, "redis: %s\n", reply ? reply->str : redis->errstr);
		exit(1);
	}
	return reply;
}

static void *redis_open(const char *target)
{
	struct login login = login_of(target);
	redisContext *redis = redisConnect("127.0.0.1", login.port);
	redisReply *reply;

	if (!redis || redis->err)
		give_up("connecting to redis");
	reply = redisCommand(redis, "AUTH %s %s", login.user, login.password);
	if (!reply || reply->type == REDIS_REPLY_ERROR)
		give_up("logging in at redis");
	freeReplyObject(reply);
	reply = redisCommand(redis, "XGROUP CREATE " SUBJECT " all 0 MKSTREAM");
	freeReplyObject(reply); /* it may be there */
	return redis;
}

static void redis_put(struct writer *writer)
{
	redisReply *reply = redisCommand(writer->connection, "XADD " SUBJECT " * event %s", EVENT);

	if (!reply || reply->type != REDIS_REPLY_STRING)
		give_up("adding to a stream");
	freeReplyObject(reply);
}

static void redis_drain(void *connection, long count)
{
	redisReply *reply;

	while (count-- > 0) {
		char command[128];

		reply = ask(connection, "XREADGROUP GROUP all one COUNT 1 STREAMS " SUBJECT " >");
		if (reply->type != REDIS_REPLY_ARRAY)
			give_up("nothing is left in redis");
		snprintf(command, sizeof(command), "XACK " SUBJECT " all %s",
		        reply->element[0]->element[1]->element[0]->element[0]->str);
		freeReplyObject(reply);
		freeReplyObject(ask(connection, command));
	}
}
#endif

/* --- AMQP ------------------------------------------------------------------------------------- */

#ifdef HAVE_AMQP
static void check(amqp_connection_state_t amqp, const char *what)
{
	if (amqp_get_rpc_reply(amqp).reply_type != AMQP_RESPONSE_NORMAL)
		give_up(what);
}

static void *amqp_open(const char *target)
{
	struct login login = login_of(target);
	amqp_connection_state_t amqp = amqp_new_connection();
	amqp_socket_t *socket = amqp_tcp_socket_new(amqp);

	if (amqp_socket_open(socket, "127.0.0.1", login.port) != AMQP_STATUS_OK ||
	        amqp_login(
	                amqp, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, login.user, login.password)
	                        .reply_type != AMQP_RESPONSE_NORMAL)
		give_up("connecting to rabbitmq");
	amqp_channel_open(amqp, 1);
	check(amqp, "opening a channel");
	amqp_queue_declare(amqp, 1, amqp_cstring_bytes(SUBJECT), 0, 1, 0, 0, amqp_empty_table);
	check(amqp, "declaring a queue");
	amqp_confirm_select(amqp, 1);
	check(amqp, "asking for confirms");
	return amqp;
}

static void amqp_put(struct writer *writer)
{
	amqp_connection_state_t amqp = writer->connection;
	amqp_basic_properties_t persistent = {
	        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
	amqp_frame_t frame;

	amqp_basic_publish(amqp, 1, amqp_empty_bytes, amqp_cstring_bytes(SUBJECT), 0, 0,
	        &persistent, amqp_cstring_bytes(EVENT));
	do {
		if (amqp_simple_wait_frame(amqp, &frame) != AMQP_STATUS_OK)
			give_up("waiting for a confirm");
	} while (frame.frame_type != AMQP_FRAME_METHOD ||
	         frame.payload.method.id != AMQP_BASIC_ACK_METHOD);
	amqp_maybe_release_buffers(amqp);
}

static void amqp_drain(void *connection, long count)
{
	amqp_connection_state_t amqp = connection;

	amqp_basic_qos(amqp, 1, 0, 64, 0);
	amqp_basic_consume(
	        amqp, 1, amqp_cstring_bytes(SUBJECT), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
	check(amqp, "consuming");
	while (count-- > 0) {
		amqp_envelope_t envelope;

		amqp_maybe_release_buffers(amqp);
		if (amqp_consume_message(amqp, &envelope, NULL, 0).reply_type !=
		        AMQP_RESPONSE_NORMAL)
			give_up("taking a message");
		amqp_basic_ack(amqp, 1, envelope.delivery_tag, 0);
		amqp_destroy_envelope(&envelope);
	}
	amqp_channel_close(amqp, 1, AMQP_REPLY_SUCCESS); /* the last acknowledgement arrived */
}
#endif

static const struct place places[] = {
        {"file", file_open, file_put, NULL},
#ifdef HAVE_REDIS
        {"redis", redis_open, redis_put, redis_drain},
#endif
#ifdef HAVE_AMQP
        {"amqp", amqp_open, amqp_put, amqp_drain},
#endif
        {},
};

/* --- all of them ------------------------------------------------------------------------------ */

static const struct place *place;

static void *write_on(void *data)
{
	struct writer *writer = data;

	while (now_ns() < writer->until_ns && writer->count < TIMES) {
		int64_t begun = now_ns();

		place->put(writer);
		writer->times_ns[writer->count++] = (uint32_t)(now_ns() - begun);
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void put_all(const char *target, unsigned count, double seconds)
{
	struct writer *writers = calloc(count, sizeof(*writers));
	unsigned long all = 0;
	uint32_t *times;
	int64_t begun;

	for (unsigned i = 0; i < count; i++) {
		writers[i] = (struct writer){.target = target,
		        .number = i,
		        .connection = place->open(target),
		        .times_ns = malloc(TIMES * sizeof(*times))};
		if (!writers[i].times_ns)
			give_up("memory");
	}
	begun = now_ns();
	for (unsigned i = 0; i < count; i++) {
		writers[i].until_ns = begun + (int64_t)(seconds * 1e9);
		if (pthread_create(&writers[i].thread, NULL, write_on, &writers[i]) != 0)
			give_up("starting a writer");
	}
	for (unsigned i = 0; i < count; i++) {
		pthread_join(writers[i].thread, NULL);
		all += writers[i].count;
	}
	seconds = (double)(now_ns() - begun) / 1e9;
	times = malloc((all + 1) * sizeof(*times));
	all = 0;
	for (unsigned i = 0; i < count; i++) {
		memcpy(times + all, writers[i].times_ns, writers[i].count * sizeof(*times));
		all += writers[i].count;
	}
	qsort(times, all, sizeof(*times), by_size);
	printf("%lu %.1f %.1f %.1f\n", all, (double)all / seconds, times[all / 2] / 1e3,
	        times[all * 99 / 100] / 1e3);
}

static void drain_all(const char *target, long count)
{
	void *connection = place->open(target);
	int64_t begun = now_ns();

	place->drain(connection, count);
	printf("%ld %.1f\n", count, (double)count * 1e9 / (double)(now_ns() - begun));
}

int main(int argc, char **argv)
{
	for (place = places; argc == 5 && place->name && strcmp(place->name, argv[1]) != 0; place++)
		;
	if (argc != 5 || !place->name) {
		fprintf(stderr, "usage: bench_enqueue PLACE TARGET WRITERS SECONDS\n"
		                "       bench_enqueue PLACE TARGET drain COUNT\n");
		return 2;
	}
	if (strcmp(argv[3], "drain") == 0 && place->drain)
		drain_all(argv[2], atol(argv[4]));
	else
		put_all(argv[2], (unsigned)atoi(argv[3]), atof(argv[4]));
	return 0;
}
