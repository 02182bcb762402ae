/* SPDX-License-Identifier: Apache-2.0 */
#include "brokers/source.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	READ_SIZE = 4096,
	LINE_MOST = 4096,
	PAUSE_FIRST_MS = 100,
	PAUSE_MOST_MS = 10000,
	GRACE_MS = 200
};

/* What was read and not looked at yet. */
static char heard[READ_SIZE + LINE_MOST];
static size_t heard_length;

__attribute__((noreturn)) static void leave(void)
{
	/* The broker keeps what was not acknowledged; handlers of a library could wait for its threads. */
	_exit(0);
}

/*
 * Libraries wait for brokers in places where nobody hears the daemon. What it answered last is read, and told to the
 * broker, in the grace.
 */
__attribute__((noreturn)) static void *watch_for_end(void *nothing)
{
	struct pollfd end = {.fd = SOURCE_FD, .events = POLLRDHUP};

	while (poll(&end, 1, -1) < 0)
		;
	poll(NULL, 0, GRACE_MS);
	leave();
}

/* --- begin ------------------------------------------------------------------------------------ */

static const char *variable(const char *name)
{
	const char *text = getenv(name);

	if (text)
		return text;
	fprintf(stderr, "%s is not set: fnfs starts this program for a trigger (docs/sources.md)\n",
	        name);
	exit(2);
}

struct source source_begin(void)
{
	static const char *const formats[] = {
	        [SOURCE_CLOUDEVENTS] = "cloudevents",
	        [SOURCE_FUNCTIONGRAPH] = "functiongraph",
	        [SOURCE_LAMBDA] = "lambda",
	        [SOURCE_RAW] = "raw",
	};
	struct source source = {
	        .value = variable("FNFS_SOURCE_VALUE"),
	        .function = variable("FNFS_SOURCE_FUNCTION"),
	        .trigger = variable("FNFS_SOURCE_TRIGGER"),
	        .name = variable("FNFS_SOURCE_NAME"),
	};
	const char *format = variable("FNFS_SOURCE_FORMAT");
	pthread_t thread;

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (strcmp(format, formats[i]) == 0)
			source.format = (enum source_format)i;
	if (pthread_create(&thread, NULL, watch_for_end, NULL) != 0) {
		fprintf(stderr, "there can be no thread\n");
		exit(1);
	}
	pthread_detach(thread);
	return source;
}

/* --- what it says ----------------------------------------------------------------------------- */

/* Changes the pieces. */
static void say(struct iovec *pieces, int count)
{
	struct msghdr rest = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
	ssize_t n;

	while (rest.msg_iovlen) {
		n = sendmsg(STDOUT_FILENO, &rest, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			leave();
		while (rest.msg_iovlen && (size_t)n >= rest.msg_iov->iov_len) {
			n -= (ssize_t)rest.msg_iov->iov_len;
			rest.msg_iov++;
			rest.msg_iovlen--;
		}
		if (rest.msg_iovlen) {
			rest.msg_iov->iov_base = (char *)rest.msg_iov->iov_base + n;
			rest.msg_iov->iov_len -= (size_t)n;
		}
	}
}

/* A word and a sentence of one line; what a broker said may have several. */
__attribute__((format(printf, 2, 0))) static void say_line(
        const char *word, const char *sentence, va_list arguments)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "%s ", word);

	vsnprintf(text + length, sizeof(text) - (size_t)length - 1, sentence, arguments);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ')
			*at = ' ';
	length = (int)strlen(text);
	while (length && text[length - 1] == ' ')
		length--;
	text[length++] = '\n';
	say(&(struct iovec){text, (size_t)length}, 1);
}

void source_state(const char *word, const char *sentence, ...)
{
	static char last[512];
	char now[sizeof(last)], name[64];
	va_list arguments;
	int length = snprintf(now, sizeof(now), "%s ", word);

	va_start(arguments, sentence);
	vsnprintf(now + length, sizeof(now) - (size_t)length, sentence, arguments);
	va_end(arguments);
	if (strcmp(now, last) == 0)
		return;
	strcpy(last, now);
	snprintf(name, sizeof(name), "state %s", word);
	va_start(arguments, sentence);
	say_line(name, sentence, arguments);
	va_end(arguments);
}

void source_refuse(const char *sentence, ...)
{
	va_list arguments;

	va_start(arguments, sentence);
	say_line("refused", sentence, arguments);
	va_end(arguments);
	leave();
}

static void say_event(
        const char *word, const char *id, const void *data, size_t length, const char *attributes)
{
	char head[256];
	struct iovec pieces[] = {
	        {head, 0},
	        {(void *)attributes, strlen(attributes)},
	        {(char[]){'\n'}, 1},
	        {(void *)data, length},
	        {(char[]){'\n'}, 1},
	};

	pieces[0].iov_len = (size_t)snprintf(
	        head, sizeof(head), "%s %s %zu%s", word, id, length, *attributes ? " " : "");
	say(pieces, 5);
}

void source_event(const char *id, const void *data, size_t length, const char *attributes)
{
	say_event("event", id, data, length, attributes);
}

void source_record(const char *id, const void *data, size_t length)
{
	say_event("record", id, data, length, "");
}

/* --- what it hears ---------------------------------------------------------------------------- */

/* `ok ID` or `no ID SENTENCE`. */
static bool understand(const char *line, bool *taken, char *why)
{
	const char *sentence;

	if (strncmp(line, "ok ", 3) != 0 && strncmp(line, "no ", 3) != 0)
		return false;
	sentence = strchr(line + 3, ' ');
	*taken = line[0] == 'o';
	snprintf(why, SOURCE_WHY, "%s", sentence ? sentence + 1 : "");
	return true;
}

bool source_answer(bool *taken, char *why)
{
	for (;;) {
		char *end = memchr(heard, '\n', heard_length), line[LINE_MOST];
		size_t length = end ? (size_t)(end - heard) : 0;
		ssize_t n;

		if (end) {
			snprintf(line, sizeof(line), "%.*s", (int)length, heard);
			heard_length -= length + 1;
			memmove(heard, end + 1, heard_length);
			if (understand(line, taken, why))
				return true;
			continue;
		}
		if (heard_length > LINE_MOST)
			leave(); /* that is no daemon of ours */
		n = recv(SOURCE_FD, heard + heard_length, READ_SIZE, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			leave();
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n > 0)
			heard_length += (size_t)n;
	}
}

void source_pause(unsigned tries)
{
	struct pollfd end = {.fd = SOURCE_FD, .events = POLLRDHUP};
	unsigned random = 0;
	int most = PAUSE_MOST_MS;

	if (tries < 7)
		most = PAUSE_FIRST_MS << tries;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (unsigned)getpid();
	if (poll(&end, 1, most / 2 + (int)(random % (unsigned)(most / 2 + 1))) > 0)
		leave();
}
