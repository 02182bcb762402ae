/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would wait for what was built already, lose what a version runs, or lose his disk to results of
 * last year; and the last lines of a build would be other ones than it said last.
 */
#include "engine/builds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "engine/build_log.h"
#include "store/store.h"
#include "test.h"

struct scene {
	char *directory;
	struct store *store;
	struct builds builds;
	uint64_t function, other, version;
	unsigned dropped;
	struct blob_id last_dropped;
};

static bool is_version(void *userdata, uint64_t owner)
{
	return owner == ((struct scene *)userdata)->version;
}

static void dropped(void *userdata, const struct blob_id *root)
{
	struct scene *scene = userdata;

	scene->dropped++;
	scene->last_dropped = *root;
}

static uint64_t apply(struct scene *scene, const struct command *command)
{
	struct command_result result = {};

	REQUIRE(store_apply(scene->store, command, &result) == 0);
	return result.object;
}

static void scene_load(struct scene *scene)
{
	REQUIRE(store_open(&scene->store, scene->directory) == 0);
	REQUIRE(builds_init(&scene->builds, scene->store, is_version, dropped, scene) == 0);
}

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){.directory = test_directory()};
	scene_load(scene);
	scene->function = apply(scene, &(struct command){COMMAND_FUNCTION_CREATE, .name = "f"});
	scene->other = apply(scene, &(struct command){COMMAND_FUNCTION_CREATE, .name = "g"});
	scene->version = apply(scene,
	        &(struct command){COMMAND_VERSION_BEGIN, .object = scene->function, .name = "1"});
}

static void scene_close(struct scene *scene)
{
	builds_deinit(&scene->builds);
	store_close(scene->store);
	test_directory_remove(scene->directory);
}

static void scene_again(struct scene *scene)
{
	builds_deinit(&scene->builds);
	store_close(scene->store);
	scene_load(scene);
}

static struct blob_id root(unsigned number)
{
	struct blob_id id = {};

	memcpy(id.bytes, &number, sizeof(number));
	return id;
}

/* Build `number` of a function: its digest and its root say the number. */
static void keep(struct scene *scene, uint64_t function, unsigned number, uint64_t bytes)
{
	struct blob_id id = root(number);
	char digest[BUILD_DIGEST_SIZE];

	snprintf(digest, sizeof(digest), "%u", number);
	CHECK_INT(builds_keep(&scene->builds, function, digest, &id, bytes), 0);
}

static bool has(struct scene *scene, uint64_t function, unsigned number)
{
	struct blob_id id = root(number);
	char digest[BUILD_DIGEST_SIZE];
	const struct built *built;

	snprintf(digest, sizeof(digest), "%u", number);
	built = builds_use(&scene->builds, function, digest);
	return built && blob_id_equal(&built->root, &id);
}

static void keeps(void)
{
	struct scene scene;

	scene_open(&scene);
	CHECK(!has(&scene, scene.function, 1));
	keep(&scene, scene.function, 1, 10);
	keep(&scene, scene.function, 2, 10);
	CHECK(has(&scene, scene.function, 1) && has(&scene, scene.function, 2));
	CHECK(!has(&scene, scene.other, 1)); /* nobody gets what another one's build made */
	scene_again(&scene);
	CHECK(has(&scene, scene.function, 1) && has(&scene, scene.function, 2));
	builds_drop(&scene.builds, builds_use(&scene.builds, scene.function, "1"));
	CHECK(!has(&scene, scene.function, 1));
	scene_again(&scene);
	CHECK(!has(&scene, scene.function, 1) && has(&scene, scene.function, 2));
	scene_close(&scene);
}

