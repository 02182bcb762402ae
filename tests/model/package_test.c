/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: a package that functions run with, or the version that was published with them; and, after
 * a restart, what was there before it.
 */
#include "model/package.h"

#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "heap.h"
#include "heap_sqlite.h"
#include "model/dependency.h"
#include "model/function.h"
#include "model/version.h"
#include "test.h"

static const struct caller alice = {1000, 1001, 1};
static const struct store_snapshot snapshot = {
        .root = "0123456789abcdef0123456789abcde", .files = 3, .bytes = 1 << 20};
static const char sum[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct fixture {
	char *directory;
	struct store *store;
	struct functions *functions;
	struct packages *packages;
	struct buf told;
	struct buf why;
};

static void tell_configured(void *userdata, struct function *function, int key)
{
	struct fixture *fixture = userdata;

	buf_printf(&fixture->told, "configured %s\n", function->name);
}

static void tell_created(void *userdata, struct package *package)
{
	struct fixture *fixture = userdata;

	buf_printf(&fixture->told, "created %s\n", package->name);
}

static void tell_published(void *userdata, struct package_version *version)
{
	struct fixture *fixture = userdata;

	buf_printf(&fixture->told, "published %s %" PRIu64 "\n", version->package->name,
	        version->number);
}

static void tell_removed(void *userdata, struct package *package)
{
	struct fixture *fixture = userdata;

	buf_printf(&fixture->told, "removed %s\n", package->name);
}

static const struct functions_events function_events = {.configured = tell_configured};
static const struct packages_events package_events = {
        .created = tell_created, .published = tell_published, .removed = tell_removed};

static void fixture_load(struct fixture *fixture)
{
	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
	REQUIRE(functions_new(&fixture->functions, fixture->store, &function_events, fixture) == 0);
	REQUIRE(packages_new(&fixture->packages, fixture->store, fixture->functions,
	                &package_events, fixture) == 0);
}

static void fixture_unload(struct fixture *fixture)
{
	fixture->packages = packages_free(fixture->packages);
	fixture->functions = functions_free(fixture->functions);
	fixture->store = store_close(fixture->store);
}

static struct fixture *fixture_open(void)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->directory = test_directory();
	fixture_load(fixture);
	return fixture;
}

static void fixture_close(struct fixture *fixture)
{
	fixture_unload(fixture);
	test_directory_remove(fixture->directory);
	buf_deinit(&fixture->told);
	buf_deinit(&fixture->why);
	free(fixture);
}

static void dump_dependencies(struct fixture *fixture, uint64_t owner, struct buf *out)
{
	const struct dependency *each = dependency_first(fixture->packages, owner);

	for (; each; each = dependency_following(each)) {
		struct package_version *version = dependency_version(each);

		CHECK(packages_dependency(fixture->packages, each->id) == each);
		CHECK(dependency_find(fixture->packages, owner, each->name) == each);
		buf_printf(out, "  %" PRIu64 " %" PRIu64 " %s -> %s %" PRIu64 "%s\n", owner,
		        each->id, each->name, each->package->name, version ? version->number : 0,
		        each->version ? "!" : "");
	}
}

static void dump_package(const struct package *package, struct buf *out)
{
	const struct package_version *version;
	struct buf users = BUF_INIT;

	buf_printf(out, "%" PRIu64 " %s %u:%u '%s' '%s' next %" PRIu64 "\n", package->id,
	        package->name, package->uid, package->gid, package->description, package->source,
	        package->next);
	list_each(version, &package->versions, link) {
		CHECK(packages_version(package->packages, version->id) == version);
		CHECK(package_version_find(package, version->number) == version);
		buf_printf(out, "  %" PRIu64 " v%" PRIu64 " %.31s %" PRIu64 " %s %s\n", version->id,
		        version->number, (const char *)version->snapshot.root,
		        version->snapshot.bytes, version->source, version->sha256);
	}
	package_used_by(package, NULL, &users);
	buf_printf(out, "  users %zu\n", users.length);
	buf_deinit(&users);
}

