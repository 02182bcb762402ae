/* SPDX-License-Identifier: Apache-2.0 */
/* Without this `calls/` would forget calls that run, or remember without bound. */
#include "engine/recorder.h"

#include "base/cleanup.h"
#include "test.h"

static struct call_record *begin(struct recorder *recorder, int number)
{
	char id[UUID_TEXT_SIZE];
	struct call_record *record;

	snprintf(id, sizeof(id), "call-%d", number);
	record = recorder_begin(recorder, id);
	REQUIRE(record);
	return record;
}

static int count(struct recorder *recorder)
{
	struct call_record *record = NULL;
	int found = 0;

	while ((record = recorder_next(recorder, record ? record->id : 0)))
		found++;
	return found;
}

static void keeps_the_last(void)
{
	struct recorder *recorder = recorder_new();
	int i;

	CHECK(!recorder_last(recorder));
	for (i = 0; i < 200; i++)
		recorder_end(recorder, begin(recorder, i), "succeeded");
	CHECK_INT(count(recorder), RECORDER_CALLS);
	CHECK_STR(recorder_last(recorder)->request_id, "call-199");
	CHECK(recorder_find(recorder, "call-136"));
	CHECK(!recorder_find(recorder, "call-135"));
	CHECK_INT(recorder_find(recorder, "call-199")->id, 200);
	CHECK(recorder_get(recorder, 200) == recorder_last(recorder));
	CHECK(!recorder_get(recorder, 1));
	recorder_free(recorder);
}

static void running_calls_stay(void)
{
	struct recorder *recorder = recorder_new();
	struct call_record *running[RECORDER_CALLS + 10];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(running); i++)
		running[i] = begin(recorder, (int)i);
	CHECK_INT(count(recorder), ARRAY_SIZE(running));
	for (i = 0; i < ARRAY_SIZE(running); i++)
		CHECK_STR(running[i]->state, "waiting");
	for (i = 0; i < ARRAY_SIZE(running); i++)
		recorder_end(recorder, running[i], "failed");
	CHECK_INT(count(recorder), RECORDER_CALLS);
	CHECK(!recorder_find(recorder, "call-9"));
	CHECK(recorder_find(recorder, "call-10"));
	recorder_free(recorder);
}

/* A record used again must show nothing of the call before. */
static void starts_empty(void)
{
	struct recorder *recorder = recorder_new();
	struct call_record *record;
	int i;

	for (i = 0; i <= RECORDER_CALLS; i++) {
		record = begin(recorder, i);
		CHECK_INT(record->request.length, 0);
		CHECK_INT(record->response.length, 0);
		CHECK_STR(record->alias, "");
		call_record_append(&record->request, "secret", 6);
		call_record_append(&record->response, record, sizeof(*record));
		snprintf(record->alias, sizeof(record->alias), "prod");
		recorder_end(recorder, record, "succeeded");
	}
	recorder_free(recorder);
}

static void cuts_payloads(void)
{
	static const char mark[] = "\n[cut at 65536 bytes]\n";
	CLEANUP(buf_deinit) struct buf payload = BUF_INIT;
	char chunk[1000];
	int i;

	memset(chunk, 'x', sizeof(chunk));
	for (i = 0; i < 65; i++)
		call_record_append(&payload, chunk, sizeof(chunk));
	CHECK_INT(payload.length, 65000);
	call_record_append(&payload, chunk, 536);
	CHECK_INT(payload.length, RECORDER_PAYLOAD_BYTES);
	for (i = 0; i < 3; i++)
		call_record_append(&payload, chunk, sizeof(chunk));
	CHECK_INT(payload.length, RECORDER_PAYLOAD_BYTES + sizeof(mark) - 1);
	CHECK_STR(payload.data + RECORDER_PAYLOAD_BYTES, mark);
}

static void shows_status(void)
{
	struct recorder *recorder = recorder_new();
	struct call_record *record = begin(recorder, 1);
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;

	call_record_show_status(record, &out);
	CHECK_STR(out.data, "state waiting\nversion -\nalias -\nroutes_generation -\ninstance -\n"
	                    "source -\nname -\nstart -\nqueue_ms -\ninit_ms -\nduration_ms -\n"
	                    "memory_peak -\ncold no\nattempt 1\n");
	buf_clear(&out);
	record->start_us = INT64_C(1773742402123456);
	record->instance = 7;
	record->queue_us = 12;
	record->init_us = 30500;
	record->duration_us = 2049;
	record->memory_peak_bytes = 1234567;
	record->cold = true;
	snprintf(record->version, sizeof(record->version), "latest");
	snprintf(record->source, sizeof(record->source), "sync");
	recorder_end(recorder, record, "succeeded");
	call_record_show_status(record, &out);
	CHECK_STR(out.data,
	        "state succeeded\nversion latest\nalias -\nroutes_generation -\ninstance 7\n"
	        "source sync\nname -\nstart 2026-03-17T10:13:22.123Z\nqueue_ms 0.012\n"
	        "init_ms 30.500\nduration_ms 2.049\nmemory_peak 1234567\ncold yes\nattempt 1\n");
	recorder_free(recorder);
	recorder_free(NULL);
}

static void hides(void)
{
	struct recorder *recorder = recorder_new();
	struct call_record *running = begin(recorder, 1), *ended = begin(recorder, 2);

	recorder_end(recorder, ended, "succeeded");
	recorder_hide(recorder, ended);
	CHECK(recorder_last(recorder) == running);
	recorder_hide(recorder, running);
	CHECK(!recorder_last(recorder));
	CHECK(!recorder_get(recorder, 1));
	CHECK(!recorder_find(recorder, "call-1"));
	CHECK_INT(count(recorder), 0);
	call_record_append(&running->response, "still", 5);
	recorder_end(recorder, running, "canceled");
	CHECK_INT(recorder_newest_id(recorder), 2);
	CHECK_INT(begin(recorder, 3)->id, 3); /* an id is not given out again */
	recorder_free(recorder);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(keeps_the_last), TEST(running_calls_stay),
	        TEST(starts_empty), TEST(cuts_payloads), TEST(shows_status), TEST(hides), {}};

	return test_main(tests, argc, argv);
}
