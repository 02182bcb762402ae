/* SPDX-License-Identifier: Apache-2.0 */
#include "word.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORD(name) \
	{ \
#name, name \
	}

/* Words of several bits stand before those whose bits they contain. */
static const struct word open_words[] = {WORD(O_TMPFILE), WORD(O_DIRECTORY), WORD(O_SYNC),
        WORD(O_DSYNC), WORD(O_WRONLY), WORD(O_RDWR), WORD(O_CREAT), WORD(O_EXCL), WORD(O_TRUNC),
        WORD(O_APPEND), WORD(O_NONBLOCK), WORD(O_NOFOLLOW), WORD(O_PATH), WORD(O_NOATIME),
        WORD(O_DIRECT), {"O_RDONLY", O_RDONLY}, {}};
static const struct word rename_words[] = {{"NOREPLACE", RENAME_NOREPLACE},
        {"EXCHANGE", RENAME_EXCHANGE}, {"WHITEOUT", RENAME_WHITEOUT}, {"replace", 0}, {}};
static const struct word whence_words[] = {
        WORD(SEEK_SET), WORD(SEEK_CUR), WORD(SEEK_END), WORD(SEEK_DATA), WORD(SEEK_HOLE), {}};
static const struct word user_words[] = {
        {"keep", -1}, {"root", 0}, {"first", FIRST_USER}, {"second", SECOND_USER}, {}};
static const struct word group_words[] = {{"keep", -1}, {"root", 0}, {"first", FIRST_USER},
        {"second", SECOND_USER}, {"shared", SHARED_GROUP}, {}};
static const struct word time_words[] = {{"now", TIME_NOW}, {"omit", TIME_OMIT}, {"bad", TIME_BAD},
        {"zero", TIME_ZERO}, {"old", TIME_OLD}, {"2001", TIME_2001}, {"2100", TIME_2100},
        {"negative", TIME_NEG}, {}};
static const struct word allocate_words[] = {{"KEEP_SIZE", FALLOC_FL_KEEP_SIZE},
        {"PUNCH_HOLE", FALLOC_FL_PUNCH_HOLE}, {"ZERO_RANGE", FALLOC_FL_ZERO_RANGE},
        {"COLLAPSE", FALLOC_FL_COLLAPSE_RANGE}, {"INSERT", FALLOC_FL_INSERT_RANGE}, {"plain", 0},
        {}};
static const struct word access_words[] = {WORD(R_OK), WORD(W_OK), WORD(X_OK), WORD(F_OK), {}};
static const struct word kind_words[] = {{"file", S_IFREG}, {"fifo", S_IFIFO}, {"socket", S_IFSOCK},
        {"character", S_IFCHR}, {"block", S_IFBLK}, {"directory", S_IFDIR}, {}};
static const struct word lock_words[] = {
        {"read", F_RDLCK}, {"write", F_WRLCK}, {"unlock", F_UNLCK}, {}};
static const struct word flock_words[] = {
        {"shared", LOCK_SH}, {"exclusive", LOCK_EX}, {"unlock", LOCK_UN}, {}};
static const struct word map_words[] = {{"shared", MAP_SHARED}, {"private", MAP_PRIVATE}, {}};
static const struct word at_words[] = {{"nofollow", AT_SYMLINK_NOFOLLOW},
        {"follow", AT_SYMLINK_FOLLOW}, {"eaccess", AT_EACCESS}, {"plain", 0}, {}};

static const struct word *const words_by_letter[128] = {
        ['O'] = open_words,
        ['R'] = rename_words,
        ['w'] = whence_words,
        ['u'] = user_words,
        ['g'] = group_words,
        ['T'] = time_words,
        ['A'] = allocate_words,
        ['a'] = access_words,
        ['k'] = kind_words,
        ['L'] = lock_words,
        ['F'] = flock_words,
        ['M'] = map_words,
        ['x'] = at_words,
};

const struct word *words_of(char letter)
{
	return words_by_letter[letter & 127];
}

bool word_is_text(char letter)
{
	return letter == 'p' || letter == 's';
}

static bool letter_has_flags(char letter)
{
	return strchr("ORAax", letter) != NULL;
}

static bool parse_one(char letter, const char *text, size_t length, long *value)
{
	const struct word *word = words_of(letter);
	char number[32], *end;

	for (; word && word->name; word++)
		if (strlen(word->name) == length && strncmp(word->name, text, length) == 0) {
			*value |= word->value;
			return true;
		}
	if (length == 0 || length >= sizeof(number))
		return false;
	memcpy(number, text, length);
	number[length] = '\0';
	*value |= strtol(number, &end, letter == 'm' ? 8 : 0);
	return *end == '\0';
}

bool word_parse(char letter, const char *text, long *value)
{
	size_t length;

	for (*value = 0; *text; text += length + (text[length] == '|')) {
		length = strcspn(text, "|");
		if (!parse_one(letter, text, length, value))
			return false;
	}
	return true;
}

static void print_flags(const struct word *word, long value, char *out, size_t size)
{
	const char *zero = "0";
	size_t used = 0;

	for (out[0] = '\0'; word->name && used < size; word++) {
		if (word->value == 0)
			zero = word->name;
		if (word->value == 0 || (value & word->value) != word->value)
			continue;
		used += snprintf(out + used, size - used, "%s%s", used ? "|" : "", word->name);
		value &= ~word->value;
	}
	if (value != 0 && used < size)
		snprintf(out + used, size - used, "%s%#lx", used ? "|" : "", value);
	else if (used == 0)
		snprintf(out, size, "%s", zero);
}

void word_print(char letter, long value, char *out, size_t size)
{
	const struct word *word = words_of(letter);

	if (word && letter_has_flags(letter)) {
		print_flags(word, value, out, size);
		return;
	}
	for (; word && word->name; word++)
		if (word->value == value) {
			snprintf(out, size, "%s", word->name);
			return;
		}
	snprintf(out, size, letter == 'm' ? "0%lo" : "%ld", value);
}