static void bounds_each(void)
{
	struct scene scene;

	scene_open(&scene);
	scene.builds.most_of_one = 3;
	keep(&scene, scene.other, 100, 10);
	for (unsigned i = 1; i <= 3; i++)
		keep(&scene, scene.function, i, 10);
	CHECK(has(&scene, scene.function, 1)); /* used again: now 2 is the oldest */
	keep(&scene, scene.function, 4, 10);
	CHECK_INT(scene.dropped, 1);
	CHECK(!has(&scene, scene.function, 2) && has(&scene, scene.other, 100));
	scene_again(&scene);
	CHECK(!has(&scene, scene.function, 2));
	CHECK(has(&scene, scene.function, 1) && has(&scene, scene.function, 3) &&
	        has(&scene, scene.function, 4));
	scene_close(&scene);
}

static void bounds_all(void)
{
	struct scene scene;
	struct blob_id first = root(1);

	scene_open(&scene);
	scene.builds.most_bytes = 100;
	keep(&scene, scene.other, 100, 1000); /* the latest of each stays, however large */
	keep(&scene, scene.function, 1, 60);
	keep(&scene, scene.function, 2, 60);
	CHECK_INT(scene.dropped, 0);
	keep(&scene, scene.function, 3, 1000);
	CHECK_INT(scene.dropped, 1);
	CHECK(blob_id_equal(&scene.last_dropped, &first));
	CHECK(has(&scene, scene.function, 2) && has(&scene, scene.function, 3));
	CHECK(has(&scene, scene.other, 100));
	scene_close(&scene);
}

/* What each used last does not go for want of room, also after a restart. */
static void knows_the_latest_again(void)
{
	struct scene scene;

	scene_open(&scene);
	keep(&scene, scene.function, 1, 60);
	keep(&scene, scene.function, 2, 60);
	keep(&scene, scene.other, 100, 60);
	CHECK(has(&scene, scene.function, 1));
	scene_again(&scene);
	scene.builds.most_bytes = 50;
	keep(&scene, scene.other, 101, 10);
	CHECK_INT(scene.dropped, 2); /* of each the one before */
	CHECK(has(&scene, scene.function, 1) && !has(&scene, scene.function, 2));
	CHECK(has(&scene, scene.other, 101) && !has(&scene, scene.other, 100));
	scene_close(&scene);
}

static void keeps_versions(void)
{
	struct scene scene;
	struct blob_id first = root(1);
	const struct built *built;

	scene_open(&scene);
	scene.builds.most_of_one = 1;
	CHECK(!builds_of_version(&scene.builds, scene.version));
	keep(&scene, scene.function, 1, 10);
	CHECK_INT(builds_keep_version(&scene.builds, scene.version, "1", &first, 10, NULL), 0);
	keep(&scene, scene.function, 2, 10);
	CHECK(!has(&scene, scene.function, 1)); /* of the function no more, */
	CHECK_INT(scene.dropped, 0);            /* but the version needs it */
	scene_again(&scene);
	built = builds_of_version(&scene.builds, scene.version);
	CHECK(built && !built->error && blob_id_equal(&built->root, &first));
	apply(&scene, &(struct command){COMMAND_VERSION_REMOVE, .object = scene.version});
	builds_forget(&scene.builds, scene.version);
	CHECK_INT(scene.dropped, 1);
	scene_again(&scene);
	CHECK(!builds_of_version(&scene.builds, scene.version));
	CHECK(has(&scene, scene.function, 2));
	scene_close(&scene);
}

static void remembers_failures(void)
{
	struct scene scene;
	const struct built *built;

	scene_open(&scene);
	CHECK_INT(builds_keep_version(&scene.builds, scene.version, "1", NULL, 0, "{}"), 0);
	scene_again(&scene);
	built = builds_of_version(&scene.builds, scene.version);
	CHECK(built && built->error);
	CHECK_STR(built ? built->error : NULL, "{}");
	apply(&scene, &(struct command){COMMAND_FUNCTION_REMOVE, .object = scene.function});
	CHECK_INT(builds_keep(&scene.builds, scene.function, "1", &(struct blob_id){}, 1), -ENOENT);
	scene_close(&scene);
}

/* --- the log ---------------------------------------------------------------------------------- */

struct logging {
	char *directory;
	int fd;
	struct build_log log;
};

