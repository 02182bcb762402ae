/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions with the packages they are bound to. A user would lose: the package, or the right version of it.
 * With FNFS_OVERLAY=no the same, where sandboxes have no overlays.
 */
#include <errno.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/engine_state.h"
#include "model/dependency.h"
#include "model/version.h"
#include "run/runtime.h"
#include "scene.h"

/* --- packages ----------------------------------------------------------------------------------- */

struct publishing {
	bool done;
	uint64_t version;
};

static void published(void *userdata, int status, uint64_t version, const char *why)
{
	struct publishing *publishing = userdata;

	if (!CHECK_INT(status, 0))
		fprintf(stderr, "%s\n", why);
	publishing->done = true;
	publishing->version = version;
}

static struct version *publish(struct scene *scene, struct function *function, const char *name)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct publishing publishing = {};
	struct publish_wait *wait;

	REQUIRE(engine_publish(
	                scene->engine, function, name, published, &publishing, &wait, &why) == 0);
	while (!publishing.done)
		uv_run(&scene->loop, UV_RUN_ONCE);
	REQUIRE(publishing.version);
	return versions_get(engine_functions(scene->engine), publishing.version);
}

static struct package *package(struct scene *scene, const char *name)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const struct caller caller = {getuid(), getgid(), getpid()};
	struct package *package = packages_find(engine_packages(scene->engine), name);

	if (!package)
		REQUIRE(packages_create(engine_packages(scene->engine), name, &caller, &package,
		                &why) == 0);
	return package;
}

/* The next version of it, with these files: names and contents in turn, NULL ends them. */
static struct package_version *fill(struct scene *scene, const char *name, ...)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const struct caller caller = {getuid(), getgid(), getpid()};
	struct package_version *version;
	struct function *function;
	struct version *snapshot;
	const char *file;
	va_list files;

	REQUIRE(engine_create_function(scene->engine, "source", &caller, &function, &why) == 0);
	va_start(files, name);
	while ((file = va_arg(files, const char *)))
		save_of(scene, function, file, va_arg(files, const char *));
	va_end(files);
	snapshot = publish(scene, function, "1");
	REQUIRE(package_publish(
	                package(scene, name), &snapshot->snapshot, "", "", &version, &why) == 0);
	REQUIRE(version_remove(snapshot, &why) == 0);
	REQUIRE(function_remove(function, &why) == 0);
	return version;
}

static struct dependency *bind_to(
        struct scene *scene, const char *name, const char *to, struct package_version *version)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct dependency *dependency;

	REQUIRE(dependency_bind(&scene->function->settings, name, package(scene, to), version,
	                &dependency, &why) == 0);
	return dependency;
}

static void reopen(struct scene *scene)
{
	close_engine(scene);
	open_engine(scene);
	scene->function = functions_find(engine_functions(scene->engine), "hello");
	REQUIRE(scene->function);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void two_packages_lie_over_the_code(void)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct dependency *first;
	struct scene scene;

	scene_open(&scene);
	fill(&scene, "one", "shared.py", "text = '1'\n", "one/__init__.py", "text = 'one'\n",
	        "one/both.py", "text = '1'\n", NULL);
	fill(&scene, "two", "shared.py", "text = '2'\n", "two.py", "text = 'two'\n", "one/both.py",
	        "text = '2'\n", NULL);
	save(&scene, "index.py",
	        "import shared, own\n"
	        "def handler(event, context):\n"
	        "\tif event: import one.both, two; return shared.text + one.text + two.text + "
	        "one.both.text\n"
	        "\treturn shared.text + own.text\n");
	save(&scene, "own.py", "text = 'own'\n");
	save(&scene, "shared.py", "text = 'code'\n");
	expect(&scene, "{}", "codeown");
	bind_to(&scene, "b", "one", NULL);
	first = bind_to(&scene, "a", "two", NULL);
	expect(&scene, "{}", "2own");
	expect(&scene, "{\"a\":1}", "2onetwo2");
	CHECK_INT(dependency_rename(first, "c", &why), 0);
	expect(&scene, "{\"a\":1}", "1onetwo1");
	reopen(&scene);
	expect(&scene, "{\"a\":1}", "1onetwo1");
	first = dependency_find(engine_packages(scene.engine), scene.function->id, "b");
	CHECK_INT(dependency_unbind(first, &why), 0);
	expect(&scene, "{}", "2own");
	scene_close(&scene);
}

