/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long publishing takes, and how much room: a tree of 10 000 files the first time, unchanged,
 * with one file changed, and after a restart; beside `git add -A && git commit` and `cp -a` of
 * the same tree. Figures, no judgement.
 *
 *	snapshot_bench [DIRECTORY [FILES [MEBIBYTES]]]
 *
 * With a third number: one large file instead.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../store/snapshot_fixture.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "store/snapshot_cache.h"
#include "test.h"

#define REPEAT 7

static struct snapshots snapshots;
static int files;

static double now_ms(void)
{
	return (double)clock_monotonic_us(&clock_system) / 1000;
}

/* Text that is as compressible as sources are. */
static void make_text(char *text, size_t size, uint64_t *seed)
{
	static const char *const words[] = {"return ", "self.", "import ", "def ", "if ", "\n    ",
	        "x = ", "None", "(value, ", "):\n", "for ", "in range", "error", "class "};
	size_t length = 0;

	while (length + 40 < size) {
		length += (size_t)sprintf(
		        text + length, "%s", words[test_random(seed) % ARRAY_SIZE(words)]);
		if (test_random(seed) % 4 == 0)
			length += (size_t)sprintf(
			        text + length, "%x", (unsigned)test_random(seed) & 0xfffff);
	}
	text[length] = 0;
}

static void make_file(int number, uint64_t seed)
{
	char path[64], text[16384];
	uint64_t state = seed * 1000003 + (uint64_t)number;

	make_text(text, 500 + test_random(&state) % 8000, &state);
	snprintf(path, sizeof(path), "package%02d/module%02d/file%04d.py", number / 1000,
	        number / 100 % 10, number);
	fixture_save(&snapshots.fixture, path, text);
}

static void make_tree(void)
{
	char path[64];
	int i;

	for (i = 0; i < files; i++) {
		if (i % 1000 == 0) {
			snprintf(path, sizeof(path), "package%02d", i / 1000);
			fixture_mkdir(&snapshots.fixture, path);
		}
		if (i % 100 == 0) {
			snprintf(path, sizeof(path), "package%02d/module%02d", i / 1000,
			        i / 100 % 10);
			fixture_mkdir(&snapshots.fixture, path);
		}
		make_file(i, 1);
	}
}

static double publish(struct snapshot_summary *summary)
{
	double start = now_ms();

	REQUIRE(snapshots_take(&snapshots, summary) == 0);
	return now_ms() - start;
}

