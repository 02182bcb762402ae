/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dependencies over the code, as instances see them: by an overlay, and merged by hard links where there are
 * none. Both must show the same. A user would lose: the package that was bound, or the code.
 */
#include "trial.h"

#include <dirent.h>

#include "base/cleanup.h"
#include "store/checkout_merge.h"
#include "store/worktree_slots.h"

enum { PLACES_MOST = 101 };

/* A directory made of a text: `PATH=CONTENT`, `PATH/` or `PATH>TARGET`, one a line. */
struct scene {
	struct yard yard;
	size_t count;
	char *paths[PLACES_MOST + 1]; /* uppermost first; the last one is the code */
};

static void make_entry(const char *directory, char *line)
{
	char *equals = strchr(line, '='), *arrow = strchr(line, '>'), path[1024], *slash;
	FILE *file;

	if (equals)
		*equals = 0;
	else if (arrow)
		*arrow = 0;
	REQUIRE(snprintf(path, sizeof(path), "%s/%s", directory, line) < (int)sizeof(path));
	for (slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		mkdir(path, 0755);
	}
	if (equals) {
		file = fopen(path, "w");
		REQUIRE(file && fputs(equals + 1, file) >= 0 && fclose(file) == 0);
	} else if (arrow) {
		REQUIRE(symlink(arrow + 1, path) == 0);
	}
}