static void logging_open(struct logging *logging)
{
	logging->directory = test_directory();
	logging->fd = open(logging->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	build_log_open(&logging->log, logging->fd);
}

static void logging_close(struct logging *logging)
{
	build_log_deinit(&logging->log);
	close(logging->fd);
	test_directory_remove(logging->directory);
}

static void say(struct logging *logging, const char *text)
{
	build_log_write(&logging->log, text, strlen(text));
}

static char *content(const struct logging *logging)
{
	CLEANUP(close_p) int fd = openat(logging->fd, BUILD_LOG, O_RDONLY | O_CLOEXEC);
	struct stat attr;
	char *text;

	REQUIRE(fd >= 0 && fstat(fd, &attr) == 0);
	text = calloc(1, (size_t)attr.st_size + 1);
	REQUIRE(read(fd, text, (size_t)attr.st_size) == attr.st_size);
	return text;
}

static char *last_lines(const struct logging *logging)
{
	struct buf out = BUF_INIT;

	build_log_last_lines(&logging->log, &out);
	return buf_take(&out);
}

static void tells_last_lines(void)
{
	struct logging logging;
	struct buf line = BUF_INIT;
	char *text;

	logging_open(&logging);
	text = last_lines(&logging);
	CHECK_STR(text, "");
	free(text);
	say(&logging, "one\ntwo \"2\"\r\n10%\r90%\r100% \n\n");
	text = last_lines(&logging);
	CHECK_STR(text, "\"one\",\"two \\\"2\\\"\",\"100%\"");
	free(text);
	build_log_last_line(&logging.log, &line);
	CHECK_STR(line.data, "100%");
	for (int i = 0; i < 30; i++)
		say(&logging, "again\n");
	say(&logging, "not yet whole");
	text = last_lines(&logging);
	CHECK_INT(strlen(text), 19 * strlen("\"again\",") + strlen("\"not yet whole\""));
	free(text);
	build_log_end(&logging.log);
	build_log_remark(&logging.log, "done");
	text = content(&logging);
	CHECK(strstr(text, "not yet whole\n[done]\n"));
	free(text);
	buf_deinit(&line);
	logging_close(&logging);
}

static void bounds_log(void)
{
	struct logging logging;
	char *piece = malloc(100001), *text;

	logging_open(&logging);
	memset(piece, 'x', 100000);
	piece[99999] = '\n';
	piece[100000] = 0;
	say(&logging, "the beginning\n");
	for (int i = 0; i < 50; i++)
		say(&logging, piece);
	say(&logging, "the end\n");
	build_log_end(&logging.log);
	text = content(&logging);
	CHECK(strlen(text) < BUILD_LOG_HEAD + BUILD_LOG_TAIL + 100);
	CHECK(strncmp(text, "the beginning\n", 14) == 0);
	CHECK(strstr(text, " bytes are left out here]\n"));
	CHECK_STR(text + strlen(text) - 9, "\nthe end\n");
	free(text);
	free(piece);
	logging_close(&logging);
}

/* Nothing is lost or doubled when the end lies just behind what was written. */
static void joins_log(void)
{
	struct logging logging;
	char *piece = malloc(BUILD_LOG_HEAD), *text;

	logging_open(&logging);
	memset(piece, 'x', BUILD_LOG_HEAD);
	build_log_write(&logging.log, piece, BUILD_LOG_HEAD - 3);
	say(&logging, "123456\n");
	build_log_end(&logging.log);
	text = content(&logging);
	CHECK_INT(strlen(text), BUILD_LOG_HEAD + 4);
	CHECK_STR(text + BUILD_LOG_HEAD - 4, "x123456\n");
	free(text);
	free(piece);
	logging_close(&logging);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(keeps), TEST(bounds_each), TEST(bounds_all),
	        TEST(knows_the_latest_again), TEST(keeps_versions), TEST(remembers_failures),
	        TEST(tells_last_lines), TEST(bounds_log), TEST(joins_log), {}};

	return test_main(tests, argc, argv);
}