static void a_new_version_of_a_package_redeploys(void)
{
	struct package_version *old;
	struct scene scene;

	scene_open(&scene);
	old = fill(&scene, "one", "one.py", "text = 'old'\n", NULL);
	save(&scene, "index.py", "import one\ndef handler(event, context):\n\treturn one.text\n");
	bind_to(&scene, "one", "one", NULL);
	expect(&scene, "{}", "old");
	fill(&scene, "one", "one.py", "text = 'new'\n", NULL);
	CHECK(state_is(&scene, "changed"));
	expect(&scene, "{}", "new");
	fill(&scene, "one", "one.py", "this is no Python\n", NULL);
	await_state(&scene, "broken"); /* tried without a call */
	expect_error(&scene, "{}", -ENOEXEC, "SyntaxError");
	bind_to(&scene, "fixed", "one", old);
	expect(&scene, "{}", "old");
	scene_close(&scene);
}

static void a_published_version_keeps_its_packages(void)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct package_version *first;
	struct version *version;
	struct scene scene;

	scene_open(&scene);
	first = fill(&scene, "one", "one.py", "text = 'old'\n", NULL);
	save(&scene, "index.py", "import one\ndef handler(event, context):\n\treturn one.text\n");
	bind_to(&scene, "one", "one", NULL);
	version = publish(&scene, scene.function, "1.0.0");
	expect_version(&scene, version, "old");
	fill(&scene, "one", "one.py", "text = 'new'\n", NULL);
	expect(&scene, "{}", "new");
	expect_version(&scene, version, "old");
	CHECK_INT(package_withdraw(first, &why), -EBUSY);
	reopen(&scene);
	version = versions_find(scene.function, "1.0.0");
	REQUIRE(version);
	expect_version(&scene, version, "old");
	expect(&scene, "{}", "new");
	scene_close(&scene);
}

static void a_package_without_a_version_is_a_sentence(void)
{
	CLEANUP(buf_deinit) struct buf status = BUF_INIT;
	struct scene scene;

	scene_open(&scene);
	save(&scene, "index.py", "import one\ndef handler(event, context):\n\treturn one.text\n");
	bind_to(&scene, "a", "one", NULL);
	await_state(&scene, "broken");
	engine_show_function_status(scene.engine, scene.function, &status);
	CHECK(strstr(status.data, "the dependency a is the package one, which has no version yet"));
	expect_error(&scene, "{}", -ENOEXEC, "which has no version yet");
	fill(&scene, "one", "one.py", "text = 'there'\n", NULL);
	await_state(&scene, "ready");
	expect(&scene, "{}", "there");
	scene_close(&scene);
}

/* A handler that a package brings, for a function without any code. */
static void a_package_can_be_the_whole_code(void)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct dependency *dependency;
	struct scene scene;

	scene_open(&scene);
	fill(&scene, "one", "index.py", "def handler(event, context):\n\treturn 'package'\n", NULL);
	CHECK(state_is(&scene, "empty"));
	dependency = bind_to(&scene, "one", "one", NULL);
	await_state(&scene, "ready");
	expect(&scene, "{}", "package");
	reopen(&scene);
	expect(&scene, "{}", "package");
	dependency = dependency_first(engine_packages(scene.engine), scene.function->id);
	CHECK_INT(dependency_unbind(dependency, &why), 0);
	await_state(&scene, "empty");
	scene_close(&scene);
}

static void node_finds_modules_of_a_package(void)
{
	const struct runtime *node;
	struct scene scene;

	scene_open(&scene);
	node = runtimes_find(engine_runtimes(scene.engine), "nodejs");
	if (node && node->available) {
		fill(&scene, "one", "node_modules/left/index.js", "module.exports = 'left'\n",
		        NULL);
		save(&scene, "node_modules/right/index.js", "module.exports = 'right'\n");
		save(&scene, "index.js",
		        "const left = require('left'), right = require('right')\n"
		        "exports.handler = async () => left + right\n");
		bind_to(&scene, "one", "one", NULL);
		expect(&scene, "{}", "leftright");
	}
	scene_close(&scene);
}