/* Ids of owners are small here: whatever has one is found. */
static void dump(struct fixture *fixture, struct buf *out)
{
	struct package *package = NULL;

	buf_clear(out);
	while ((package = packages_next(fixture->packages, package ? package->id : 0))) {
		CHECK(packages_find(fixture->packages, package->name) == package);
		CHECK(packages_get(fixture->packages, package->id) == package);
		dump_package(package, out);
	}
	for (uint64_t owner = 1; owner < 3000; owner++)
		dump_dependencies(fixture, owner, out);
	buf_puts(out, "");
}

static void check_reopened_same(struct fixture *fixture)
{
	struct buf before = BUF_INIT, after = BUF_INIT;

	dump(fixture, &before);
	fixture_unload(fixture);
	fixture_load(fixture);
	dump(fixture, &after);
	CHECK_STR(after.data, before.data);
	buf_deinit(&before);
	buf_deinit(&after);
}

static struct package *create(struct fixture *fixture, const char *name)
{
	struct package *package = NULL;

	REQUIRE(packages_create(fixture->packages, name, &alice, &package, &fixture->why) == 0);
	return package;
}

static struct package_version *publish(struct fixture *fixture, struct package *package)
{
	struct package_version *version = NULL;

	REQUIRE(package_publish(package, &snapshot, "/a.zip", sum, &version, &fixture->why) == 0);
	return version;
}

static struct function *make_function(struct fixture *fixture, const char *name)
{
	struct function *function = NULL;

	REQUIRE(functions_create(fixture->functions, name, &alice, &function, NULL) == 0);
	return function;
}

static struct dependency *bind(struct fixture *fixture, struct function *function, const char *name,
        struct package *package, struct package_version *version)
{
	struct dependency *dependency = NULL;

	REQUIRE(dependency_bind(&function->settings, name, package, version, &dependency,
	                &fixture->why) == 0);
	return dependency;
}

static int publish_function(
        struct fixture *fixture, struct function *function, const char *name, uint64_t *id)
{
	struct version *version = NULL;
	int r = version_create(function, name, &snapshot, &version, &fixture->why);

	if (r == 0)
		*id = version->id;
	return r;
}

static void packages_come_and_go(void)
{
	struct fixture *fixture = fixture_open();
	struct package *package = create(fixture, "requests");

	CHECK_INT(packages_create(fixture->packages, "requests", &alice, NULL, &fixture->why),
	        -EEXIST);
	CHECK_INT(packages_create(fixture->packages, "a.b", &alice, NULL, &fixture->why), -EINVAL);
	CHECK_INT(package->uid, 1000);
	CHECK_INT(package_describe(package, "what for", NULL), 0);
	CHECK_INT(package_describe(package, "\xff", NULL), -EINVAL);
	CHECK_INT(package_set_source(package, "/tmp/a b.zip", NULL), 0);
	CHECK_INT(package_set_source(package, "a.zip", &fixture->why), -EINVAL);
	CHECK_STR(package->source, "/tmp/a b.zip");
	CHECK_INT(package_rename(package, "other", NULL), 0);
	CHECK_INT(package_set_owner(package, 5, 6), 0);
	check_reopened_same(fixture);
	package = packages_find(fixture->packages, "other");
	REQUIRE(package);
	CHECK_INT(package_remove(package, NULL), 0);
	CHECK_INT(packages_count(fixture->packages), 0);
	CHECK_STR(fixture->told.data, "created requests\nremoved other\n");
	check_reopened_same(fixture);
	fixture_close(fixture);
}

static void numbers_count_up(void)
{
	struct fixture *fixture = fixture_open();
	struct package *package = create(fixture, "a");

	CHECK(!package_latest(package));
	CHECK_INT(publish(fixture, package)->number, 1);
	CHECK_INT(publish(fixture, package)->number, 2);
	CHECK_INT(package_withdraw(package_latest(package), NULL), 0);
	CHECK_INT(package_latest(package)->number, 1);
	check_reopened_same(fixture);
	package = packages_find(fixture->packages, "a");
	CHECK_INT(publish(fixture, package)->number, 3); /* never twice */
	CHECK_INT(package_latest(package)->number, 3);
	CHECK_STR(package_latest(package)->sha256, sum);
	fixture_close(fixture);
}

