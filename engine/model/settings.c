/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One setting at a time: judged (model/config.h), stored as its canonical text, and only then shown. What
 * says the same in other words changes nothing and tells nobody.
 */
#include "model/settings.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "model/dependency.h"
#include "model/functions_private.h"
#include "model/version.h"
#include "model/why.h"
#include "store/store.h"

void settings_init(struct settings *settings, struct function *function, struct version *version)
{
	*settings =
	        (struct settings){.config_generation = 1, .function = function, .version = version};
	list_init(&settings->variables);
	config_defaults(&settings->config);
}

void settings_deinit(struct settings *settings)
{
	struct functions *functions = settings->function->functions;
	struct packages *packages = functions->packages;

	dependency_copies_drop(settings->copies);
	if (packages && settings->owner && !functions->unloading)
		dependency_forget_owner(packages, settings->owner);
	settings_variables_free(settings);
}

int settings_copy_dependencies(
        struct settings *settings, const struct settings *from, struct buf *why)
{
	struct packages *packages = settings->function->functions->packages;

	return packages ? dependency_copies_new(&settings->copies, packages, from->owner, why) : 0;
}

void settings_own(struct settings *settings, uint64_t owner)
{
	size_t variables;

	settings->owner = owner;
	variables = settings_own_variables(settings);
	if (settings->copies)
		dependency_copies_keep(take(settings->copies), owner, owner + variables + 1);
}

void settings_changed(struct settings *settings, int key)
{
	struct function *function = settings->function;
	struct functions *functions = function->functions;

	if (key < 0 || config_redeploys((enum config_key)key))
		settings->config_generation++;
	if (settings->version) {
		if (functions->events.version_configured)
			functions->events.version_configured(
			        functions->userdata, settings->version, key);
		return;
	}
	if (functions->events.configured)
		functions->events.configured(functions->userdata, function, key);
}

int settings_copy(struct settings *settings, const struct settings *from)
{
	struct config fresh;

	config_defaults(&fresh);
	settings->config = from->config;
	settings->config.min_instances = fresh.min_instances;
	return settings_copy_variables(settings, from);
}

/* Both as canonical texts; the new one is taken over into `now`. */
static int compare(const struct config *old, const struct config *changed, enum config_key key,
        struct buf *now, bool *same)
{
	struct buf before = BUF_INIT;
	bool failed;

	config_format(old, key, &before);
	buf_puts(&before, "");
	config_format(changed, key, now);
	buf_puts(now, "");
	failed = before.failed || now->failed;
	*same = !failed && strcmp(before.data, now->data) == 0;
	buf_deinit(&before);
	return failed ? fail(-ENOMEM, "setting %s", config_key_name(key)) : 0;
}

int settings_check_writable(
        const struct settings *settings, const char *what, bool stays, struct buf *why)
{
	if (!settings->version || stays)
		return 0;
	why_say(why,
	        "%s belongs to version %s, which does not change; only min_instances, "
	        "max_instances, "
	        "idle_timeout and description do",
	        what, settings->version->name);
	return -EROFS;
}

static int store_setting(
        struct settings *settings, const struct config *changed, enum config_key key)
{
	struct buf text = BUF_INIT;
	bool same = false;
	int r = compare(&settings->config, changed, key, &text, &same);

	if (r == 0 && !same) {
		struct command command = {COMMAND_SETTING_SET, .object = settings->owner,
		        .name = config_key_name(key), .value = text.length ? text.data : NULL};

		r = store_apply(settings->function->functions->store, &command, NULL);
		if (r == 0)
			r = 1;
	}
	buf_deinit(&text);
	return r;
}

int settings_pin_image(struct settings *settings, const char *name)
{
	struct config changed = settings->config;
	int r = config_load(&changed, CONFIG_IMAGE, name);

	if (r == 0)
		r = store_setting(settings, &changed, CONFIG_IMAGE);
	if (r > 0)
		settings->config = changed;
	return r < 0 ? r : 0;
}

int settings_set(struct settings *settings, enum config_key key, const char *text, struct buf *why)
{
	struct config changed = settings->config;
	int r = settings_check_writable(
	        settings, config_key_name(key), config_stays_writable(key), why);

	if (r == 0)
		r = config_parse(&changed, key, text, why);
	if (r < 0)
		return r;
	r = store_setting(settings, &changed, key);
	if (r < 0)
		return why_store(why, r);
	if (r > 0) {
		settings->config = changed;
		settings_changed(settings, key);
	}
	return 0;
}
