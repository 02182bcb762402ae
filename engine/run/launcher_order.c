/* SPDX-License-Identifier: Apache-2.0 */
#include "run/launcher_order.h"

#include <inttypes.h>
#include <stdio.h>

#include "run/guardian_message.h"

enum { NAME_MAX_LENGTH = 48 };

static const char *const none[] = {NULL};

char *order_group(const char *name, uint64_t id)
{
	char clean[NAME_MAX_LENGTH + 1];
	size_t length = 0;
	char *group;

	for (; *name && length < NAME_MAX_LENGTH; name++)
		if ((*name >= '0' && *name <= '9') || (*name >= 'a' && *name <= 'z') ||
		        (*name >= 'A' && *name <= 'Z') || *name == '-')
			clean[length++] = *name;
	clean[length] = 0;
	return asprintf(&group, "%s%s%" PRIu64, clean, length ? "." : "", id) < 0 ? NULL : group;
}

static uint32_t count_strings(const char *const *strings)
{
	uint32_t count = 0;

	while (strings[count])
		count++;
	return count;
}

static void write_strings(struct buf *out, const char *const *strings)
{
	for (; *strings; strings++)
		message_string(out, *strings);
}

void order_write_start(
        struct buf *out, uint64_t process, const char *group, const struct launch *launch)
{
	const char *const *layers = launch->layers ? launch->layers : none;
	const char *const *zygote = launch->taken && launch->zygote ? launch->zygote : none;
	const struct message_start numbers = {
	        .function_id = launch->function_id,
	        .memory_bytes = launch->memory_bytes,
	        .uid = launch->uid,
	        .gid = launch->gid,
	        .cpu_millicores = launch->cpu_millicores,
	        .max_processes = launch->max_processes,
	        .host_network = launch->host_network,
	        .image = launch->image,
	        .inside_uid = launch->inside_uid,
	        .inside_gid = launch->inside_gid,
	        .writable = launch->writable,
	        .outbound = launch->outbound,
	        .parks = launch->taken,
	        .sockets = launch->sockets,
	        .layers = count_strings(layers),
	        .arguments = count_strings(launch->argv),
	        .variables = count_strings(launch->environment),
	        .zygote = count_strings(zygote),
	};

	message_begin(out, MESSAGE_START, process);
	buf_append(out, &numbers, sizeof(numbers));
	message_string(out, group);
	message_string(out, launch->image ? launch->image : launch->code_path);
	message_string(out, launch->runtime_path ? launch->runtime_path : "");
	message_string(out, launch->working_directory);
	write_strings(out, layers);
	write_strings(out, launch->argv);
	write_strings(out, launch->environment);
	write_strings(out, zygote);
}

void order_write_run(
        struct buf *out, uint64_t process, const char *group, const struct errand *errand)
{
	const struct message_run numbers = {
	        .memory_bytes = errand->memory_bytes,
	        .uid = errand->uid,
	        .gid = errand->gid,
	        .max_processes = errand->max_processes,
	        .errors = errand->directory < 0,
	        .groups = (uint32_t)errand->group_count,
	        .arguments = count_strings(errand->argv),
	        .variables = count_strings(errand->environment),
	};

	message_begin(out, MESSAGE_RUN, process);
	buf_append(out, &numbers, sizeof(numbers));
	buf_append(out, errand->groups, errand->group_count * sizeof(*errand->groups));
	message_string(out, group);
	write_strings(out, errand->argv);
	write_strings(out, errand->environment);
}
