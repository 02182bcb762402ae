/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/config.h"

#include <errno.h>
#include <string.h>

#include "base/caller.h"
#include "base/cleanup.h"
#include "engine/engine.h"
#include "fs/row.h"
#include "model/version.h"
#include "run/outbound.h"
#include "run/runtime.h"

enum { IMAGE_USER_FULL = 240 };

struct settings *config_settings(const struct subject *subject)
{
	return subject->version ? &subject->version->settings : &subject->function->settings;
}

int config_show(const struct subject *subject, struct buf *out)
{
	config_show_value(
	        &config_settings(subject)->config, (enum config_key)subject->row->key, out);
	buf_puts(out, "\n");
	return 0;
}

/* A function on the host's network reaches what listens on this machine only: not for everybody. */
static int check_network(const struct subject *subject, const char *text, struct buf *why)
{
	struct config changed = config_settings(subject)->config;
	uid_t uid = subject->caller.uid;
	int r = config_parse(&changed, CONFIG_NETWORK, text, why);

	if (r < 0)
		return r;
	if (changed.network == NETWORK_OUTBOUND && !outbound_find()) {
		buf_puts(why, OUTBOUND_NEEDS);
		return -EOPNOTSUPP;
	}
	if (changed.network == config_settings(subject)->config.network ||
	        changed.network != NETWORK_HOST)
		return 0;
	if (uid == 0 || uid == engine_owner(subject->engine))
		return 0;
	buf_puts(
	        why, "only root and the owner of the mount can give a function the host's network");
	return -EPERM;
}

static int check_runtime(const struct subject *subject, const char *text, struct buf *why)
{
	struct config changed = config_settings(subject)->config;
	int r = config_parse(&changed, CONFIG_RUNTIME, text, why);

	if (r < 0)
		return r;
	if (strcmp(changed.runtime, "auto") == 0 ||
	        runtimes_find(engine_runtimes(subject->engine), changed.runtime))
		return 0;
	buf_printf(why, "there is no runtime %s here; `ls runtimes` shows what there is",
	        changed.runtime);
	return -EINVAL;
}

/* An image is pulled with the rights of whoever named it: they are kept beside the name. */
static int keep_user(const struct subject *subject, struct buf *why)
{
	const struct caller *caller = &subject->caller;
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	CLEANUP(free_p) gid_t *groups = NULL;
	size_t count = 0;
	int r = caller_groups(caller, &groups, &count);

	if (r < 0)
		return r;
	buf_printf(&text, "%u %u", (unsigned)caller->uid, (unsigned)caller->gid);
	for (size_t i = 0; i < count && text.length < IMAGE_USER_FULL; i++)
		buf_printf(&text, " %u", (unsigned)groups[i]);
	if (text.failed)
		return -ENOMEM;
	return settings_set(config_settings(subject), CONFIG_IMAGE_USER, text.data, why);
}

static int check_image(const struct subject *subject, const char *text, struct buf *why)
{
	struct config changed = config_settings(subject)->config;
	int r = config_parse(&changed, CONFIG_IMAGE, text, why);

	/* Before the name: what it says is never pulled with the rights of who wrote another. */
	return r < 0 || subject->version ? r : keep_user(subject, why);
}

int config_set(const struct subject *subject, const char *text, struct buf *why)
{
	enum config_key key = (enum config_key)subject->row->key;
	int r = 0;

	if (key == CONFIG_NETWORK)
		r = check_network(subject, text, why);
	else if (key == CONFIG_RUNTIME)
		r = check_runtime(subject, text, why);
	else if (key == CONFIG_IMAGE)
		r = check_image(subject, text, why);
	return r < 0 ? r : settings_set(config_settings(subject), key, text, why);
}