/* The same content as the code or as each other: one directory on disk for them all. */
static void the_same_twice_is_no_trouble(void)
{
	struct scene scene;
	struct version *version;
	struct package_version *again;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;

	scene_open(&scene);
	save(&scene, "index.py", "def handler(event, context):\n\treturn 'x'\n");
	version = publish(&scene, scene.function, "1");
	REQUIRE(package_publish(package(&scene, "one"), &version->snapshot, "", "", &again, &why) ==
	        0);
	REQUIRE(package_publish(package(&scene, "two"), &version->snapshot, "", "", &again, &why) ==
	        0);
	bind_to(&scene, "a", "one", NULL);
	bind_to(&scene, "b", "two", NULL);
	expect(&scene, "{}", "x");
	version = publish(&scene, scene.function, "2");
	expect_version(&scene, version, "x");
	scene_close(&scene);
}

static void remove_from_state(struct scene *scene, const char *what)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/%s", scene->directory, what);
	CHECK_INT(system(command), 0);
}

/* Garbage collection leaves what packages hold: it is made again from the blobs. */
static void collection_spares_packages(void)
{
	struct collection *collection;
	struct scene scene;

	scene_open(&scene);
	fill(&scene, "one", "one.py", "text = 'kept'\n", NULL);
	save(&scene, "index.py", "import one\ndef handler(event, context):\n\treturn one.text\n");
	bind_to(&scene, "one", "one", NULL);
	collection = &scene.engine->collection; /* the version it was made from is gone */
	CHECK(alarm_is_set(&collection->due));
	while (alarm_is_set(&collection->due) || !collection_idle(collection))
		uv_run(&scene.loop, UV_RUN_ONCE);
	close_engine(&scene);
	remove_from_state(&scene, "published");
	open_engine(&scene);
	scene.function = functions_find(engine_functions(scene.engine), "hello");
	expect(&scene, "{}", "kept");
	scene_close(&scene);
}

static void what_cannot_be_read_is_named(void)
{
	struct scene scene;

	scene_open(&scene);
	fill(&scene, "one", "one.py", "text = 'lost'\n", NULL);
	save(&scene, "index.py", "import one\ndef handler(event, context):\n\treturn one.text\n");
	bind_to(&scene, "first", "one", NULL);
	close_engine(&scene);
	remove_from_state(&scene, "published");
	remove_from_state(&scene, "packs/*");
	open_engine(&scene);
	scene.function = functions_find(engine_functions(scene.engine), "hello");
	expect_error(&scene, "{}", -EIO, "The dependency first could not be taken in");
	expect_error(&scene, "{}", -EIO, "The dependency first could not be taken in");
	scene_close(&scene);
}

/* While a package is still on its way to the disk. */
static void a_function_can_go_meanwhile(void)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct version *version;
	struct call call, other;
	struct scene scene;

	scene_open(&scene);
	fill(&scene, "one", "one.py", "text = 'x'\n", NULL);
	fill(&scene, "two", "two.py", "text = 'x'\n", NULL);
	save(&scene, "index.py", "import one\ndef handler(event, context):\n\treturn one.text\n");
	bind_to(&scene, "one", "one", NULL);
	bind_to(&scene, "two", "two", NULL);
	version = publish(&scene, scene.function, "1");
	begin(&scene, &call, "{}");
	begin_version(&scene, version, &other, "{}");
	CHECK_INT(function_remove(scene.function, &why), 0);
	await(&scene, &call);
	await(&scene, &other);
	CHECK(call.error < 0 && other.error < 0);
	call_free(&call);
	call_free(&other);
	scene_close(&scene);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(two_packages_lie_over_the_code),
	        TEST(a_new_version_of_a_package_redeploys),
	        TEST(a_published_version_keeps_its_packages),
	        TEST(a_package_without_a_version_is_a_sentence),
	        TEST(a_package_can_be_the_whole_code), TEST(node_finds_modules_of_a_package),
	        TEST(the_same_twice_is_no_trouble), TEST(collection_spares_packages),
	        TEST(what_cannot_be_read_is_named), TEST(a_function_can_go_meanwhile), {}};

	return test_main(tests, argc, argv);
}
