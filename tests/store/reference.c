/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define OBJECT_OF(ino) ((ino) & ((UINT64_C(1) << 48) - 1))

struct reference *reference_new(void)
{
	struct reference *reference = calloc(1, sizeof(*reference));

	REQUIRE(reference);
	return reference;
}

static void copy_texts(struct reference_text *texts, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		texts[i].name = strdup(texts[i].name);
		texts[i].value = strdup(texts[i].value);
	}
}

struct reference *reference_copy(const struct reference *reference)
{
	struct reference *copy = malloc(sizeof(*copy));
	size_t i;

	REQUIRE(copy);
	*copy = *reference;
	for (i = 0; i < copy->functions_count; i++)
		copy->functions[i].name = strdup(copy->functions[i].name);
	copy_texts(copy->settings, copy->settings_count);
	copy_texts(copy->variables, copy->variables_count);
	return copy;
}

struct reference *reference_free(struct reference *reference)
{
	size_t i;

	for (i = 0; i < reference->functions_count; i++)
		free(reference->functions[i].name);
	for (i = 0; i < reference->settings_count; i++) {
		free(reference->settings[i].name);
		free(reference->settings[i].value);
	}
	for (i = 0; i < reference->variables_count; i++) {
		free(reference->variables[i].name);
		free(reference->variables[i].value);
	}
	free(reference);
	return NULL;
}

static struct reference_function *function_by_id(struct reference *reference, uint64_t id)
{
	size_t i;

	for (i = 0; i < reference->functions_count; i++)
		if (id && reference->functions[i].id == id)
			return &reference->functions[i];
	return NULL;
}

static bool name_taken(struct reference *reference, const char *name, uint64_t by_other_than)
{
	size_t i;

	for (i = 0; i < reference->functions_count; i++)
		if (reference->functions[i].id && reference->functions[i].id != by_other_than &&
		        strcmp(reference->functions[i].name, name) == 0)
			return true;
	return false;
}

static struct reference_text *text_find(
        struct reference_text *texts, size_t count, uint64_t function, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (function && texts[i].function == function && strcmp(texts[i].name, name) == 0)
			return &texts[i];
	return NULL;
}

static struct reference_text *text_place(struct reference_text *texts, size_t *count)
{
	size_t i;

	for (i = 0; i < *count && texts[i].function; i++)
		; /* the first free place */
	REQUIRE(i < REFERENCE_MOST);
	*count += i == *count;
	return &texts[i];
}

static struct reference_text *variable_by_id(
        struct reference *reference, uint64_t function, uint64_t id)
{
	size_t i;

	for (i = 0; i < reference->variables_count; i++)
		if (function && reference->variables[i].function == function &&
		        reference->variables[i].id == id)
			return &reference->variables[i];
	return NULL;
}

static void put_text(struct reference_text *text, uint64_t function, uint64_t id, const char *name,
        const char *value)
{
	char *new_name = strdup(name), *new_value = strdup(value);

	free(text->name);
	free(text->value);
	*text = (struct reference_text){function, id, new_name, new_value};
}

static void forget_attributes(struct reference *reference, uint64_t object)
{
	size_t i;

	for (i = 0; i < reference->attributes_count; i++)
		if (reference->attributes[i].set &&
		        OBJECT_OF(reference->attributes[i].ino) == object)
			reference->attributes[i].set = 0;
}

static int create(
        struct reference *reference, const struct command *c, struct command_result *result)
{
	size_t i;

	if (name_taken(reference, c->name, 0))
		return -EEXIST;
	for (i = 0; i < reference->functions_count && reference->functions[i].id; i++)
		; /* the first free place */
	REQUIRE(i < REFERENCE_MOST);
	reference->functions_count += i == reference->functions_count;
	free(reference->functions[i].name);
	reference->functions[i] = (struct reference_function){
	        ++reference->last_id, strdup(c->name), c->uid, c->gid, c->time_us};
	result->object = reference->last_id;
	return 0;
}

static int rename_function(struct reference *reference, const struct command *c)
{
	struct reference_function *function = function_by_id(reference, c->object);

	if (!function)
		return -ENOENT;
	if (name_taken(reference, c->name, c->object))
		return -EEXIST;
	free(function->name);
	function->name = strdup(c->name);
	return 0;
}

static int own(struct reference *reference, const struct command *c)
{
	struct reference_function *function = function_by_id(reference, c->object);

	if (!function)
		return -ENOENT;
	function->uid = c->uid;
	function->gid = c->gid;
	return 0;
}

static int remove_function(struct reference *reference, const struct command *c)
{
	struct reference_function *function = function_by_id(reference, c->object);
	size_t i;

	if (!function)
		return -ENOENT;
	function->id = 0;
	forget_attributes(reference, c->object);
	for (i = 0; i < reference->settings_count; i++)
		if (reference->settings[i].function == c->object)
			reference->settings[i].function = 0;
	for (i = 0; i < reference->variables_count; i++)
		if (reference->variables[i].function == c->object) {
			forget_attributes(reference, reference->variables[i].id);
			reference->variables[i].function = 0;
		}
	return 0;
}