static void add_place(struct scene *scene, const char *name, const char *entries)
{
	CLEANUP(free_p) char *copy = strdup(entries);
	char *path, *line, *state = NULL;

	REQUIRE(scene->count < PLACES_MOST);
	REQUIRE(asprintf(&path, "%s/%s", scene->yard.state, name) > 0);
	REQUIRE(mkdir(path, 0755) == 0);
	scene->paths[scene->count++] = path;
	for (line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
		make_entry(path, line);
}

static void scene_open(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	yard_open(&scene->yard);
}

static void scene_close(struct scene *scene)
{
	yard_close(&scene->yard);
	for (size_t i = 0; i < scene->count; i++)
		free(scene->paths[i]);
}

/* All that is below the code, by name: files with what is in them, and where links lead. */
#define LIST \
	"cd /var/task && find . ! -name . | LC_ALL=C sort | while read -r path; do " \
	"if [ -L \"$path\" ]; then echo \"$path > $(readlink \"$path\")\"; " \
	"elif [ -f \"$path\" ]; then echo \"$path = $(cat \"$path\")\"; " \
	"else echo \"$path/\"; fi; done"

static void run(struct scene *scene, const char *script, const char *code,
        const char *const *layers, struct trial *trial)
{
	struct launch launch = yard_launch(&scene->yard, script);

	launch.code_path = code;
	launch.layers = layers;
	REQUIRE(trial_start(trial, &scene->yard, &launch) == 0);
	trial_wait(trial);
	buf_append(&trial->text, "", 0);
	if (trial->end.failed_to_start)
		fprintf(stderr, "it did not start: %s\n", trial->end.reason);
}

/* False: it could not be, for there are no overlays here. */
static bool run_overlaid(struct scene *scene, const char *script, struct trial *trial)
{
	const char *layers[PLACES_MOST + 1] = {NULL};

	if (!launcher_has_layers(scene->yard.launcher)) {
		printf("no overlays here\n");
		return false;
	}
	for (size_t i = 0; i + 1 < scene->count; i++)
		layers[i] = scene->paths[i];
	run(scene, script, scene->paths[scene->count - 1], layers, trial);
	return true;
}

/* --- merging ------------------------------------------------------------------------------------ */

struct merging {
	struct checkout sources[PLACES_MOST], *list[PLACES_MOST];
	size_t count;
	struct checkout *merged;
	int status, calls;
};

static void never_idle(struct checkout *checkout)
{
	CHECK(!checkout->references);
}

static void on_merged(void *userdata, int status, struct checkout *checkout)
{
	struct merging *merging = userdata;

	merging->calls++;
	merging->status = status;
	merging->merged = checkout;
}

static void merging_open(struct merging *merging, struct scene *scene)
{
	memset(merging, 0, sizeof(*merging));
	merging->count = scene->count;
	for (size_t i = 0; i < scene->count; i++) {
		struct checkout *source = &merging->sources[i];

		source->idle = never_idle;
		source->references = 1;
		source->generation = i + 1;
		source->path = scene->paths[i];
		source->fd = open(scene->paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		REQUIRE(source->fd >= 0);
		merging->list[i] = source;
	}
}

static void merging_close(struct merging *merging)
{
	for (size_t i = 0; i < merging->count; i++) {
		CHECK_INT(merging->sources[i].references, 1);
		close(merging->sources[i].fd);
	}
}

static struct merges *open_merges(struct scene *scene)
{
	struct merges *merges;
	int fd = open(scene->yard.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	REQUIRE(merges_open(&merges, &scene->yard.loop, fd, "merged") == 0);
	close(fd);
	return merges;
}

static int count_merged(struct scene *scene)
{
	char path[256];
	DIR *directory;
	struct dirent *entry;
	int count = 0;

	snprintf(path, sizeof(path), "%s/merged", scene->yard.state);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static void await_merged(struct scene *scene, struct merging *merging)
{
	while (!merging->calls)
		uv_run(&scene->yard.loop, UV_RUN_ONCE);
	REQUIRE(merging->status == 0 && merging->merged);
}

static void await_removed(struct scene *scene, int left)
{
	for (int tries = 0; count_merged(scene) > left && tries < 1000; tries++) {
		uv_run(&scene->yard.loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	CHECK_INT(count_merged(scene), left);
}

static void check_both(struct scene *scene, const char *script, const char *expected)
{
	struct merges *merges = open_merges(scene);
	struct merging merging;
	struct trial trial;

	if (run_overlaid(scene, script, &trial)) {
		CHECK_STR(trial.text.data, expected);
		trial_deinit(&trial);
	}
	merging_open(&merging, scene);
	CHECK(merges_checkout(merges, merging.list, merging.count, on_merged, &merging));
	await_merged(scene, &merging);
	run(scene, script, checkout_path(merging.merged), NULL, &trial);
	CHECK_STR(trial.text.data, expected);
	trial_deinit(&trial);
	checkout_unref(merging.merged);
	merging_close(&merging);
	await_removed(scene, 0);
	merges_close(merges);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void dependencies_win_the_first_by_order(void)
{
	struct scene scene;

	scene_open(&scene);
	add_place(
	        &scene, "first", "both=first\nall=first\npackage/a=first\npackage/deep/x=first\n");
	add_place(
	        &scene, "second", "both=second\nall=second\npackage/a=second\npackage/b=second\n");
	add_place(&scene, "empty", "");
	add_place(&scene, "own",
	        "all=code\nindex.py=code\npackage/b=code\npackage/c=code\nnothing/\n");
	check_both(&scene, LIST,
	        "./all = first\n./both = first\n./index.py = code\n./nothing/\n./package/\n"
	        "./package/a = first\n./package/b = second\n./package/c = code\n"
	        "./package/deep/\n./package/deep/x = first\n");
	scene_close(&scene);
}

/* A file hides a directory, a directory a file, a link both; and also from what lies further up. */
static void what_is_not_a_directory_is_not_merged(void)
{
	struct scene scene;

	scene_open(&scene);
	add_place(&scene, "first", "a/first=1\nb=1\nc>a\nd/first=1\n");
	add_place(&scene, "second", "a=2\nb/second=2\nc/second=2\nd>a\ne=2\n");
	add_place(&scene, "own", "a/code=3\nb/code=3\nc/code=3\nd/code=3\ne/code=3\nf>e\n");
	check_both(&scene, LIST,
	        "./a/\n./a/first = 1\n./b = 1\n./c > a\n./d/\n./d/first = 1\n./e = 2\n./f > e\n");
	scene_close(&scene);
}

static void strange_paths_are_no_options(void)
{
	struct scene scene;

	scene_open(&scene);
	add_place(&scene, "a:b", "a=1\n");
	add_place(&scene, "b,upperdir=x", "b=2\n");
	add_place(&scene, "c\\d\\:", "c=3\n");
	add_place(&scene, "d e\n'\"", "d=4\n");
	add_place(&scene, "own:,\\", "e=5\n");
	check_both(&scene, LIST, "./a = 1\n./b = 2\n./c = 3\n./d = 4\n./e = 5\n");
	scene_close(&scene);
}

static void a_hundred_are_not_too_many(void)
{
	struct scene scene;
	char name[300], entry[32];

	scene_open(&scene);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%0200d", i);
		snprintf(entry, sizeof(entry), "all=%d\nd/f%d=x\n", i, i);
		add_place(&scene, name, entry);
	}
	add_place(&scene, "own", "all=code\nd/code=1\n");
	check_both(&scene, "cd /opt/function/code && cat all && ls d | wc -l", "0101\n");
	scene_close(&scene);
}

static void nothing_can_be_written(void)
{
	struct scene scene;

	scene_open(&scene);
	add_place(&scene, "first", "a=1\nd/a=1\n");
	add_place(&scene, "own", "b=2\nd/b=2\n");
	check_both(&scene,
	        "cd code; for f in a b d/a d/b; do (echo x > $f) 2>/dev/null && echo $f; done; "
	        "(touch new d/new || rm a || rm b || mkdir e || mv a b) 2>/dev/null && echo BAD; "
	        "chmod 777 a 2>/dev/null && echo BAD; cat a b; /opt/fnfs/runtime/probe files",
	        "12probed files\n");
	scene_close(&scene);
}

/* The namespaces around it give it nothing. */
static void is_as_confined_as_without(void)
{
	struct scene scene;
	struct trial trial;

	scene_open(&scene);
	add_place(&scene, "first", "a=1\n");
	add_place(&scene, "own", "b=2\n");
	if (run_overlaid(&scene,
	            "p=/opt/fnfs/runtime/probe; $p identity; $p processes; $p calls; $p sockets; "
	            "$p network; exec $p descriptors",
	            &trial)) {
		CHECK_STR(trial.text.data,
		        "probed identity\nprobed processes\nprobed calls\nprobed sockets\n"
		        "probed network\nprobed descriptors\n");
		trial_deinit(&trial);
		REQUIRE(run_overlaid(&scene, "cat /proc/self/mountinfo", &trial));
		CHECK(strstr(trial.text.data, " overlay ") && !strstr(trial.text.data, "first"));
		trial_deinit(&trial);
	}
	scene_close(&scene);
}

static void a_layer_that_is_gone_is_named(void)
{
	const char *const layers[] = {"/nothing/there", NULL};
	struct scene scene;
	struct trial trial;
	int groups;

	scene_open(&scene);
	add_place(&scene, "own", "b=2\n");
	groups = count_groups(yard_guardian(&scene.yard));
	if (launcher_has_layers(scene.yard.launcher)) {
		run(&scene, "exit 0", scene.paths[0], layers, &trial);
		CHECK(trial.end.failed_to_start);
		CHECK_STR(trial.end.reason, "/nothing/there: No such file or directory");
		trial_deinit(&trial);
	}
	CHECK_INT(count_groups(yard_guardian(&scene.yard)), groups);
	scene_close(&scene);
}

static void overlays_can_be_forbidden(void)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	struct scene scene;

	setenv("FNFS_OVERLAY", "no", 1);
	scene_open(&scene);
	CHECK(!launcher_has_layers(scene.yard.launcher));
	launcher_describe(scene.yard.launcher, &text);
	CHECK(strstr(text.data, "overlays no\n"));
	scene_close(&scene);
	unsetenv("FNFS_OVERLAY");
}

/* Where the machine has them, they must be found: else all others here would have tested nothing. */
static void overlays_are_used_where_root_is(void)
{
	struct scene scene;

	scene_open(&scene);
	CHECK(geteuid() != 0 || access("/sys/module/overlay", F_OK) != 0 ||
	        launcher_has_layers(scene.yard.launcher));
	scene_close(&scene);
}

static void the_same_is_merged_once(void)
{
	struct scene scene;
	struct merges *merges;
	struct merging one, two, three;

	scene_open(&scene);
	add_place(&scene, "first", "a=1\n");
	add_place(&scene, "own", "b=2\n");
	merges = open_merges(&scene);
	merging_open(&one, &scene);
	two = three = one;
	CHECK(merges_checkout(merges, one.list, 2, on_merged, &one));
	CHECK(merges_checkout(merges, one.list, 2, on_merged, &two));
	await_merged(&scene, &one);
	CHECK(two.calls == 1 && two.merged == one.merged);
	CHECK(!merges_checkout(merges, one.list, 2, on_merged, &three));
	CHECK(three.merged == one.merged);
	CHECK_INT(checkout_generation(one.merged), 2);
	CHECK_INT(one.sources[0].references, 2);
	CHECK_INT(count_merged(&scene), 1);
	checkout_unref(two.merged);
	checkout_unref(three.merged);
	CHECK_INT(one.sources[0].references, 2);
	checkout_unref(one.merged);
	await_removed(&scene, 0);
	merging_close(&one);
	merges_close(merges);
	scene_close(&scene);
}

/* Who asked may be gone when it is made; what an earlier daemon left goes. */
static void nothing_merged_is_left(void)
{
	struct scene scene;
	struct merges *merges;
	struct merge_request *request;
	struct merging merging;

	scene_open(&scene);
	add_place(&scene, "first", "a=1\n");
	add_place(&scene, "own", "b=2\n");
	merges = open_merges(&scene);
	merging_open(&merging, &scene);
	request = merges_checkout(merges, merging.list, 2, on_merged, &merging);
	REQUIRE(request);
	merge_request_cancel(request);
	while (merging.sources[0].references > 1)
		uv_run(&scene.yard.loop, UV_RUN_ONCE);
	CHECK_INT(merging.calls, 0);
	await_removed(&scene, 0);
	REQUIRE(merges_checkout(merges, merging.list, 2, on_merged, &merging));
	await_merged(&scene, &merging);
	merges_close(merges);
	merges = open_merges(&scene); /* as a new daemon would */
	await_removed(&scene, 0);
	checkout_unref(merging.merged);
	merging_close(&merging);
	merges_close(merges);
	scene_close(&scene);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(overlays_are_used_where_root_is),
	        TEST(dependencies_win_the_first_by_order),
	        TEST(what_is_not_a_directory_is_not_merged), TEST(strange_paths_are_no_options),
	        TEST(a_hundred_are_not_too_many), TEST(nothing_can_be_written),
	        TEST(is_as_confined_as_without), TEST(a_layer_that_is_gone_is_named),
	        TEST(overlays_can_be_forbidden), TEST(the_same_is_merged_once),
	        TEST(nothing_merged_is_left), {}};

	return test_main(tests, argc, argv);
}
