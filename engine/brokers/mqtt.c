/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics of an MQTT broker, with QoS 1 and a session that stays. Paho acknowledges a message when the callback that got
 * it returns, and not before: so the callback hands it over and waits for the answer, one message at a time. (Libmosquitto
 * acknowledges first and calls then, which loses what it was about to tell.) The callback runs in a thread of Paho's;
 * this one connects.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <MQTTAsync.h>

#include "base/cleanup.h"
#include "base/sha256.h"
#include "brokers/message.h"

enum {
	CONNECT_S = 10,
	ANSWER_S = 20, /* then there is none */
	KEEP_ALIVE_S = 60,
	QOS = 1,
	REFUSED_LOGIN = 4,
	REFUSED_RIGHTS = 5,
	TOPIC_MOST = 65535
};

#define CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"

/* How a request of ours went. */
struct outcome {
	sem_t known;
	int code; /* 0: well */
	char text[200];
};

struct reader {
	struct origin origin;
	MQTTAsync client;
	sem_t lost; /* posted when the connection is */
	struct outcome outcome;
	pthread_mutex_t speaking; /* with the daemon; `tries` */
	unsigned tries;
};

/* --- in Paho's threads ------------------------------------------------------------------------ */

static void went_well(void *context, MQTTAsync_successData *data)
{
	struct outcome *outcome = context;

	outcome->code = 0;
	sem_post(&outcome->known);
}

static void went_wrong(void *context, MQTTAsync_failureData *data)
{
	struct outcome *outcome = context;
	const char *why = data && data->message ? data->message : NULL;

	outcome->code = data && data->code ? data->code : MQTTASYNC_FAILURE;
	if (!why)
		why = outcome->code < 0 ? MQTTAsync_strerror(outcome->code) : NULL;
	snprintf(outcome->text, sizeof(outcome->text), "%s", why ? why : "no connection");
	sem_post(&outcome->known);
}

/* What was asked for on that connection is never answered, which the library does not say. */
static void lose(void *context, char *cause)
{
	struct reader *reader = context;

	reader->outcome.code = MQTTASYNC_DISCONNECTED;
	snprintf(reader->outcome.text, sizeof(reader->outcome.text), "the connection is lost");
	sem_post(&reader->outcome.known);
	sem_post(&reader->lost);
}

/* What the daemon refuses is acknowledged, too: MQTT has nowhere else to put it. */
static int take_message(void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
	struct reader *reader = context;
	struct message out = {
	        .id = "-",
	        .subject = topic,
	        .data = message->payloadlen ? message->payload : "",
	        .length = (size_t)message->payloadlen,
	};

	pthread_mutex_lock(&reader->speaking);
	message_send(&reader->origin, &out, NULL, NULL);
	message_settled(-1);
	reader->tries = 0;
	pthread_mutex_unlock(&reader->speaking);
	MQTTAsync_freeMessage(&message);
	MQTTAsync_free(topic);
	return 1;
}

/* --- connecting ------------------------------------------------------------------------------- */

static void say(struct reader *reader, const char *word, const char *more)
{
	const struct address *address = &reader->origin.address;

	pthread_mutex_lock(&reader->speaking);
	source_state(word, "%s%s%s", address->hosts, *more ? ": " : "", more);
	pthread_mutex_unlock(&reader->speaking);
}

/* `status`: whether it was begun; then its end is waited for. */
static bool wait_for(struct outcome *outcome, int status)
{
	struct timespec until;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ANSWER_S;
	if (status == MQTTASYNC_SUCCESS) {
		while ((r = sem_clockwait(&outcome->known, CLOCK_MONOTONIC, &until)) < 0 &&
		        errno == EINTR)
			continue;
		if (r == 0)
			return outcome->code == 0;
		status = MQTTASYNC_FAILURE;
	}
	outcome->code = status;
	snprintf(
	        outcome->text, sizeof(outcome->text), "%s", MQTTAsync_strerror(status) ?: "failed");
	return false;
}

/* Those to what was asked for before, and of connections that are lost. */
static void forget_answers(struct outcome *outcome)
{
	while (sem_trywait(&outcome->known) == 0)
		continue;
}

static bool connect_to(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	MQTTAsync_SSLOptions secure = MQTTAsync_SSLOptions_initializer;
	MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;

	options.cleansession = 0;
	options.MQTTVersion = MQTTVERSION_3_1_1;
	options.keepAliveInterval = KEEP_ALIVE_S;
	options.connectTimeout = CONNECT_S;
	options.username = address->user;
	options.password = address->password;
	options.onSuccess = went_well;
	options.onFailure = went_wrong;
	options.context = &reader->outcome;
	forget_answers(&reader->outcome);
	if (strcmp(address->scheme, "mqtts") == 0) {
		secure.trustStore = address_option(address, "ca", CERTIFICATES);
		secure.enableServerCertAuth = 1;
		secure.verify = 1;
		options.ssl = &secure;
	}
	return wait_for(&reader->outcome, MQTTAsync_connect(reader->client, &options));
}

