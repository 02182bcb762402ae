/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A tiny harness: a module has one main() that runs its tests by name. A CHECK that fails prints its
 * place and what it saw, and the test goes on; a REQUIRE ends the program, for what follows would be
 * meaningless. The exit status is 0 only when everything held and something was checked.
 *
 *	static void adds(void)
 *	{
 *		CHECK_INT(1 + 1, 2);
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		static const struct test tests[] = {TEST(adds), {}};
 *		return test_main(tests, argc, argv);
 *	}
 *
 * `PROGRAM NAME...` runs only the named tests. LONG=1 in the environment asks for the long forms.
 */
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(function) \
	{ \
		.name = #function, .run = function \
	}

/* Weak: one of each for the whole program, for checks stand in what several tests share, too. */
__attribute__((weak)) unsigned long test_checks;
__attribute__((weak)) unsigned long test_failures;

#define CHECK(condition) \
	({ \
		bool test_held_ = (condition); \
		test_count(test_held_); \
		if (!test_held_) \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
			        #condition); \
		test_held_; \
	})

#define REQUIRE(condition) \
	do { \
		if (!CHECK(condition)) \
			exit(1); \
	} while (0)

#define CHECK_INT(actual, expected) \
	({ \
		long long test_actual_ = (long long)(actual); \
		long long test_expected_ = (long long)(expected); \
		test_count(test_actual_ == test_expected_); \
		if (test_actual_ != test_expected_) \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld (%s)\n", __FILE__, __LINE__, \
			        #actual, test_actual_, test_expected_, #expected); \
		test_actual_ == test_expected_; \
	})

#define CHECK_STR(actual, expected) \
	({ \
		const char *test_actual_ = (actual); \
		const char *test_expected_ = (expected); \
		bool test_held_ = test_actual_ && test_expected_ \
		                          ? strcmp(test_actual_, test_expected_) == 0 \
		                          : test_actual_ == test_expected_; \
		test_count(test_held_); \
		if (!test_held_) \
			fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, \
			        #actual, test_actual_ ? test_actual_ : "(null)", \
			        test_expected_ ? test_expected_ : "(null)"); \
		test_held_; \
	})

static inline void test_count(bool held)
{
	test_checks++;
	test_failures += !held;
}

static inline bool test_long(void)
{
	const char *wanted = getenv("LONG");

	return wanted && *wanted && strcmp(wanted, "0") != 0;
}

/* The seed of random tests: SEED in the environment, else from the time; printed either way. */
static inline uint64_t test_seed(void)
{
	const char *given = getenv("SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given ? strtoull(given, NULL, 0)
	             : (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec;
	printf("SEED=%" PRIu64 "\n", seed);
	return seed;
}

/* A reproducible generator (splitmix64); the state is the seed. */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t x = (*state += UINT64_C(0x9e3779b97f4a7c15));

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* A fresh directory, below TMPDIR or /tmp; the caller frees the path by test_directory_remove(). */
static inline char *test_directory(void)
{
	const char *parent = getenv("TMPDIR");
	char *path = NULL;

	if (asprintf(&path, "%s/fnfs-test-XXXXXX", parent && *parent ? parent : "/tmp") < 0 ||
	        !mkdtemp(path)) {
		perror("mkdtemp");
		exit(1);
	}
	return path;
}

static inline int test_remove_entry(
        const char *path, const struct stat *status, int kind, struct FTW *at)
{
	return remove(path);
}

/* Removes the directory with everything in it, frees the path; returns NULL. */
static inline char *test_directory_remove(char *path)
{
	if (path && nftw(path, test_remove_entry, 32, FTW_DEPTH | FTW_PHYS) != 0)
		fprintf(stderr, "%s is left behind\n", path);
	free(path);
	return NULL;
}

static inline bool test_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

static inline int test_main(const struct test *tests, int argc, char **argv)
{
	unsigned long before, ran = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (; tests->name; tests++) {
		if (!test_wanted(tests->name, argc, argv))
			continue;
		before = test_failures;
		tests->run();
		printf("%s %s\n", test_failures == before ? "ok  " : "FAIL", tests->name);
		ran++;
	}
	printf("%lu tests, %lu checks, %lu failed\n", ran, test_checks, test_failures);
	return test_failures || !test_checks ? 1 : 0;
}