static int set_setting(struct reference *reference, const struct command *c)
{
	struct reference_text *setting =
	        text_find(reference->settings, reference->settings_count, c->object, c->name);

	if (!function_by_id(reference, c->object))
		return -ENOENT;
	if (!c->value) {
		if (setting)
			setting->function = 0;
		return 0;
	}
	if (!setting)
		setting = text_place(reference->settings, &reference->settings_count);
	put_text(setting, c->object, 0, c->name, c->value);
	return 0;
}

static int set_variable(
        struct reference *reference, const struct command *c, struct command_result *result)
{
	struct reference_text *variable =
	        text_find(reference->variables, reference->variables_count, c->object, c->name);

	if (!function_by_id(reference, c->object))
		return -ENOENT;
	if (!variable) {
		variable = text_place(reference->variables, &reference->variables_count);
		variable->id = ++reference->last_id;
	}
	put_text(variable, c->object, variable->id, c->name, c->value);
	result->child = variable->id;
	return 0;
}

static int rename_variable(struct reference *reference, const struct command *c)
{
	struct reference_text *variable = variable_by_id(reference, c->object, c->child);
	struct reference_text *other =
	        text_find(reference->variables, reference->variables_count, c->object, c->name);

	if (!variable)
		return -ENOENT;
	if (other && other != variable) {
		forget_attributes(reference, other->id);
		other->function = 0;
	}
	free(variable->name);
	variable->name = strdup(c->name);
	return 0;
}

static int unset_variable(struct reference *reference, const struct command *c)
{
	struct reference_text *variable = variable_by_id(reference, c->object, c->child);

	if (!variable)
		return -ENOENT;
	variable->function = 0;
	forget_attributes(reference, c->child);
	return 0;
}

static int set_attributes(struct reference *reference, const struct command *c)
{
	struct command *entry = NULL;
	size_t i;

	for (i = 0; i < reference->attributes_count; i++)
		if (reference->attributes[i].set && reference->attributes[i].ino == c->ino)
			entry = &reference->attributes[i];
	if (!entry) {
		for (i = 0; i < reference->attributes_count && reference->attributes[i].set; i++)
			; /* the first free place */
		REQUIRE(i < REFERENCE_MOST);
		reference->attributes_count += i == reference->attributes_count;
		entry = &reference->attributes[i];
		*entry = (struct command){.ino = c->ino};
	}
	entry->set |= c->set;
	if (c->set & COMMAND_SET_MODE)
		entry->mode = c->mode;
	if (c->set & COMMAND_SET_UID)
		entry->uid = c->uid;
	if (c->set & COMMAND_SET_GID)
		entry->gid = c->gid;
	if (c->set & COMMAND_SET_MTIME)
		entry->time_us = c->time_us;
	return 0;
}

int reference_apply(
        struct reference *reference, const struct command *command, struct command_result *result)
{
	switch (command->kind) {
	case COMMAND_FUNCTION_CREATE:
		return create(reference, command, result);
	case COMMAND_FUNCTION_RENAME:
		return rename_function(reference, command);
	case COMMAND_FUNCTION_OWN:
		return own(reference, command);
	case COMMAND_FUNCTION_REMOVE:
		return remove_function(reference, command);
	case COMMAND_SETTING_SET:
		return set_setting(reference, command);
	case COMMAND_VARIABLE_SET:
		return set_variable(reference, command, result);
	case COMMAND_VARIABLE_RENAME:
		return rename_variable(reference, command);
	case COMMAND_VARIABLE_UNSET:
		return unset_variable(reference, command);
	case COMMAND_ATTRIBUTES_SET:
		return set_attributes(reference, command);
	case COMMAND_ATTRIBUTES_FORGET:
		forget_attributes(reference, command->object);
		return 0;
	case COMMAND_KINDS:
		break;
	}
	return -EINVAL;
}

/* One line each; sorted as texts at the end, so that nobody's order matters. */
static int print_function(void *out, const struct store_function_row *row)
{
	buf_printf(out, "function %" PRIu64 " %s %u %u %" PRId64 "\n", row->id, row->name, row->uid,
	        row->gid, row->created_us);
	return 0;
}

static int print_setting(void *out, uint64_t function, const char *name, const char *value)
{
	buf_printf(out, "setting %" PRIu64 " %s %s\n", function, name, value);
	return 0;
}

static int print_variable(
        void *out, uint64_t function, uint64_t id, const char *key, const char *value)
{
	buf_printf(out, "variable %" PRIu64 " %" PRIu64 " %s %s\n", function, id, key, value);
	return 0;
}

