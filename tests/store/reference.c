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
	for (i = 0; i < copy->branches_count; i++) {
		struct reference_branch *branch = &copy->branches[i];

		branch->name = strdup(branch->name);
		branch->routes = branch->routes ? strdup(branch->routes) : NULL;
		branch->previous = branch->previous ? strdup(branch->previous) : NULL;
	}
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
	for (i = 0; i < reference->branches_count; i++) {
		free(reference->branches[i].name);
		free(reference->branches[i].routes);
		free(reference->branches[i].previous);
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

static struct reference_branch *branch_by_id(struct reference *reference, uint64_t id, bool alias)
{
	size_t i;

	for (i = 0; i < reference->branches_count; i++)
		if (reference->branches[i].function && reference->branches[i].id == id &&
		        !reference->branches[i].routes == !alias)
			return &reference->branches[i];
	return NULL;
}

static bool branch_name_taken(struct reference *reference, uint64_t function, const char *name,
        bool alias, uint64_t by_other_than)
{
	size_t i;

	for (i = 0; i < reference->branches_count; i++)
		if (reference->branches[i].function == function &&
		        reference->branches[i].id != by_other_than &&
		        !reference->branches[i].routes == !alias &&
		        strcmp(reference->branches[i].name, name) == 0)
			return true;
	return false;
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
        struct reference_text *texts, size_t count, uint64_t owner, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (owner && texts[i].owner == owner && strcmp(texts[i].name, name) == 0)
			return &texts[i];
	return NULL;
}

static struct reference_text *text_place(struct reference_text *texts, size_t *count)
{
	size_t i;

	for (i = 0; i < *count && texts[i].owner; i++)
		; /* the first free place */
	REQUIRE(i < REFERENCE_MOST);
	*count += i == *count;
	return &texts[i];
}

static struct reference_text *variable_by_id(
        struct reference *reference, uint64_t owner, uint64_t id)
{
	size_t i;

	for (i = 0; i < reference->variables_count; i++)
		if (owner && reference->variables[i].owner == owner &&
		        reference->variables[i].id == id)
			return &reference->variables[i];
	return NULL;
}

static void put_text(struct reference_text *text, uint64_t owner, uint64_t id, const char *name,
        const char *value)
{
	char *new_name = strdup(name), *new_value = strdup(value);

	free(text->name);
	free(text->value);
	*text = (struct reference_text){owner, id, new_name, new_value};
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

static void forget_belongings(struct reference *reference, uint64_t owner)
{
	size_t i;

	forget_attributes(reference, owner);
	for (i = 0; i < reference->settings_count; i++)
		if (reference->settings[i].owner == owner)
			reference->settings[i].owner = 0;
	for (i = 0; i < reference->variables_count; i++)
		if (reference->variables[i].owner == owner) {
			forget_attributes(reference, reference->variables[i].id);
			reference->variables[i].owner = 0;
		}
}

static int remove_branch(struct reference *reference, uint64_t id, bool alias)
{
	struct reference_branch *branch = branch_by_id(reference, id, alias);

	if (!branch)
		return -ENOENT;
	forget_belongings(reference, id);
	branch->function = 0;
	return 0;
}

static int remove_function(struct reference *reference, const struct command *c)
{
	struct reference_function *function = function_by_id(reference, c->object);
	size_t i;

	if (!function)
		return -ENOENT;
	function->id = 0;
	forget_belongings(reference, c->object);
	for (i = 0; i < reference->branches_count; i++)
		if (reference->branches[i].function == c->object)
			remove_branch(reference, reference->branches[i].id,
			        reference->branches[i].routes != NULL);
	return 0;
}

static int set_setting(struct reference *reference, const struct command *c)
{
	struct reference_text *setting =
	        text_find(reference->settings, reference->settings_count, c->object, c->name);

	if (!function_by_id(reference, c->object) && !branch_by_id(reference, c->object, false) &&
	        !branch_by_id(reference, c->object, true))
		return -ENOENT;
	if (!c->value) {
		if (setting)
			setting->owner = 0;
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

	if (!function_by_id(reference, c->object) && !branch_by_id(reference, c->object, false))
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
		other->owner = 0;
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
	variable->owner = 0;
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

static int create_branch(struct reference *reference, const struct command *c, bool alias,
        struct command_result *result)
{
	struct reference_branch *branch;
	size_t i;

	if (!function_by_id(reference, c->object))
		return -ENOENT;
	if (branch_name_taken(reference, c->object, c->name, alias, 0))
		return -EEXIST;
	for (i = 0; i < reference->branches_count && reference->branches[i].function; i++)
		; /* the first free place */
	REQUIRE(i < REFERENCE_MOST);
	reference->branches_count += i == reference->branches_count;
	branch = &reference->branches[i];
	free(branch->name);
	free(branch->routes);
	free(branch->previous);
	*branch = (struct reference_branch){c->object, ++reference->last_id, strdup(c->name),
	        c->time_us, .routes = alias ? strdup(c->value) : NULL,
	        .previous = alias ? strdup("") : NULL, .generation = 1};
	result->object = branch->id;
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t left = (*(struct reference_text *const *)a)->id;
	uint64_t right = (*(struct reference_text *const *)b)->id;

	return left < right ? -1 : left > right;
}

static void copy_variables(struct reference *reference, uint64_t from, uint64_t to)
{
	static struct reference_text *originals[REFERENCE_MOST];
	size_t count = 0, i;

	for (i = 0; i < reference->variables_count; i++)
		if (reference->variables[i].owner == from)
			originals[count++] = &reference->variables[i];
	qsort(originals, count, sizeof(*originals), compare_ids);
	for (i = 0; i < count; i++)
		put_text(text_place(reference->variables, &reference->variables_count), to,
		        ++reference->last_id, originals[i]->name, originals[i]->value);
}

static int begin_version(
        struct reference *reference, const struct command *c, struct command_result *result)
{
	int r = create_branch(reference, c, false, result);
	size_t i, count = reference->settings_count;

	if (r < 0)
		return r;
	for (i = 0; i < count; i++) {
		const struct reference_text *setting = &reference->settings[i];

		if (setting->owner == c->object && strcmp(setting->name, "min_instances") != 0)
			put_text(text_place(reference->settings, &reference->settings_count),
			        result->object, 0, setting->name, setting->value);
	}
	copy_variables(reference, c->object, result->object);
	return 0;
}

static int finish_version(struct reference *reference, const struct command *c)
{
	struct reference_branch *version = branch_by_id(reference, c->object, false);

	if (!version || version->finished)
		return -ENOENT;
	version->finished = true;
	version->snapshot = c->snapshot;
	return 0;
}

static int sweep_versions(struct reference *reference)
{
	size_t i;

	for (i = 0; i < reference->branches_count; i++)
		if (reference->branches[i].function && !reference->branches[i].routes &&
		        !reference->branches[i].finished)
			remove_branch(reference, reference->branches[i].id, false);
	return 0;
}

static int rename_alias(struct reference *reference, const struct command *c)
{
	struct reference_branch *alias = branch_by_id(reference, c->object, true);

	if (!alias)
		return -ENOENT;
	if (branch_name_taken(reference, alias->function, c->name, true, c->object))
		return -EEXIST;
	free(alias->name);
	alias->name = strdup(c->name);
	return 0;
}

static int route_alias(struct reference *reference, const struct command *c)
{
	struct reference_branch *alias = branch_by_id(reference, c->object, true);

	if (!alias)
		return -ENOENT;
	free(alias->previous);
	alias->previous = alias->routes;
	alias->routes = strdup(c->value);
	alias->generation++;
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
	case COMMAND_VERSION_BEGIN:
		return begin_version(reference, command, result);
	case COMMAND_VERSION_FINISH:
		return finish_version(reference, command);
	case COMMAND_VERSION_REMOVE:
		return remove_branch(reference, command->object, false);
	case COMMAND_VERSIONS_SWEEP:
		return sweep_versions(reference);
	case COMMAND_ALIAS_CREATE:
		return create_branch(reference, command, true, result);
	case COMMAND_ALIAS_RENAME:
		return rename_alias(reference, command);
	case COMMAND_ALIAS_ROUTE:
		return route_alias(reference, command);
	case COMMAND_ALIAS_REMOVE:
		return remove_branch(reference, command->object, true);
	/* Packages and tokens have tests of their own, over the model (tests/model/). */
	case COMMAND_PACKAGE_CREATE:
	case COMMAND_PACKAGE_RENAME:
	case COMMAND_PACKAGE_OWN:
	case COMMAND_PACKAGE_DESCRIBE:
	case COMMAND_PACKAGE_SOURCE:
	case COMMAND_PACKAGE_PUBLISH:
	case COMMAND_PACKAGE_WITHDRAW:
	case COMMAND_PACKAGE_REMOVE:
	case COMMAND_DEPENDENCY_BIND:
	case COMMAND_DEPENDENCY_RENAME:
	case COMMAND_DEPENDENCY_UNBIND:
	/* And builds theirs (tests/engine/builds_test.c). */
	case COMMAND_BUILD_KEEP:
	case COMMAND_BUILD_USE:
	case COMMAND_BUILD_DROP:
	case COMMAND_TOKEN_CREATE:
	case COMMAND_TOKEN_SET:
	case COMMAND_TOKEN_RENAME:
	case COMMAND_TOKEN_REMOVE:
	/* So have topics and triggers (tests/model/trigger_test.c). */
	case COMMAND_TOPIC_CREATE:
	case COMMAND_TOPIC_RENAME:
	case COMMAND_TOPIC_OWN:
	case COMMAND_TOPIC_COUNT:
	case COMMAND_TOPIC_REMOVE:
	case COMMAND_TRIGGER_CREATE:
	case COMMAND_TRIGGER_RENAME:
	case COMMAND_TRIGGER_TARGET:
	case COMMAND_TRIGGER_FIRED:
	case COMMAND_TRIGGER_REMOVE:
	case COMMAND_SOURCE_CREATE:
	case COMMAND_SOURCE_SET:
	case COMMAND_SOURCE_REMOVE:
	case COMMAND_WATCHED_SET:
	case COMMAND_WATCHED_FORGET:
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

static int print_version(void *out, const struct store_version_row *row)
{
	int i;

	buf_printf(out, "version %" PRIu64 " %" PRIu64 " %s %" PRId64, row->function, row->id,
	        row->name, row->created_us);
	for (i = 0; row->snapshot && i < STORE_SNAPSHOT_ID_SIZE; i++)
		buf_printf(out, "%s%02x", i ? "" : " ", row->snapshot->root[i]);
	if (row->snapshot)
		buf_printf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
		        row->snapshot->files, row->snapshot->directories, row->snapshot->bytes,
		        row->snapshot->added_bytes);
	buf_puts(out, "\n");
	return 0;
}

static int print_alias(void *out, const struct store_alias_row *row)
{
	buf_printf(out, "alias %" PRIu64 " %" PRIu64 " %s %" PRId64 " '%s' '%s' %" PRIu64 "\n",
	        row->function, row->id, row->name, row->created_us, row->routes, row->previous,
	        row->generation);
	return 0;
}

static void print_branch(struct buf *out, const struct reference_branch *branch)
{
	if (!branch->function)
		return;
	if (branch->routes)
		print_alias(out, &(struct store_alias_row){branch->id, branch->function,
		                         branch->name, branch->routes, branch->previous,
		                         branch->generation, branch->time_us});
	else
		print_version(
		        out, &(struct store_version_row){branch->id, branch->function, branch->name,
		                     branch->finished ? &branch->snapshot : NULL, branch->time_us});
}

static int print_setting(void *out, uint64_t owner, const char *name, const char *value)
{
	buf_printf(out, "setting %" PRIu64 " %s %s\n", owner, name, value);
	return 0;
}

static int print_variable(
        void *out, uint64_t owner, uint64_t id, const char *key, const char *value)
{
	buf_printf(out, "variable %" PRIu64 " %" PRIu64 " %s %s\n", owner, id, key, value);
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
	static char *lines[5 * REFERENCE_MOST];
	char *whole = buf_take(text), *state = NULL, *line;
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
	for (i = 0; i < reference->branches_count; i++)
		print_branch(out, &reference->branches[i]);
	for (i = 0; i < reference->settings_count; i++)
		if (reference->settings[i].owner)
			print_setting(out, reference->settings[i].owner,
			        reference->settings[i].name, reference->settings[i].value);
	for (i = 0; i < reference->variables_count; i++)
		if (reference->variables[i].owner)
			print_variable(out, reference->variables[i].owner,
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
		r = store_each_version(store, print_version, out);
	if (r == 0)
		r = store_each_alias(store, print_alias, out);
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
	uint64_t back = test_random(state) % (test_random(state) % 2 ? 24 : 160);

	return back > newest ? 0 : newest + 1 - back; /* newest + 1 is nobody yet */
}

void random_command(uint64_t seed, uint64_t number, uint64_t newest, struct command *command,
        struct buf texts[2])
{
	uint64_t state = seed ^ (number * UINT64_C(0x2545f4914f6cdd1d));
	/* Creations and variables come more often than others, or little would ever exist. */
	static const enum command_kind kinds[] = {COMMAND_FUNCTION_CREATE, COMMAND_FUNCTION_RENAME,
	        COMMAND_FUNCTION_OWN, COMMAND_FUNCTION_REMOVE, COMMAND_SETTING_SET,
	        COMMAND_VARIABLE_RENAME, COMMAND_VARIABLE_RENAME, COMMAND_VARIABLE_RENAME,
	        COMMAND_VARIABLE_UNSET, COMMAND_VARIABLE_UNSET, COMMAND_VARIABLE_SET,
	        COMMAND_VARIABLE_SET, COMMAND_VARIABLE_RENAME, COMMAND_VARIABLE_UNSET,
	        COMMAND_ATTRIBUTES_SET, COMMAND_ATTRIBUTES_FORGET, COMMAND_FUNCTION_CREATE,
	        COMMAND_FUNCTION_CREATE, COMMAND_VARIABLE_SET, COMMAND_VARIABLE_SET,
	        COMMAND_SETTING_SET, COMMAND_ATTRIBUTES_SET, COMMAND_VERSION_BEGIN,
	        COMMAND_VERSION_BEGIN, COMMAND_VERSION_FINISH, COMMAND_VERSION_FINISH,
	        COMMAND_VERSION_REMOVE, COMMAND_ALIAS_CREATE, COMMAND_ALIAS_CREATE,
	        COMMAND_ALIAS_RENAME, COMMAND_ALIAS_ROUTE, COMMAND_ALIAS_ROUTE,
	        COMMAND_ALIAS_REMOVE};
	size_t count = sizeof(kinds) / sizeof(*kinds);
	enum command_kind kind = kinds[test_random(&state) % count];
	unsigned i, length;

	if (kind == COMMAND_ALIAS_REMOVE && test_random(&state) % 4 == 0)
		kind = COMMAND_VERSIONS_SWEEP;
	*command = (struct command){.kind = kind};
	command->object = random_id(&state, newest);
	command->child = random_id(&state, newest);
	if (test_random(&state) % 4) /* more likely one of its own */
		command->child = command->object + 1 + test_random(&state) % 4;
	command->ino = (test_random(&state) % 4 + 1) << 48 | random_id(&state, newest);
	random_text(&state, &texts[0], "name", 12);
	if (command->kind == COMMAND_SETTING_SET && test_random(&state) % 4 == 0) {
		buf_clear(&texts[0]);
		buf_puts(&texts[0], "min_instances"); /* the one that is not copied */
	}
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
	for (i = 0; i < STORE_SNAPSHOT_ID_SIZE; i++)
		command->snapshot.root[i] = (unsigned char)test_random(&state);
	command->snapshot.files = test_random(&state) >> 1;
	command->snapshot.added_bytes = test_random(&state) >> 1;
	command->durable = test_random(&state) % 8 == 0;
}

static void aim_at_branch(
        const struct reference *reference, struct command *command, bool alias, uint64_t at)
{
	size_t i;

	for (i = 0; i < reference->branches_count; i++) {
		const struct reference_branch *branch =
		        &reference->branches[(at + i) % reference->branches_count];

		if (branch->function && !branch->routes == !alias) {
			command->object = branch->id;
			return;
		}
	}
}

static void aim_at_variable(const struct reference *reference, struct command *command, uint64_t at)
{
	const struct reference_text *variable;
	size_t i;

	for (i = 0; i < reference->variables_count; i++) {
		variable = &reference->variables[(at + i) % reference->variables_count];
		if (variable->owner) {
			command->object = variable->owner;
			command->child = variable->id;
			return;
		}
	}
}

void reference_aim(const struct reference *reference, struct command *command, uint64_t at)
{
	switch (command->kind) {
	case COMMAND_VARIABLE_RENAME:
	case COMMAND_VARIABLE_UNSET:
		aim_at_variable(reference, command, at);
		break;
	case COMMAND_VERSION_FINISH:
	case COMMAND_VERSION_REMOVE:
		aim_at_branch(reference, command, false, at);
		break;
	case COMMAND_ALIAS_RENAME:
	case COMMAND_ALIAS_ROUTE:
	case COMMAND_ALIAS_REMOVE:
		aim_at_branch(reference, command, true, at);
		break;
	default:
		if (reference->functions_count)
			command->object = reference->functions[at % reference->functions_count].id;
	}
}