/* Runs a script in the directory of the tree. */
static double command(const char *script)
{
	CLEANUP(free_p) char *line = NULL;
	double start;

	REQUIRE(asprintf(&line, "cd %s && %s", snapshots.fixture.directory, script) > 0);
	start = now_ms();
	REQUIRE(system(line) == 0);
	return now_ms() - start;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static void say(const char *what, double *ms, double *git, unsigned long long added)
{
	qsort(ms, REPEAT, sizeof(*ms), compare);
	qsort(git, REPEAT, sizeof(*git), compare);
	printf("%-22s %9.1f ms   git %9.1f ms   %5.1f times   %llu bytes more\n", what,
	        ms[REPEAT / 2], git[REPEAT / 2], git[REPEAT / 2] / ms[REPEAT / 2], added);
}

#define COMMIT "cd code && git add -A && git commit -q --allow-empty -m x"

static void first(void)
{
	struct checkout *checkout;
	struct snapshot_summary summary;
	double start = now_ms(), made, ms;

	checkout = fixture_checkout(&snapshots.fixture, NULL);
	made = now_ms() - start;
	checkout_unref(checkout);
	ms = publish(&summary);
	command("sync; cd code && git init -q . && git config gc.auto 0 && git config user.name x "
	        "&& git config user.email "
	        "x@x.invalid");
	printf("cp -a                  %9.1f ms\n", command("sync && cp -a code copy"));
	printf("first publish          %9.1f ms   (and %.1f for the checkout)   %llu bytes of "
	       "%llu\n",
	        ms, made, (unsigned long long)summary.added_bytes,
	        (unsigned long long)summary.bytes);
	printf("first git              %9.1f ms\n", command(COMMIT));
}

static void unchanged(void)
{
	struct snapshot_summary summary;
	double ms[REPEAT], git[REPEAT];
	int i;

	for (i = 0; i < REPEAT; i++) {
		ms[i] = publish(&summary);
		git[i] = command(COMMIT);
	}
	say("unchanged", ms, git, summary.added_bytes);
}

static void one_changed(void)
{
	struct snapshot_summary summary;
	double ms[REPEAT], git[REPEAT];
	int i;

	for (i = 0; i < REPEAT; i++) {
		make_file(files / 2 + i * 37, (uint64_t)i + 2);
		ms[i] = publish(&summary);
		git[i] = command(COMMIT);
	}
	say("one changed", ms, git, summary.added_bytes);
	command("ls -l code/package*/module*/ | awk '/py$/ {s+=$5; n++} END {print \"(a file "
	        "has\", s/n, \"bytes on average)\"}'");
}

static void after_restart(void)
{
	struct snapshot_summary summary;
	double ms[REPEAT], git[REPEAT];
	int i;

	for (i = 0; i < REPEAT; i++) {
		fixture_reopen(&snapshots.fixture);
		make_file(files / 2 + i * 37, (uint64_t)i + 20);
		ms[i] = publish(&summary);
		git[i] = command(COMMIT);
	}
	say("one, after a restart", ms, git, summary.added_bytes);
}

struct made {
	bool done;
	struct checkout *checkout;
};

static void on_made(void *userdata, int status, struct checkout *checkout)
{
	*(struct made *)userdata = (struct made){true, checkout};
}

static void materialise(struct snapshot_cache *cache, const char *what)
{
	struct snapshot_summary summary;
	struct made made = {0};
	double start;

	publish(&summary);
	start = now_ms();
	snapshot_cache_checkout(cache, &summary.root, on_made, &made);
	while (!made.done)
		uv_run(&snapshots.fixture.loop, UV_RUN_ONCE);
	printf("%-22s %9.1f ms   %llu bytes\n", what, now_ms() - start,
	        (unsigned long long)snapshot_cache_bytes(cache));
	checkout_unref(made.checkout);
}

static void make_ready(void)
{
	struct snapshot_cache *cache;

	REQUIRE(snapshot_cache_open(&cache, &snapshots.fixture.loop, snapshots.blobs,
	                snapshots.fixture.fd, "versions", UINT64_C(1) << 40) == 0);
	materialise(cache, "first made ready");
	make_file(5, 99);
	materialise(cache, "second made ready");
	snapshot_cache_close(cache);
}

static void put_piece(struct worktree_file *file, int number, uint64_t seed)
{
	static uint64_t piece[1 << 17];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(piece); i++)
		piece[i] = i % 2 ? test_random(&seed) : 0;
	REQUIRE(worktree_write(file, piece, sizeof(piece), (off_t)number * (off_t)sizeof(piece),
	                &snapshots.fixture.caller, false) == sizeof(piece));
}

static void large(int mebibytes)
{
	struct worktree_file *file;
	struct snapshot_summary summary;
	struct rusage usage;
	double ms;
	int i;

	REQUIRE(fixture_file(&snapshots.fixture, "large", O_WRONLY | O_CREAT, &file) == 0);
	for (i = 0; i < mebibytes; i++)
		put_piece(file, i, (uint64_t)i);
	worktree_flush(file);
	worktree_release(file);
	checkout_unref(fixture_checkout(&snapshots.fixture, NULL));
	ms = publish(&summary);
	printf("a file of %d MiB     %9.1f ms   %llu bytes\n", mebibytes, ms,
	        (unsigned long long)summary.added_bytes);
	REQUIRE(fixture_file(&snapshots.fixture, "large", O_WRONLY, &file) == 0);
	put_piece(file, mebibytes / 2, 1 << 30);
	worktree_flush(file);
	worktree_release(file);
	ms = publish(&summary);
	printf("one MiB of it changed  %9.1f ms   %llu bytes\n", ms,
	        (unsigned long long)summary.added_bytes);
	getrusage(RUSAGE_SELF, &usage);
	printf("most memory            %9ld KiB\n", usage.ru_maxrss);
}

int main(int argc, char **argv)
{
	struct rusage usage;

	if (argc > 1)
		setenv("TMPDIR", argv[1], 1);
	files = argc > 2 ? atoi(argv[2]) : 10000;
	setvbuf(stdout, NULL, _IOLBF, 0);
	snapshots_open(&snapshots);
	make_tree();
	if (argc > 3) {
		large(atoi(argv[3]));
		snapshots_close(&snapshots);
		return 0;
	}
	first();
	unchanged();
	one_changed();
	after_restart();
	make_ready();
	getrusage(RUSAGE_SELF, &usage);
	printf("most memory            %9ld KiB\n", usage.ru_maxrss);
	snapshots_close(&snapshots);
	return 0;
}
