/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "engine/build_job.h"
#include "model/function.h"
#include "model/version.h"
#include "run/deployment.h"

#define MEMORY_BYTES (INT64_C(2) << 30) /* unless the function has more */

struct build_spec *build_spec_free(struct build_spec *spec)
{
	if (!spec)
		return NULL;
	deployment_free_environment(spec->environment);
	free(spec->label);
	free(spec->command);
	free(spec);
	return NULL;
}

struct build_spec *build_spec_new(const struct settings *settings)
{
	const struct function *function = settings->function;
	const struct config *config = &settings->config;
	struct build_spec *spec = calloc(1, sizeof(*spec));

	if (!spec)
		return NULL;
	*spec = (struct build_spec){
	        .function = function->id,
	        .uid = function->uid,
	        .gid = function->gid,
	        .label = strdup(settings->version ? settings->version->name : "latest"),
	        .command = strdup(config->build),
	        .environment = deployment_build_environment(settings),
	        .memory_bytes =
	                config->memory_bytes > MEMORY_BYTES ? config->memory_bytes : MEMORY_BYTES,
	        .cpu_millicores = config->cpu_millicores,
	        .network = config->network,
	};
	return spec->label && spec->command && spec->environment ? spec : build_spec_free(spec);
}
