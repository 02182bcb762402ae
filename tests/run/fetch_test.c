/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching as the daemon does it: as the user who asked, with news on the loop. Users would lose: their
 * secrets to anybody who can write a path into a file, and packages that are fetched for ever.
 */
#include "run/fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/caller.h"
#include "base/cleanup.h"
#include "run/fetch_answer.h"
#include "trial.h"

enum { OTHER = 12345, OTHER_GROUP = 23456 };

struct fetching {
	struct yard *yard;
	struct fetch *fetch;
	struct fetch_spec spec;
	struct fetch_end end;
	struct fetch_progress progress;
	int ends, news;
	char *place, *archive, *tree; /* state/fetch, and in it these two */
};

static void told_progress(void *userdata, const struct fetch_progress *progress)
{
	struct fetching *fetching = userdata;

	CHECK_INT(fetching->ends, 0);
	fetching->progress = *progress;
	fetching->news++;
}

static void told_end(void *userdata, const struct fetch_end *end)
{
	struct fetching *fetching = userdata;

	fetching->end = *end;
	fetching->ends++;
}

static char *join(const char *directory, const char *name)
{
	char *path;

	REQUIRE(asprintf(&path, "%s/%s", directory, name) > 0);
	return path;
}

static void run_command(const char *place, const char *rest)
{
	char *command;

	REQUIRE(asprintf(&command, "cd %s && %s", place, rest) > 0);
	REQUIRE(system(command) == 0);
	free(command);
}