static void bindings_are_kept(void)
{
	struct fixture *fixture = fixture_open();
	struct function *function = make_function(fixture, "f");
	struct package *a = create(fixture, "a"), *b = create(fixture, "b");
	struct package_version *first = publish(fixture, a);
	struct dependency *z = bind(fixture, function, "z", a, NULL);
	struct dependency *m = bind(fixture, function, "m", a, first);
	uint64_t generation = function->settings.config_generation;

	bind(fixture, function, "b", b, NULL);
	CHECK_INT(function->settings.config_generation, generation + 1);
	CHECK_INT(dependency_bind(&function->settings, "z", b, NULL, NULL, &fixture->why), -EEXIST);
	CHECK_INT(dependency_bind(&function->settings, ".z", b, NULL, NULL, NULL), -EINVAL);
	CHECK_INT(dependency_bind(&function->settings, "z/", b, NULL, NULL, NULL), -EINVAL);
	CHECK_STR(dependency_first(fixture->packages, function->id)->name, "b");
	CHECK(dependency_next(fixture->packages, function->id, 0) == z);
	CHECK(dependency_next(fixture->packages, function->id, z->id) == m);
	CHECK(!dependency_version(dependency_find(fixture->packages, function->id, "b")));
	publish(fixture, a);
	CHECK_INT(function->settings.config_generation, generation + 2);
	CHECK_INT(dependency_version(z)->number, 2);
	CHECK_INT(dependency_version(m)->number, 1);
	CHECK_INT(dependency_rename(z, "b", NULL), 0); /* over the other one */
	CHECK(dependency_find(fixture->packages, function->id, "b") == z);
	CHECK(list_empty(&b->users));
	check_reopened_same(fixture);
	z = dependency_find(fixture->packages, functions_find(fixture->functions, "f")->id, "b");
	CHECK_INT(dependency_unbind(z, NULL), 0);
	check_reopened_same(fixture);
	fixture_close(fixture);
}

static void nothing_used_goes(void)
{
	struct fixture *fixture = fixture_open();
	struct function *function = make_function(fixture, "f");
	struct package *a = create(fixture, "a");
	struct package_version *first = publish(fixture, a), *second = publish(fixture, a);
	struct buf users = BUF_INIT;
	struct dependency *latest, *pinned;

	latest = bind(fixture, function, "latest", a, NULL);
	CHECK_INT(package_remove(a, &fixture->why), -EBUSY);
	CHECK_STR(fixture->why.data, "it is used by functions/f");
	pinned = bind(fixture, function, "pinned", a, first);
	CHECK_INT(package_withdraw(first, &fixture->why), -EBUSY);
	package_used_by(a, first, &users);
	CHECK_STR(users.data, "functions/f\n");
	CHECK_INT(dependency_unbind(pinned, NULL), 0);
	/* Whoever wants the latest gets the one before, while there is one. */
	CHECK_INT(package_withdraw(second, NULL), 0);
	CHECK(dependency_version(latest) == first);
	CHECK_INT(package_withdraw(first, &fixture->why), -EBUSY);
	CHECK_INT(dependency_unbind(latest, NULL), 0);
	CHECK_INT(package_withdraw(first, NULL), 0);
	CHECK_INT(package_remove(a, NULL), 0);
	buf_deinit(&users);
	fixture_close(fixture);
}