static bool subscribe(struct reader *reader)
{
	MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;

	options.onSuccess = went_well;
	options.onFailure = went_wrong;
	options.context = &reader->outcome;
	forget_answers(&reader->outcome);
	return wait_for(&reader->outcome,
	        MQTTAsync_subscribe(reader->client, reader->origin.address.subject, QOS, &options));
}

static void disconnect(struct reader *reader)
{
	MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;

	if (MQTTAsync_isConnected(reader->client))
		MQTTAsync_disconnect(reader->client, &options);
	while (sem_trywait(&reader->lost) == 0)
		;
}

static void pause_again(struct reader *reader)
{
	unsigned tries;

	pthread_mutex_lock(&reader->speaking);
	tries = reader->tries++;
	pthread_mutex_unlock(&reader->speaking);
	source_pause(tries);
}

static bool is_denial(int code)
{
	return code == REFUSED_LOGIN || code == REFUSED_RIGHTS;
}

/* Until it is connected. */
static void connect_again(struct reader *reader)
{
	say(reader, "connecting", "");
	for (;;) {
		if (connect_to(reader)) {
			if (subscribe(reader))
				break;
			say(reader, "denied", "the broker refuses the subscription");
		} else if (is_denial(reader->outcome.code)) {
			say(reader, "denied", "the broker refuses user or password");
		} else {
			say(reader, "retrying", reader->outcome.text);
		}
		disconnect(reader);
		pause_again(reader);
	}
	say(reader, "connected", reader->origin.address.subject);
}

/* --- the subject ------------------------------------------------------------------------------ */

/* Levels between slashes: + is one of them, # what is left. */
static void check_filter(const char *filter)
{
	for (const char *at = filter; *at; at++) {
		bool begins = at == filter || at[-1] == '/';

		if (*at == '#' && !(begins && !at[1]))
			source_refuse(
			        "# is the last level of a topic filter and stands alone in it");
		if (*at == '+' && !(begins && (!at[1] || at[1] == '/')))
			source_refuse("+ is a whole level of a topic filter");
	}
	if (strlen(filter) > TOPIC_MOST)
		source_refuse("topic filters have at most %d bytes", TOPIC_MOST);
}

/*
 * The broker keeps a session by this name, with what was subscribed to in it. Another subject is another session, for
 * nobody here knows what to unsubscribe from.
 */
static char *session_name(const struct origin *origin)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	struct sha256 *sha256 = sha256_new();
	unsigned char sum[SHA256_SIZE];

	if (!sha256)
		return NULL;
	sha256_of(sha256, origin->address.subject, strlen(origin->address.subject), sum);
	sha256_free(sha256);
	buf_printf(
	        &out, "%s-%02x%02x%02x%02x", origin->source.name, sum[0], sum[1], sum[2], sum[3]);
	return buf_take(&out);
}

static void make_client(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	CLEANUP(free_p) char *name = session_name(&reader->origin);
	char url[600];

	snprintf(url, sizeof(url), strchr(address->host, ':') ? "%s://[%s]:%d" : "%s://%s:%d",
	        strcmp(address->scheme, "mqtts") == 0 ? "ssl" : "tcp", address->host,
	        address->port);
	sem_init(&reader->lost, 0, 0);
	sem_init(&reader->outcome.known, 0, 0);
	pthread_mutex_init(&reader->speaking, NULL);
	MQTTAsync_global_init(&(MQTTAsync_init_options){{'M', 'Q', 'T', 'G'}, 0, 1});
	if (!name ||
	        MQTTAsync_create(&reader->client, url, name, MQTTCLIENT_PERSISTENCE_NONE, NULL) !=
	                MQTTASYNC_SUCCESS ||
	        MQTTAsync_setCallbacks(reader->client, reader, lose, take_message, NULL) !=
	                MQTTASYNC_SUCCESS) {
		fprintf(stderr, "the library makes no client\n");
		exit(1);
	}
}

int main(void)
{
	static const char *const schemes[] = {"mqtt", "mqtts", NULL};
	static const char *const options[] = {"ca", NULL};
	static struct address_form form = {schemes, options, .port = 1883};
	static struct reader reader;
	struct address *address = &reader.origin.address;

	reader.origin = (struct origin){.source = source_begin(), .kind = "mqtt", .type = "MQTT"};
	if (strncmp(reader.origin.source.value, "mqtts:", 6) == 0)
		form.port = 8883;
	*address = address_read(reader.origin.source.value, &form);
	if (*address->path)
		source_refuse("the URL of this source has no path");
	check_filter(address->subject);
	make_client(&reader);
	for (;;) {
		connect_again(&reader);
		while (sem_wait(&reader.lost) < 0)
			;
		say(&reader, "retrying", "the connection is lost");
		pause_again(&reader);
	}
}
