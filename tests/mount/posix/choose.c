/* SPDX-License-Identifier: Apache-2.0 */
#include "choose.h"
#include "word.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

uint64_t choose_random(uint64_t *state)
{
	uint64_t x = (*state += UINT64_C(0x9e3779b97f4a7c15));

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

long choose_below(uint64_t *state, long bound)
{
	return (long)(choose_random(state) % (uint64_t)bound);
}

bool choose_percent(uint64_t *state, long percent)
{
	return choose_below(state, 100) < percent;
}

void choose_of(uint64_t *state, const char *list, char *out, size_t size)
{
	size_t length;
	const char *place;
	long count = 1, chosen;

	for (place = list; *place; place++)
		count += *place == ' ';
	chosen = choose_below(state, count);
	for (place = list; chosen > 0; chosen--)
		place = strchr(place, ' ') + 1;
	length = strcspn(place, " ");
	if (length >= size)
		length = size - 1;
	memcpy(out, place, length);
	out[length] = '\0';
}

/*
 * Few names, so that steps meet. `..` only behind a name: an actor at the top of its world must not
 * leave it.
 */
void choose_path(uint64_t *state, char *out, size_t size)
{
	char name[16], parent[16], grandparent[16];

	choose_of(state, "a b c d e f l m", name, sizeof(name));
	choose_of(state, "d d e e f a l", parent, sizeof(parent));
	choose_of(state, "d e l", grandparent, sizeof(grandparent));
	switch (choose_below(state, 40)) {
	case 0:
		choose_of(state,
		        ". '' d/. d/.. @255 @256 d/@255 d/@256 %4095:a %4096:a a/ d/ d//a ./a", out,
		        size);
		if (strcmp(out, "''") == 0)
			*out = '\0';
		break;
	case 1:
		snprintf(out, size, "[%ld]%s", choose_below(state, 4), name);
		break;
	case 2:
		snprintf(out, size, "%s/", name);
		break;
	case 3:
		snprintf(out, size, "%s/../%s", parent, name);
		break;
	case 4 ... 6:
		snprintf(out, size, "%s/%s/%s", grandparent, parent, name);
		break;
	case 7 ... 19:
		snprintf(out, size, "%s/%s", parent, name);
		break;
	default:
		snprintf(out, size, "%s", name);
	}
}

void choose_target(uint64_t *state, char *out, size_t size)
{
	if (choose_percent(state, 80))
		choose_of(state, "a b c d e l m d/a e/b ../a ../d . nowhere d/", out, size);
	else
		choose_of(state, "l m @4095 @255 nowhere/a d/l d/../d", out, size);
}

void choose_attribute(uint64_t *state, char *out, size_t size)
{
	choose_of(state, "user.a user.b trusted.a security.a", out, size);
}

static const long sizes[] = {
        0, 1, 3, 17, 100, 511, 4095, 4096, 4097, 8191, 8192, 10000, 12288, 65536, 131072, 200000};
static const long odd_sizes[] = {-1, 1 << 20, 1L << 33, 1L << 62, 5L << 40};

static long choose_size(uint64_t *state)
{
	if (choose_percent(state, 3))
		return odd_sizes[choose_below(state, sizeof(odd_sizes) / sizeof(long))];
	return sizes[choose_below(state, sizeof(sizes) / sizeof(long))];
}

static long choose_mode(uint64_t *state)
{
	static const long modes[] = {0644, 0600, 0755, 0777, 01777, 02755, 04755, 06755, 0400, 0200,
	        0100, 0, 0555, 02775, 07777, 0444, 0666, 0770, 0711, 02644};

	return modes[choose_below(state, sizeof(modes) / sizeof(modes[0]))];
}

static long choose_open_flags(uint64_t *state)
{
	static const struct {
		long flag, percent;
	} extras[] = {{O_EXCL, 12}, {O_TRUNC, 15}, {O_APPEND, 15}, {O_NONBLOCK, 25},
	        {O_NOFOLLOW, 10}, {O_SYNC, 4}, {O_DSYNC, 3}, {O_PATH, 3}, {O_NOATIME, 2}};
	static const long kinds[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
	long flags = kinds[choose_below(state, 4)];
	size_t i;

	for (i = 0; i < sizeof(extras) / sizeof(extras[0]); i++)
		if (choose_percent(state, extras[i].percent))
			flags |= extras[i].flag;
	if (choose_percent(state, 3))
		return O_TMPFILE | (flags & (O_RDWR | O_EXCL));
	/* What both together mean has changed with the kernel's version. */
	if (choose_percent(state, 10))
		return flags | O_DIRECTORY;
	return choose_percent(state, 50) ? flags | O_CREAT : flags & ~O_EXCL;
}

static long choose_word(uint64_t *state, char letter)
{
	const struct word *words = words_of(letter);
	long count = 0;

	while (words[count].name)
		count++;
	return words[choose_below(state, count)].value;
}

static long choose_allocation(uint64_t *state)
{
	static const long modes[] = {0, 0, FALLOC_FL_KEEP_SIZE,
	        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
	        FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
	        FALLOC_FL_INSERT_RANGE};

	return modes[choose_below(state, sizeof(modes) / sizeof(modes[0]))];
}

long choose_number(uint64_t *state, char letter)
{
	switch (letter) {
	case 'm':
		return choose_mode(state);
	case 'O':
		return choose_open_flags(state);
	case 'A':
		return choose_allocation(state);
	case 'R':
		return choose_percent(state, 60) ? 0 : choose_word(state, 'R') & RENAME_COMMON;
	case 'a':
		return 1 + choose_below(state, 7);
	case 'Q':
		return choose_percent(state, 65) ? R_OK | W_OK : 1 + choose_below(state, 7);
	case 'x':
		return choose_percent(state, 70) ? 0 : choose_word(state, 'x');
	case 'T':
		return choose_percent(state, 60) ? choose_word(state, 'T') : TIME_2001;
	case '2':
		return 4096 * choose_below(state, 4);
	case '3':
		return 4096 * (1 + choose_below(state, 8));
	case '4':
		return choose_below(state, 2);
	case '5':
		return choose_below(state, 40);
	default:
		return words_of(letter) ? choose_word(state, letter) : choose_size(state);
	}
}
