/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzer for machines without one: `PROGRAM` mutates the sample of its target for some thousand
 * rounds (LONG=1: a million), `PROGRAM FILE...` runs these inputs, to repeat what a fuzzer found.
 */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "test.h"

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

static void run_file(const char *path)
{
	CLEANUP(buf_deinit) struct buf input = BUF_INIT;
	FILE *file = fopen(path, "re");
	char chunk[4096];
	size_t length;

	REQUIRE(file);
	while ((length = fread(chunk, 1, sizeof(chunk), file)))
		buf_append(&input, chunk, length);
	fclose(file);
	CHECK_INT(LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.length), 0);
}

/* Changes a bit, a byte or a number, cuts something out, or puts something in twice. */
static void mutate(struct buf *input, uint64_t *seed)
{
	static const uint32_t numbers[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, ~0u};
	size_t at = input->length ? test_random(seed) % input->length : 0;
	size_t length = input->length ? test_random(seed) % (input->length - at) : 0;

	switch (input->length ? test_random(seed) % 6 : 5) {
	case 0:
		input->data[at] ^= (char)(1 << test_random(seed) % 8);
		break;
	case 1:
		input->data[at] = (char)test_random(seed);
		break;
	case 2:
		if (input->length - at >= 4)
			memcpy(input->data + at, &numbers[test_random(seed) % ARRAY_SIZE(numbers)],
			        4);
		break;
	case 3:
		memmove(input->data + at, input->data + at + length, input->length - at - length);
		input->length -= length;
		break;
	case 4:
		if (length < 4096 && buf_reserve(input, length)) {
			memmove(input->data + at + length, input->data + at, input->length - at);
			buf_added(input, length);
		}
		break;
	default:
		input->length = at;
	}
}

static void mutations(void)
{
	CLEANUP(buf_deinit) struct buf sample = BUF_INIT, input = BUF_INIT;
	uint64_t seed = test_seed();
	int rounds = test_long() ? 1000000 : 20000, i, n;

	fuzz_sample(&sample);
	CHECK_INT(LLVMFuzzerTestOneInput((const uint8_t *)sample.data, sample.length), 0);
	for (i = 0; i < rounds; i++) {
		buf_clear(&input);
		buf_append(&input, sample.data, sample.length);
		for (n = (int)(test_random(&seed) % 6); n >= 0; n--)
			mutate(&input, &seed);
		/* In memory of exactly that size, so that a read beyond it is seen. */
		CLEANUP(free_p) uint8_t *exact = malloc(input.length + !input.length);
		memcpy(exact, input.data, input.length);
		CHECK_INT(LLVMFuzzerTestOneInput(exact, input.length), 0);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(mutations), {}};
	int i;

	log_set_sink(say_nothing, NULL);
	for (i = 1; i < argc; i++)
		run_file(argv[i]);
	return argc > 1 ? test_failures != 0 : test_main(tests, 1, argv);
}