static void fetching_init(struct fetching *fetching, struct yard *yard)
{
	memset(fetching, 0, sizeof(*fetching));
	fetching->yard = yard;
	fetching->place = join(yard->state, "fetch");
	fetching->archive = join(fetching->place, "archive.tar.gz");
	fetching->tree = join(fetching->place, "tree");
	REQUIRE(mkdir(fetching->place, 0755) == 0 && mkdir(fetching->tree, 0700) == 0);
	run_command(fetching->place,
	        "echo one >file && ln -s file link && tar czf archive.tar.gz file link");
	fetching->spec = (struct fetch_spec){.program = FETCH,
	        .location = fetching->archive,
	        .archive = -1,
	        .directory = open(fetching->tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	        .uid = geteuid(),
	        .gid = getegid()};
	REQUIRE(fetching->spec.directory >= 0);
}

static void fetching_deinit(struct fetching *fetching)
{
	close(fetching->spec.directory);
	run_command(fetching->place, "rm -rf tree/* tree archive.tar.gz file link");
	REQUIRE(rmdir(fetching->place) == 0);
	free(fetching->place);
	free(fetching->archive);
	free(fetching->tree);
}

static int begin(struct fetching *fetching)
{
	static const struct fetch_events events = {told_progress, told_end};

	return fetch_start(&fetching->fetch, &fetching->yard->loop, fetching->yard->launcher,
	        &fetching->spec, &events, fetching);
}

static void await(struct fetching *fetching)
{
	while (!fetching->ends)
		uv_run(&fetching->yard->loop, UV_RUN_ONCE);
	CHECK_INT(fetching->ends, 1);
}

static bool has_file(const struct fetching *fetching, const char *name, uid_t owner)
{
	char *path = join(fetching->tree, name);
	struct stat st;
	bool there = lstat(path, &st) == 0 && st.st_uid == owner;

	free(path);
	return there;
}

static void fetches(void)
{
	struct yard yard;
	struct fetching fetching;

	yard_open(&yard);
	fetching_init(&fetching, &yard);
	REQUIRE(begin(&fetching) == 0);
	CHECK_INT(fetching.ends, 0);
	await(&fetching);
	CHECK_INT(fetching.end.error, 0);
	CHECK_STR(fetching.end.sentence, "");
	CHECK_INT(fetching.end.files, 2);
	CHECK_INT(fetching.end.bytes, 4);
	CHECK_INT(strlen(fetching.end.sha256), 64);
	CHECK(fetching.news > 0 && fetching.progress.unpacking && fetching.progress.files == 2);
	CHECK(fetching.progress.bytes > 0 && fetching.progress.bytes == fetching.progress.total);
	CHECK(has_file(&fetching, "file", geteuid()) && has_file(&fetching, "link", geteuid()));
	fetching_deinit(&fetching);
	yard_close(&yard);
}

static void takes_an_open_archive(void)
{
	struct yard yard;
	struct fetching fetching;

	yard_open(&yard);
	fetching_init(&fetching, &yard);
	fetching.spec.archive = open(fetching.archive, O_RDONLY | O_CLOEXEC);
	fetching.spec.location = NULL;
	REQUIRE(begin(&fetching) == 0);
	close(fetching.spec.archive);
	await(&fetching);
	CHECK_INT(fetching.end.error, 0);
	CHECK(has_file(&fetching, "file", geteuid()));
	fetching_deinit(&fetching);
	yard_close(&yard);
}

static void hands_on_refusals(void)
{
	struct yard yard;
	struct fetching fetching;

	yard_open(&yard);
	fetching_init(&fetching, &yard);
	fetching.spec.sha256 = "0000000000000000000000000000000000000000000000000000000000000000";
	REQUIRE(begin(&fetching) == 0);
	await(&fetching);
	CHECK_INT(fetching.end.error, -EBADMSG);
	CHECK(strstr(fetching.end.sentence, "sha256"));
	CHECK(!has_file(&fetching, "file", geteuid()));
	fetching.spec.sha256 = NULL;
	fetching.spec.files = 1;
	fetching.ends = 0;
	REQUIRE(begin(&fetching) == 0);
	await(&fetching);
	CHECK_INT(fetching.end.error, -EFBIG);
	fetching_deinit(&fetching);
	yard_close(&yard);
}

static void says_when_it_does_not_start(void)
{
	struct yard yard;
	struct fetching fetching;
	int groups;

	yard_open(&yard);
	groups = count_groups(yard_guardian(&yard));
	fetching_init(&fetching, &yard);
	fetching.spec.program = "/nonexistent/fnfs-fetch";
	REQUIRE(begin(&fetching) == 0);
	await(&fetching);
	CHECK_INT(fetching.end.error, -EIO);
	CHECK(strstr(fetching.end.sentence, "does not start"));
	fetching.spec.program = fetching.archive; /* no program */
	fetching.ends = 0;
	REQUIRE(begin(&fetching) == 0);
	await(&fetching);
	CHECK_INT(fetching.end.error, -EIO);
	CHECK(strstr(fetching.end.sentence, "does not start"));
	CHECK_INT(count_groups(yard_guardian(&yard)), groups);
	fetching_deinit(&fetching);
	yard_close(&yard);
}

/* A server that accepts and says nothing; the kernel does that for whoever only listens. */
static int listen_silently(char url[64])
{
	struct sockaddr_in address = {
	        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	REQUIRE(listen(fd, 4) == 0);
	REQUIRE(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	snprintf(url, 64, "http://127.0.0.1:%d/x.zip", ntohs(address.sin_port));
	return fd;
}

static void cancels(void)
{
	struct yard yard;
	struct fetching fetching;
	char url[64];
	int server = listen_silently(url);

	yard_open(&yard);
	fetching_init(&fetching, &yard);
	fetching.spec.location = url;
	REQUIRE(begin(&fetching) == 0);
	fetch_cancel(fetching.fetch);
	CHECK_INT(fetching.ends, 0);
	await(&fetching);
	CHECK_INT(fetching.end.error, -ECANCELED);
	fetching.ends = 0;
	REQUIRE(begin(&fetching) == 0);
	close(accept(server, NULL, NULL)); /* a connection that breaks */
	await(&fetching);
	CHECK_INT(fetching.end.error, -ECONNRESET);
	close(server);
	CHECK_INT(count_remaining(FETCH), 0);
	fetching_deinit(&fetching);
	yard_close(&yard);
}

static void ends_with_the_guardian(void)
{
	struct yard yard;
	struct fetching fetching;
	char url[64];
	int server = listen_silently(url), connection;

	yard_open(&yard);
	fetching_init(&fetching, &yard);
	fetching.spec.location = url;
	REQUIRE(begin(&fetching) == 0);
	connection = accept(server, NULL, NULL);
	kill(yard_guardian(&yard), SIGKILL);
	await(&fetching);
	CHECK_INT(fetching.end.error, -EIO);
	CHECK_INT(count_remaining(FETCH), 0);
	close(connection);
	close(server);
	fetching_deinit(&fetching);
	yard_close(&yard);
}

/* One who may not read it; then by a group of theirs they may. */
static void acts_as_another(void)
{
	struct yard yard;
	struct fetching fetching;
	gid_t groups[] = {34567, OTHER_GROUP};

	if (geteuid() != 0)
		return;
	yard_open(&yard);
	REQUIRE(chmod(yard.state, 0755) == 0);
	fetching_init(&fetching, &yard);
	REQUIRE(chown(fetching.archive, 0, OTHER_GROUP) == 0);
	REQUIRE(chmod(fetching.archive, 0640) == 0);
	fetching.spec.uid = OTHER;
	fetching.spec.gid = OTHER;
	REQUIRE(begin(&fetching) == 0);
	await(&fetching);
	CHECK_INT(fetching.end.error, -EACCES);
	fetching.spec.groups = groups;
	fetching.spec.group_count = ARRAY_SIZE(groups);
	fetching.ends = 0;
	REQUIRE(begin(&fetching) == 0);
	await(&fetching);
	CHECK_INT(fetching.end.error, 0);
	CHECK(has_file(&fetching, "file", OTHER));
	fetching_deinit(&fetching);
	yard_close(&yard);
}

static void acts_for_nobody_else(void)
{
	struct yard yard;
	struct fetching fetching;

	if (geteuid() == 0)
		return;
	yard_open(&yard);
	fetching_init(&fetching, &yard);
	fetching.spec.uid = 0;
	CHECK_INT(begin(&fetching), -EPERM);
	fetching_deinit(&fetching);
	yard_close(&yard);
}

static void print_view(void *userdata, const struct process_end *end)
{
	*(struct process_end *)userdata = *end;
	CHECK_INT(end->exit_status, 0);
}

/* A sanitizer's own thread shares the root directory: with it nobody enters a mount namespace. */
static bool has_a_thread_of_its_own(void)
{
#if defined(__SANITIZE_THREAD__)
	return true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
	return true;
#endif
#endif
	return false;
}

/* Also what is mounted by us, which the guardian itself does not keep. */
static void sees_what_the_daemon_sees(void)
{
	static const char *const argv[] = {"/usr/bin/readlink", "/proc/self/ns/mnt", NULL};
	static const char *const environment[] = {NULL};
	struct process_end end = {.exit_status = -2};
	struct process *process;
	struct yard yard;
	char ours[64] = "", theirs[64] = "";
	int output[2], here = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct errand errand = {.name = "view",
	        .argv = argv,
	        .environment = environment,
	        .uid = geteuid(),
	        .gid = getegid(),
	        .memory_bytes = 64 << 20,
	        .max_processes = 8,
	        .input = here,
	        .directory = here};

	if (has_a_thread_of_its_own()) {
		close(here);
		return;
	}
	yard_open(&yard);
	REQUIRE(pipe2(output, O_CLOEXEC) == 0);
	errand.output = output[1];
	REQUIRE(launcher_run(yard.launcher, &errand, print_view, &end, &process) == 0);
	close(output[1]);
	while (end.exit_status == -2)
		uv_run(&yard.loop, UV_RUN_ONCE);
	CHECK(readlink("/proc/self/ns/mnt", ours, sizeof(ours) - 1) > 0);
	CHECK(read(output[0], theirs, sizeof(theirs) - 1) > 0);
	theirs[strcspn(theirs, "\n")] = 0;
	CHECK_STR(theirs, ours);
	close(output[0]);
	close(here);
	yard_close(&yard);
}

static void knows_the_groups_of_callers(void)
{
	const struct caller self = {geteuid(), getegid(), getpid()}, gone = {1, 1, 0};
	gid_t *groups, own[1024];
	int count = getgroups(ARRAY_SIZE(own), own);
	size_t found = 0;

	REQUIRE(caller_groups(&self, &groups, &found) == 0);
	CHECK_INT(found, count);
	for (size_t i = 0; i < found; i++)
		CHECK(caller_in_group(&self, groups[i]));
	free(groups);
	REQUIRE(caller_groups(&gone, &groups, &found) == 0);
	CHECK_INT(found, 0);
	free(groups);
}

/* Lines in pieces, lines of nobody, and a sentence in no script. */
static void reads_answers(void)
{
	static const char text[] =
	        "progress 1 2 3\nprogress x\nwhat\n\nunpacking 4 5\nerror a\xff\xc3"
	        "\xa4z\ndone 6 7 0123456789abcdef\n";
	struct fetch_answer answer;
	int news = 0;

	fetch_answer_init(&answer);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		news += fetch_answer_take(&answer, &text[i], 1);
	CHECK_INT(news, 2);
	CHECK_INT(answer.progress.speed, 3);
	CHECK_INT(answer.progress.unpacked, 5);
	CHECK_STR(answer.end.sentence, "a?\xc3\xa4z");
	CHECK(answer.done && answer.end.files == 6);
	for (size_t i = 0; i < 100000; i++)
		fetch_answer_take(&answer, "error xxxx", 10);
	CHECK(answer.line.length <= 2048);
	fetch_answer_take(&answer, "\n", 1);
	CHECK(strlen(answer.end.sentence) < FETCH_SENTENCE);
	fetch_answer_deinit(&answer);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(fetches), TEST(takes_an_open_archive),
	        TEST(hands_on_refusals), TEST(says_when_it_does_not_start), TEST(cancels),
	        TEST(ends_with_the_guardian), TEST(acts_as_another), TEST(acts_for_nobody_else),
	        TEST(sees_what_the_daemon_sees), TEST(knows_the_groups_of_callers),
	        TEST(reads_answers), {}};

	return test_main(tests, argc, argv);
}