static void publishing_pins(void)
{
	struct fixture *fixture = fixture_open();
	struct function *function = make_function(fixture, "f");
	struct package *a = create(fixture, "a"), *empty = create(fixture, "empty");
	struct dependency *unready = bind(fixture, function, "e", empty, NULL), *copy;
	uint64_t version = 0;

	publish(fixture, a);
	bind(fixture, function, "a", a, NULL);
	CHECK_INT(settings_variable_set(&function->settings, "KEY", "value", NULL, NULL), 0);
	CHECK_INT(publish_function(fixture, function, "1", &version), -ENOENT);
	CHECK_INT(dependency_unbind(unready, NULL), 0);
	CHECK_INT(publish_function(fixture, function, "1", &version), 0);
	CHECK_INT(publish_function(fixture, function, "1", &version), -EEXIST);
	publish(fixture, a);
	copy = dependency_first(fixture->packages, version);
	REQUIRE(copy);
	CHECK_INT(dependency_version(copy)->number, 1);
	CHECK_INT(dependency_unbind(copy, NULL), -EROFS);
	CHECK_INT(dependency_rename(copy, "b", NULL), -EROFS);
	CHECK_INT(package_withdraw(package_version_find(a, 1), &fixture->why), -EBUSY);
	CHECK_STR(fixture->why.data, "it is used by functions/f/versions/1");
	check_reopened_same(fixture);
	/* The version goes, and with it its hold on the package. */
	CHECK_INT(version_remove(versions_get(fixture->functions, version), NULL), 0);
	a = packages_find(fixture->packages, "a");
	CHECK_INT(package_withdraw(package_version_find(a, 1), NULL), 0);
	check_reopened_same(fixture);
	function = functions_find(fixture->functions, "f");
	CHECK_INT(function_remove(function, NULL), 0);
	check_reopened_same(fixture);
	CHECK_INT(package_remove(packages_find(fixture->packages, "a"), NULL), 0);
	fixture_close(fixture);
}

static struct package *any_package(struct fixture *fixture, uint64_t *seed)
{
	size_t count = packages_count(fixture->packages),
	       steps = test_random(seed) % (count + !count);
	struct package *package = packages_next(fixture->packages, 0);

	while (package && steps--)
		package = packages_next(fixture->packages, package->id);
	return package;
}

static struct dependency *any_dependency(
        struct fixture *fixture, struct function *function, uint64_t *seed)
{
	struct dependency *each = dependency_first(fixture->packages, function->id);

	for (size_t steps = test_random(seed) % 6; each && steps--;)
		each = dependency_following(each);
	return each;
}

/* One change by chance; 0, a refusal, or what the heap made of it. */
static int change(struct fixture *fixture, struct function *function, uint64_t *seed)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
	const char *name = names[test_random(seed) % ARRAY_SIZE(names)];
	struct package *package = any_package(fixture, seed);
	struct dependency *dependency = any_dependency(fixture, function, seed);
	struct package_version *latest = package ? package_latest(package) : NULL;
	uint64_t version;
	char unused[24];

	switch (test_random(seed) % 12) {
	case 0:
		return packages_create(fixture->packages, name, &alice, NULL, &fixture->why);
	case 1:
		return package ? package_rename(package, name, &fixture->why) : 0;
	case 2:
		return package ? package_describe(package, name, NULL) : 0;
	case 3:
		return package ? package_remove(package, &fixture->why) : 0;
	case 4:
	case 5:
		return package ? package_publish(package, &snapshot, name, sum, NULL, &fixture->why)
		               : 0;
	case 6:
		return latest ? package_withdraw(latest, &fixture->why) : 0;
	case 7:
	case 8:
		return package ? dependency_bind(&function->settings, name, package,
		                         test_random(seed) % 2 ? latest : NULL, NULL, &fixture->why)
		               : 0;
	case 9:
		return dependency ? dependency_rename(dependency, name, &fixture->why) : 0;
	case 10:
		return dependency ? dependency_unbind(dependency, NULL) : 0;
	default:
		snprintf(unused, sizeof(unused), "%" PRIx64, test_random(seed));
		return publish_function(fixture, function, unused, &version);
	}
}