static int print_attributes(
        void *out, uint64_t ino, unsigned set, mode_t mode, uid_t uid, gid_t gid, int64_t mtime_us)
{
	buf_printf(out, "attributes %" PRIx64, ino);
	if (set & COMMAND_SET_MODE)
		buf_printf(out, " mode %o", mode);
	if (set & COMMAND_SET_UID)
		buf_printf(out, " uid %u", uid);
	if (set & COMMAND_SET_GID)
		buf_printf(out, " gid %u", gid);
	if (set & COMMAND_SET_MTIME)
		buf_printf(out, " mtime %" PRId64, mtime_us);
	buf_puts(out, "\n");
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct buf *text)
{
	char *lines[4 * REFERENCE_MOST], *whole = buf_take(text), *state = NULL, *line;
	size_t count = 0, i;

	for (line = strtok_r(whole, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
		lines[count++] = line;
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (i = 0; i < count; i++)
		buf_printf(text, "%s\n", lines[i]);
	buf_puts(text, ""); /* a text, even when it is empty */
	free(whole);
}

void reference_dump(const struct reference *reference, struct buf *out)
{
	size_t i;

	buf_clear(out);
	for (i = 0; i < reference->functions_count; i++) {
		const struct reference_function *f = &reference->functions[i];

		if (f->id)
			print_function(out, &(struct store_function_row){
			                            f->id, f->name, f->uid, f->gid, f->time_us});
	}
	for (i = 0; i < reference->settings_count; i++)
		if (reference->settings[i].function)
			print_setting(out, reference->settings[i].function,
			        reference->settings[i].name, reference->settings[i].value);
	for (i = 0; i < reference->variables_count; i++)
		if (reference->variables[i].function)
			print_variable(out, reference->variables[i].function,
			        reference->variables[i].id, reference->variables[i].name,
			        reference->variables[i].value);
	for (i = 0; i < reference->attributes_count; i++)
		if (reference->attributes[i].set)
			print_attributes(out, reference->attributes[i].ino,
			        reference->attributes[i].set, reference->attributes[i].mode,
			        reference->attributes[i].uid, reference->attributes[i].gid,
			        reference->attributes[i].time_us);
	sort_lines(out);
}

int reference_dump_store(struct store *store, struct buf *out)
{
	int r;

	buf_clear(out);
	r = store_each_function(store, print_function, out);
	if (r == 0)
		r = store_each_setting(store, print_setting, out);
	if (r == 0)
		r = store_each_variable(store, print_variable, out);
	if (r == 0)
		r = store_each_attributes(store, print_attributes, out);
	sort_lines(out);
	return r;
}

static void random_text(uint64_t *state, struct buf *out, const char *prefix, unsigned choices)
{
	buf_clear(out);
	buf_printf(out, "%s%u", prefix, (unsigned)(test_random(state) % choices));
}

static uint64_t random_id(uint64_t *state, uint64_t newest)
{
	uint64_t back = test_random(state) % 32;

	return back > newest ? 0 : newest + 1 - back; /* newest + 1 is nobody yet */
}

void random_command(uint64_t seed, uint64_t number, uint64_t newest, struct command *command,
        struct buf texts[2])
{
	uint64_t state = seed ^ (number * UINT64_C(0x2545f4914f6cdd1d));
	unsigned draw = (unsigned)(test_random(&state) % 16), i, length;
	/* Creations and variables come more often than one in ten, or little would ever exist. */
	static const enum command_kind kinds[16] = {COMMAND_FUNCTION_CREATE,
	        COMMAND_FUNCTION_RENAME, COMMAND_FUNCTION_OWN, COMMAND_FUNCTION_REMOVE,
	        COMMAND_SETTING_SET, COMMAND_VARIABLE_SET, COMMAND_VARIABLE_RENAME,
	        COMMAND_VARIABLE_UNSET, COMMAND_ATTRIBUTES_SET, COMMAND_ATTRIBUTES_FORGET,
	        COMMAND_FUNCTION_CREATE, COMMAND_FUNCTION_CREATE, COMMAND_VARIABLE_SET,
	        COMMAND_VARIABLE_SET, COMMAND_SETTING_SET, COMMAND_ATTRIBUTES_SET};

	*command = (struct command){.kind = kinds[draw]};
	command->object = random_id(&state, newest);
	command->child = random_id(&state, newest);
	command->ino = (test_random(&state) % 4 + 1) << 48 | random_id(&state, newest);
	random_text(&state, &texts[0], "name", 12);
	buf_clear(&texts[1]);
	length = test_random(&state) % 16 == 0 ? 20000 : (unsigned)(test_random(&state) % 40);
	for (i = 0; i < length; i++)
		buf_printf(&texts[1], "%c", (int)('a' + test_random(&state) % 26));
	buf_puts(&texts[1], "");
	command->name = texts[0].data;
	command->value = texts[1].data;
	if (command->kind == COMMAND_SETTING_SET && test_random(&state) % 4 == 0)
		command->value = NULL;
	command->set = (unsigned)(test_random(&state) % 15) + 1;
	command->mode = (mode_t)(test_random(&state) & 07777);
	command->uid = (uid_t)test_random(&state);
	command->gid = (gid_t)test_random(&state);
	command->time_us = (int64_t)test_random(&state);
	command->durable = test_random(&state) % 8 == 0;
}
