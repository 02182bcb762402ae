/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the database of queues keeps: everything it told of, whatever happens to the process; and nothing of what
 * it refused.
 *
 * Without this a user would lose: calls whose close() had succeeded.
 */
#include "store/entries.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "test.h"

static uv_loop_t loop;
static struct entries *entries;
static unsigned told, refused;
static uint64_t rows, last;
static char found_name[64];

static void open_in(const char *directory)
{
	REQUIRE(uv_loop_init(&loop) == 0);
	REQUIRE(entries_open(&entries, &loop, directory) == 0);
}

static void close_it(void)
{
	entries = entries_close(entries);
	uv_run(&loop, UV_RUN_DEFAULT);
	REQUIRE(uv_loop_close(&loop) == 0);
}

static void settle(void)
{
	uv_run(&loop, UV_RUN_DEFAULT); /* until everybody was told */
	REQUIRE(entries_idle(entries));
}

static void done(void *userdata, int status)
{
	told++;
	refused += status < 0;
}

static void put(struct entry_commit *commit, uint64_t id, enum entry_place place,
        const char *request, const char *answer)
{
	struct entry_row row = {.id = id,
	        .function = 7,
	        .name = "name",
	        .request_id = "id",
	        .source = "queue",
	        .place = place,
	        .max_retries = -1,
	        .max_age_ms = -1,
	        .due_us = 5};
	struct buf first = BUF_INIT, second = BUF_INIT;

	buf_puts(&first, request ? request : "");
	buf_puts(&second, answer ? answer : "");
	entry_commit_put(commit, &row, request ? &first : NULL, answer ? &second : NULL);
	buf_deinit(&first);
	buf_deinit(&second);
}

static void commit_one(uint64_t id)
{
	struct entry_commit *commit = entry_commit_new(done, NULL);

	put(commit, id, ENTRY_WAITING, "request", NULL);
	entries_commit(entries, commit);
}

static int count(void *userdata, const struct entry_row *row)
{
	rows++;
	snprintf(found_name, sizeof(found_name), "%s", row->name);
	return row->function == 7 && row->due_us == 5 && row->max_retries == -1 ? 0 : -EIO;
}

static uint64_t count_rows(void)
{
	rows = 0;
	REQUIRE(entries_each(entries, count, NULL, &last) == 0);
	return rows;
}

static int read_status;
static char read_text[64];

static void was_read(struct entry_read *read)
{
	read_status = read->status;
	snprintf(read_text, sizeof(read_text), "%.*s", (int)read->data.length,
	        read->data.length ? read->data.data : "");
	buf_deinit(&read->data);
	free(read);
}

static const char *text_of(uint64_t id, bool answer)
{
	struct entry_read *read = calloc(1, sizeof(*read));

	REQUIRE(read);
	list_init(&read->link);
	read->id = id;
	read->answer = answer;
	read->done = was_read;
	entries_read(entries, read);
	settle();
	return read_status < 0 ? NULL : read_text;
}

static void keeps_what_it_told_of(void)
{
	char *directory = test_directory();
	struct entry_commit *commit;

	open_in(directory);
	told = refused = 0;
	for (uint64_t id = 1; id <= 500; id++)
		commit_one(id);
	CHECK_INT(told, 0); /* never inside the call */
	settle();
	CHECK(told == 500 && !refused);
	commit = entry_commit_new(done, NULL);
	put(commit, 1, ENTRY_RESULT, NULL, "answer");
	entry_commit_remove_request(commit);
	put(commit, 501, ENTRY_WAITING, "of a destination", NULL);
	entry_commit_drop(commit, 2);
	entries_commit(entries, commit);
	settle();
	close_it();
	open_in(directory);
	CHECK_INT(count_rows(), 500);
	CHECK_INT(last, 501);
	CHECK(!text_of(1, false) && read_status == -ENOENT);
	CHECK_STR(text_of(1, true), "answer");
	CHECK_STR(text_of(501, false), "of a destination");
	CHECK(!text_of(2, false));
	close_it();
	test_directory_remove(directory);
}

static void ids_are_never_used_again(void)
{
	char *directory = test_directory();
	struct entry_commit *commit;

	open_in(directory);
	commit_one(9);
	settle();
	commit = entry_commit_new(done, NULL);
	entry_commit_drop(commit, 9);
	entries_commit(entries, commit);
	settle();
	close_it();
	open_in(directory);
	CHECK_INT(count_rows(), 0);
	CHECK_INT(last, 9);
	close_it();
	test_directory_remove(directory);
}

/* Each in the child: hands in calls, and says the number of each that was told of. */
static int to_parent;

static void say(void *userdata, int status)
{
	uint64_t id = (uintptr_t)userdata;

	if (status == 0 && write(to_parent, &id, sizeof(id)) != sizeof(id))
		_exit(1);
}

static void child(const char *directory)
{
	open_in(directory);
	for (uint64_t id = count_rows() + last + 1;; id++) {
		struct entry_commit *commit = entry_commit_new(say, (void *)(uintptr_t)id);

		put(commit, id, ENTRY_WAITING, "request", NULL);
		entries_commit(entries, commit);
		if (id % 7 == 0)
			settle();
	}
}

static uint64_t highest_id;
static char *seen_ids;

static int see(void *userdata, const struct entry_row *row)
{
	if (row->id < 1000000)
		seen_ids[row->id] = 1;
	highest_id = row->id;
	return 0;
}

static void kill_and_look(const char *directory, unsigned microseconds)
{
	uint64_t ids[1 << 16], id;
	size_t told_of = 0;
	int pipes[2], status;
	pid_t pid;

	REQUIRE(pipe(pipes) == 0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (!pid) {
		close(pipes[0]);
		to_parent = pipes[1];
		child(directory);
		_exit(0);
	}
	close(pipes[1]);
	usleep(microseconds);
	kill(pid, SIGKILL);
	while (told_of < 1 << 16 && read(pipes[0], &id, sizeof(id)) == sizeof(id))
		ids[told_of++] = id;
	close(pipes[0]);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	open_in(directory);
	memset(seen_ids, 0, 1000000);
	REQUIRE(entries_each(entries, see, NULL, &last) == 0);
	for (size_t i = 0; i < told_of; i++)
		REQUIRE(ids[i] < 1000000 && seen_ids[ids[i]]);
	CHECK(highest_id <= last);
	close_it();
}

static void survives_kills(void)
{
	unsigned rounds = test_long() ? 300 : 20;
	char *directory = test_directory();

	seen_ids = malloc(1000000);
	REQUIRE(seen_ids);
	for (unsigned round = 0; round < rounds; round++)
		kill_and_look(directory, 5000 + round * 7919 % 40000);
	free(seen_ids);
	test_directory_remove(directory);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(keeps_what_it_told_of),
	        TEST(ids_are_never_used_again),
	        TEST(survives_kills),
	        {},
	};

	return test_main(tests, argc, argv);
}