/* What was refused, or had no memory, changed nothing; what was done is there after a restart. */
static void changes_by_chance(void)
{
	struct fixture *fixture = fixture_open();
	struct function *function = make_function(fixture, "f");
	struct buf before = BUF_INIT, after = BUF_INIT;
	uint64_t seed = test_seed();
	int rounds = test_long() ? 20000 : 1000, failed = 0, r;

	for (int i = 0; i < rounds; i++) {
		dump(fixture, &before);
		if (test_random(&seed) % 2)
			heap_fail(test_random(&seed) % 12, 1);
		r = change(fixture, function, &seed);
		failed += heap_end() && r == -ENOMEM;
		dump(fixture, &after);
		if (r < 0)
			CHECK_STR(after.data, before.data);
		CHECK(r == 0 || r == -ENOMEM || r == -EEXIST || r == -EBUSY || r == -ENOENT);
		if (i % 50 == 0) {
			check_reopened_same(fixture);
			function = functions_find(fixture->functions, "f");
		}
	}
	check_reopened_same(fixture);
	CHECK(failed > rounds / 100);
	buf_deinit(&before);
	buf_deinit(&after);
	fixture_close(fixture);
}

static void check_source(const char *text, const char *location, const char *sha256)
{
	struct package_source source;
	struct buf why = BUF_INIT;
	int r = package_source_parse(&source, text, &why);

	CHECK_INT(r, location ? 0 : -EINVAL);
	if (r == 0) {
		CHECK_STR(source.location, location);
		CHECK_STR(source.sha256, sha256);
		package_source_deinit(&source);
	} else {
		CHECK(why.length > 0);
	}
	buf_deinit(&why);
}

static void sources_are_read(void)
{
	char text[200];

	check_source("/a.zip", "/a.zip", "");
	check_source("/a b sha256 c.zip", "/a b sha256 c.zip", "");
	check_source("https://user:pw@host/x?y=1", "https://user:pw@host/x?y=1", "");
	check_source("HTTP://host/x", "HTTP://host/x", "");
	check_source("s3://bucket/key", "s3://bucket/key", "");
	snprintf(text, sizeof(text), "/a sha256=x.zip  sha256=%.32sABCDEF%s", sum, sum + 38);
	check_source("/a.zip sha256=", NULL, NULL);
	check_source("/a.zip sha256=12", NULL, NULL);
	check_source(text, "/a sha256=x.zip",
	        "0123456789abcdef0123456789abcdefabcdef6789abcdef"
	        "0123456789abcdef");
	check_source("", NULL, NULL);
	check_source("a.zip", NULL, NULL);
	check_source("file:///a.zip", NULL, NULL);
	check_source("gopher://x/", NULL, NULL);
	check_source("/a\nb", NULL, NULL);
}

static void check_shown(const char *text, const char *expected)
{
	struct buf out = BUF_INIT;

	package_source_show(text, &out);
	CHECK_STR(out.data, expected);
	buf_deinit(&out);
}

static void passwords_are_not_shown(void)
{
	check_shown("https://user:p@ss@host/x@y", "https://...@host/x@y");
	check_shown("https://host/x@y", "https://host/x@y");
	check_shown("/home/me@here/a.zip", "/home/me@here/a.zip");
}

static void archives_name_packages(void)
{
	char name[PACKAGE_NAME_LONGEST + 1];

	CHECK_INT(package_name_of_archive("numpy.zip", name, NULL), 0);
	CHECK_STR(name, "numpy");
	CHECK_INT(package_name_of_archive("a-b_c.tar.zst", name, NULL), 0);
	CHECK_STR(name, "a-b_c");
	CHECK_INT(package_name_of_archive("A.TAR.GZ", name, NULL), 0);
	CHECK_STR(name, "A");
	CHECK_INT(package_name_of_archive(".zip", name, NULL), -EINVAL);
	CHECK_INT(package_name_of_archive("numpy-1.2.zip", name, NULL), -EINVAL);
	CHECK_INT(package_name_of_archive("numpy", name, NULL), -EINVAL);
	CHECK_INT(package_name_of_archive("0123456789012345678901234567890123456789012345678901234"
	                                  "5678901234567890.zip",
	                  name, NULL),
	        -EINVAL);
}

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(packages_come_and_go), TEST(numbers_count_up),
	        TEST(bindings_are_kept), TEST(nothing_used_goes), TEST(publishing_pins),
	        TEST(changes_by_chance), TEST(sources_are_read), TEST(passwords_are_not_shown),
	        TEST(archives_name_packages), {}};

	heap_wrap_sqlite();
	log_set_sink(say_nothing, NULL);
	return test_main(tests, argc, argv);
}
