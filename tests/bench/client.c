/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_client TRANSPORT TARGET CALLERS SECONDS [EVENT]
 *
 * So many threads call one echo after the other, for so long, and every answer must be the same as the
 * first. Prints one line: calls, errors, calls per second, and the 50th, 99th and 100th percentile of the
 * time of a call in microseconds.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "transport.h"

#define RESPONSE_MAX (1 << 16)

struct load {
	const struct transport *transport;
	const char *target;
	const char *event;
	size_t length;
	int64_t until_ns;
	pthread_barrier_t ready;
};

struct caller {
	pthread_t thread;
	struct load *load;
	int fd;
	char expected[RESPONSE_MAX];
	long expected_length;
	uint32_t *times_ns; /* of the calls that succeeded */
	size_t count, capacity;
	unsigned long errors;
	int error; /* the first one */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void keep(struct caller *caller, int64_t time_ns)
{
	if (caller->count == caller->capacity) {
		caller->capacity = caller->capacity ? caller->capacity * 2 : 1 << 16;
		caller->times_ns = realloc(caller->times_ns, caller->capacity * sizeof(uint32_t));
		if (!caller->times_ns)
			abort();
	}
	caller->times_ns[caller->count++] = time_ns > UINT32_MAX ? UINT32_MAX : (uint32_t)time_ns;
}

static long call(struct caller *caller, char *response)
{
	struct load *load = caller->load;

	return load->transport->call(
	        caller->fd, load->target, load->event, load->length, response, RESPONSE_MAX);
}

static void note_error(struct caller *caller, int error)
{
	caller->errors++;
	if (!caller->error)
		caller->error = error ? error : EPROTO;
}

/* The first calls are not timed: they start instances and say what the answer is. */
static void warm_up(struct caller *caller)
{
	for (int i = 0; i < 20; i++) {
		caller->expected_length = call(caller, caller->expected);
		if (caller->expected_length <= 0) {
			note_error(caller, errno);
			return;
		}
	}
}

static void *run(void *argument)
{
	struct caller *caller = argument;
	struct load *load = caller->load;
	char response[RESPONSE_MAX];
	int64_t begin, end;

	warm_up(caller);
	pthread_barrier_wait(&load->ready); /* everybody is warm */
	pthread_barrier_wait(&load->ready); /* until_ns is set */
	for (begin = now_ns(); begin < load->until_ns && !caller->errors; begin = end) {
		errno = 0;
		long got = call(caller, response);
		end = now_ns();
		if (got == caller->expected_length &&
		        memcmp(response, caller->expected, (size_t)got) == 0)
			keep(caller, end - begin);
		else
			note_error(caller, errno);
	}
	return NULL;
}

static int start(struct caller *callers, int count, struct load *load)
{
	for (int i = 0; i < count; i++) {
		callers[i].load = load;
		callers[i].fd =
		        load->transport->connect ? load->transport->connect(load->target) : -1;
		if (load->transport->connect && callers[i].fd < 0)
			return -errno;
	}
	for (int i = 0; i < count; i++)
		if (pthread_create(&callers[i].thread, NULL, run, &callers[i]) != 0)
			return -EAGAIN;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t *gather(const struct caller *callers, int callers_count, size_t *count)
{
	uint32_t *times, *at;

	*count = 0;
	for (int i = 0; i < callers_count; i++)
		*count += callers[i].count;
	at = times = malloc((*count + 1) * sizeof(*times));
	for (int i = 0; at && i < callers_count; i++) {
		if (callers[i].count)
			memcpy(at, callers[i].times_ns, callers[i].count * sizeof(*at));
		at += callers[i].count;
	}
	if (times)
		qsort(times, *count, sizeof(*times), by_size);
	return times;
}

static double percentile_us(const uint32_t *times, size_t count, double share)
{
	size_t at = (size_t)((double)count * share);

	return count ? times[at < count ? at : count - 1] / 1000.0 : 0;
}

static int report(const struct caller *callers, int callers_count, double seconds)
{
	unsigned long errors = 0;
	int error = 0;
	size_t count;
	uint32_t *times = gather(callers, callers_count, &count);

	for (int i = 0; i < callers_count; i++) {
		errors += callers[i].errors;
		error = error ? error : callers[i].error;
	}
	if (!times)
		return 1;
	printf("%zu %lu %.1f %.1f %.1f %.1f\n", count, errors, (double)count / seconds,
	        percentile_us(times, count, 0.5), percentile_us(times, count, 0.99),
	        percentile_us(times, count, 1));
	if (errors)
		fprintf(stderr, "bench_client: %lu callers failed, the first with: %s\n", errors,
		        strerror(error));
	free(times);
	return errors ? 1 : 0;
}

static int bench(struct load *load, int count, double seconds)
{
	struct caller *callers = calloc((size_t)count, sizeof(*callers));
	int error, status;
	int64_t begin;

	pthread_barrier_init(&load->ready, NULL, (unsigned)count + 1);
	error = callers ? start(callers, count, load) : -ENOMEM;
	if (error) {
		fprintf(stderr, "bench_client: %s: %s\n", load->target, strerror(-error));
		return 1;
	}
	pthread_barrier_wait(&load->ready);
	begin = now_ns();
	load->until_ns = begin + (int64_t)(seconds * 1e9);
	pthread_barrier_wait(&load->ready);
	for (int i = 0; i < count; i++)
		pthread_join(callers[i].thread, NULL);
	status = report(callers, count, (double)(now_ns() - begin) / 1e9);
	for (int i = 0; i < count; i++)
		free(callers[i].times_ns);
	free(callers);
	return status;
}

int main(int argc, char **argv)
{
	struct load load = {.transport = argc > 1 ? transport_find(argv[1]) : NULL};

	if (argc < 5 || argc > 6 || !load.transport || atoi(argv[3]) < 1) {
		fputs("usage: bench_client held|open|once|http TARGET CALLERS SECONDS [EVENT]\n",
		        stderr);
		return 2;
	}
	load.target = argv[2];
	load.event = argc > 5 ? argv[5] : "{\"key\":\"value\",\"number\":12345}";
	load.length = strlen(load.event);
	return bench(&load, atoi(argv[3]), atof(argv[4]));
}
