/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: what a command acknowledged, when the daemon is killed. A child applies commands and
 * reports each acknowledgement; it is killed at a random moment, and its successor says what it finds:
 * every acknowledged change, and of the one that was under way all or nothing.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "reference.h"
#include "test.h"

struct orders {          /* what a child is told once it has opened the store */
	uint64_t number; /* of the command to begin with */
	uint64_t newest; /* for all of them */
};

struct killing {
	char *directory;
	uint64_t seed;
	uint64_t random;
	struct reference *sure;  /* with all that was acknowledged */
	struct reference *maybe; /* and with the command that was under way */
	uint64_t number;         /* of that command */
	uint64_t acknowledged;
	uint64_t lucky; /* how often it was there */
};

static uint64_t digest(struct buf *text)
{
	uint64_t hash = 0;
	size_t i;

	for (i = 0; i < text->length; i++)
		hash = (hash ^ (unsigned char)text->data[i]) * UINT64_C(0x100000001b3);
	buf_deinit(text);
	return hash;
}

static uint64_t digest_reference(const struct reference *reference)
{
	struct buf text = BUF_INIT;

	reference_dump(reference, &text);
	return digest(&text);
}

static _Noreturn void work(struct killing *killing, int socket)
{
	struct buf texts[2] = {BUF_INIT, BUF_INIT}, text = BUF_INIT;
	struct store *store = NULL;
	struct orders orders;
	uint64_t found;

	if (store_open(&store, killing->directory) < 0 || reference_dump_store(store, &text) < 0)
		_exit(2);
	found = digest(&text);
	if (write(socket, &found, sizeof(found)) != sizeof(found) ||
	        read(socket, &orders, sizeof(orders)) != sizeof(orders))
		_exit(3);
	for (;; orders.number++) {
		struct command command;
		int r;

		random_command(killing->seed, orders.number, orders.newest, &command, texts);
		r = store_apply(store, &command, NULL);
		if (r < 0 && r != -EEXIST && r != -ENOENT)
			_exit(4);
		if (write(socket, "a", 1) != 1)
			_exit(5);
	}
}

static pid_t begin(struct killing *killing, int *socket)
{
	int sockets[2];
	pid_t child;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	child = fork();
	if (child == 0) {
		close(sockets[0]);
		work(killing, sockets[1]);
	}
	close(sockets[1]);
	*socket = sockets[0];
	return child;
}

/* Which of the two the successor found becomes what is sure. */
static void judge(struct killing *killing, uint64_t found)
{
	uint64_t sure = digest_reference(killing->sure), maybe = digest_reference(killing->maybe);

	if (found == maybe && found != sure) {
		reference_free(killing->sure);
		killing->sure = killing->maybe;
		killing->lucky++;
	} else {
		REQUIRE(found == sure);
		reference_free(killing->maybe);
	}
	killing->maybe = NULL;
	killing->number++; /* whether it was applied or not: a number is used once */
}

static uint64_t count_acknowledgements(int socket)
{
	char block[4096];
	uint64_t count = 0;
	ssize_t length;

	while ((length = read(socket, block, sizeof(block))) > 0)
		count += (uint64_t)length;
	return count;
}

static void follow(struct killing *killing, const struct orders *orders, uint64_t count)
{
	struct buf texts[2] = {BUF_INIT, BUF_INIT};
	struct command_result result;
	struct command command;

	for (; killing->number < orders->number + count; killing->number++) {
		random_command(killing->seed, killing->number, orders->newest, &command, texts);
		reference_apply(killing->sure, &command, &result);
	}
	killing->maybe = reference_copy(killing->sure);
	random_command(killing->seed, killing->number, orders->newest, &command, texts);
	reference_apply(killing->maybe, &command, &result);
	buf_deinit(&texts[0]);
	buf_deinit(&texts[1]);
}

static void live_and_die(struct killing *killing)
{
	struct orders orders;
	uint64_t found, count;
	int socket, status;
	pid_t child = begin(killing, &socket);

	REQUIRE(read(socket, &found, sizeof(found)) == sizeof(found));
	judge(killing, found);
	orders = (struct orders){killing->number, killing->sure->last_id};
	REQUIRE(write(socket, &orders, sizeof(orders)) == sizeof(orders));
	usleep((useconds_t)(test_random(&killing->random) % 8000)); /* the random moment */
	REQUIRE(kill(child, SIGKILL) == 0);
	count = count_acknowledgements(socket);
	REQUIRE(waitpid(child, &status, 0) == child);
	REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(socket);
	killing->acknowledged += count;
	follow(killing, &orders, count);
}

static void keeps_what_was_acknowledged(void)
{
	struct killing killing = {.directory = test_directory(), .sure = reference_new()};
	int i, lives = test_long() ? 10000 : 300;

	killing.random = killing.seed = test_seed();
	killing.maybe = reference_copy(killing.sure);
	for (i = 0; i < lives; i++)
		live_and_die(&killing);
	printf("%d lives, %" PRIu64 " acknowledged, %" PRIu64 " times one more was there\n", lives,
	        killing.acknowledged, killing.lucky);
	CHECK(killing.acknowledged > (uint64_t)lives);
	reference_free(killing.sure);
	reference_free(killing.maybe);
	test_directory_remove(killing.directory);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(keeps_what_was_acknowledged), {}};

	return test_main(tests, argc, argv);
}
