/* SPDX-License-Identifier: Apache-2.0 */
/* Lambda's words for what exists, and ours. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "gateway/lambda.h"

#define ARN "arn:aws:lambda:local:000000000000:function:"

/* Lambda's runtimes, by how their names begin; what is not here is one of ours, or none. */
static const struct runtime_row {
	const char *theirs, *ours;
} runtimes[] = {{"python3", "python"}, {"nodejs", "nodejs"}, {"provided", "bootstrap"}};

const char *lambda_version_ours(const char *version)
{
	return strcmp(version, "$LATEST") == 0 ? "latest" : version;
}

const char *lambda_version_theirs(const char *version)
{
	return strcmp(version, "latest") == 0 ? "$LATEST" : version;
}

static const char *runtime_ours(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (strncmp(name, runtimes[i].theirs, strlen(runtimes[i].theirs)) == 0)
			return runtimes[i].ours;
	return name;
}

static const char *runtime_theirs(const char *name)
{
	if (strcmp(name, "bootstrap") == 0)
		return "provided.al2023";
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (strcmp(name, runtimes[i].ours) == 0)
			return runtimes[i].theirs;
	return name;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int refuse(struct buf *why, const char *name, const char *what)
{
	buf_clear(why);
	buf_printf(why, "%s %s", name, what);
	return -EINVAL;
}

static int read_text(const cJSON *one, cJSON *out, const char *name, struct buf *why)
{
	if (!cJSON_IsString(one))
		return refuse(why, one->string, "is a text");
	cJSON_AddStringToObject(out, name, one->valuestring);
	return 0;
}

static int read_runtime(const cJSON *one, cJSON *out, const char *name, struct buf *why)
{
	if (!cJSON_IsString(one))
		return refuse(why, one->string, "is a text");
	cJSON_AddStringToObject(out, name, runtime_ours(one->valuestring));
	return 0;
}

static int read_number(
        const cJSON *one, cJSON *out, const char *name, const char *unit, struct buf *why)
{
	char text[40];

	if (!cJSON_IsNumber(one) || one->valuedouble < 1 || one->valuedouble > 1e9 ||
	        floor(one->valuedouble) != one->valuedouble)
		return refuse(why, one->string, "is a whole number");
	snprintf(text, sizeof(text), "%.0f%s", one->valuedouble, unit);
	cJSON_AddStringToObject(out, name, text);
	return 0;
}

static int read_seconds(const cJSON *one, cJSON *out, const char *name, struct buf *why)
{
	return read_number(one, out, name, "s", why);
}

static int read_megabytes(const cJSON *one, cJSON *out, const char *name, struct buf *why)
{
	return read_number(one, out, name, "M", why);
}

/* What may be said, and where it goes; without a way to read it, it says nothing here. */
static const struct member {
	const char *theirs, *ours;
	int (*read)(const cJSON *one, cJSON *out, const char *name, struct buf *why);
} members[] = {
        {"Runtime", "runtime", read_runtime},
        {"Handler", "handler", read_text},
        {"Description", "description", read_text},
        {"Timeout", "timeout", read_seconds},
        {"MemorySize", "memory", read_megabytes},
        {"FunctionName"},
        {"Role"},
        {"Code"},
        {"Publish"},
        {"Tags"},
        {"TracingConfig"},
        {"EphemeralStorage"},
        {"Architectures"},
        {"PackageType"},
        {"Environment"},
        {"RevisionId"},
};

static const struct member *member_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (strcmp(members[i].theirs, name) == 0)
			return &members[i];
	return NULL;
}

/* Empty lists and objects ask for nothing. */
static bool asks_for_nothing(const cJSON *one)
{
	const cJSON *inner;

	cJSON_ArrayForEach(inner, one) {
		if (!asks_for_nothing(inner))
			return false;
	}
	return cJSON_IsNull(one) || cJSON_IsArray(one) || cJSON_IsObject(one);
}

static int read_member(const cJSON *one, cJSON *config, struct buf *why)
{
	const struct member *member = member_of(one->string);

	if (cJSON_IsNull(one) || (!member && asks_for_nothing(one)))
		return 0;
	if (!member)
		return refuse(why, one->string, "is not understood here");
	if (strcmp(one->string, "PackageType") == 0 &&
	        strcmp(one->valuestring ? one->valuestring : "", "Zip") != 0)
		return refuse(
		        why, one->string, "is Zip: for an image, write its name to config/image");
	return member->read ? member->read(one, config, member->ours, why) : 0;
}

static int read_environment(const cJSON *body, cJSON *parameters, struct buf *why)
{
	const cJSON *environment = cJSON_GetObjectItemCaseSensitive(body, "Environment");
	const cJSON *variables = cJSON_GetObjectItemCaseSensitive(environment, "Variables"), *one;
	cJSON *out;

	if (!cJSON_IsObject(environment))
		return 0;
	if (variables && !cJSON_IsObject(variables))
		return refuse(why, "Environment", "has Variables, an object");
	out = cJSON_AddObjectToObject(parameters, "env");
	cJSON_ArrayForEach(one, variables) {
		if (!cJSON_IsString(one))
			return refuse(
			        why, one->string, "is the name of a variable: its value is a text");
		cJSON_AddStringToObject(out, one->string, one->valuestring);
	}
	return 0;
}

int lambda_read_function(const cJSON *body, cJSON *parameters, struct buf *why)
{
	cJSON *config = cJSON_AddObjectToObject(parameters, "config");
	const char *revision = json_string(body, "RevisionId", NULL);
	const cJSON *one;
	int r = 0;

	cJSON_ArrayForEach(one, body) {
		if (r == 0)
			r = read_member(one, config, why);
	}
	if (revision)
		cJSON_AddStringToObject(parameters, "revision", revision);
	if (json_bool(body, "Publish", 0))
		cJSON_AddTrueToObject(parameters, "publish");
	return r < 0 ? r : read_environment(body, parameters, why);
}

int lambda_read_archive(const cJSON *code, struct buf *archive, struct buf *why)
{
	const cJSON *zip = cJSON_GetObjectItemCaseSensitive(code, "ZipFile"), *one;

	if (!cJSON_IsObject(code))
		return refuse(why, "Code", "is needed, an object");
	cJSON_ArrayForEach(one, code) {
		if (strncmp(one->string, "S3", 2) == 0 || strcmp(one->string, "ImageUri") == 0)
			return refuse(
			        why, one->string, "is not understood here: code comes as ZipFile");
	}
	if (!cJSON_IsString(zip))
		return refuse(why, "ZipFile", "is needed");
	if (base64_decode(zip->valuestring, strlen(zip->valuestring), archive) < 0)
		return refuse(why, "ZipFile", "is no Base64");
	if (archive->length < 4 || memcmp(archive->data, "PK", 2) != 0)
		return refuse(why, "Could not unzip uploaded file:", "it is no zip archive");
	if (archive->length > 50 << 20)
		return refuse(why, "ZipFile", "is larger than 52428800 bytes");
	return 0;
}

int lambda_read_alias(const cJSON *body, cJSON *parameters, struct buf *why)
{
	static const struct {
		const char *theirs, *ours;
	} texts[] = {{"Name", "alias"}, {"Description", "description"}, {"RevisionId", "revision"}};
	const char *version = json_string(body, "FunctionVersion", NULL);
	const cJSON *routing = cJSON_GetObjectItemCaseSensitive(body, "RoutingConfig"), *one,
	            *given;
	cJSON *weights;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (json_string(body, texts[i].theirs, NULL))
			cJSON_AddStringToObject(
			        parameters, texts[i].ours, json_string(body, texts[i].theirs, ""));
	if (version)
		cJSON_AddStringToObject(parameters, "version", lambda_version_ours(version));
	if (!cJSON_IsObject(routing))
		return 0;
	given = cJSON_GetObjectItemCaseSensitive(routing, "AdditionalVersionWeights");
	if (given && !cJSON_IsObject(given))
		return refuse(why, "AdditionalVersionWeights", "is an object");
	weights = cJSON_AddObjectToObject(parameters, "weights");
	cJSON_ArrayForEach(one, given) {
		if (!cJSON_IsNumber(one))
			return refuse(why, "AdditionalVersionWeights", "are numbers from 0 to 1");
		cJSON_AddNumberToObject(
		        weights, lambda_version_ours(one->string), one->valuedouble);
	}
	return 0;
}

/* --- describing ------------------------------------------------------------------------------- */

static void put_arn(cJSON *out, const char *name, const char *function, const char *qualifier)
{
	char arn[256];

	snprintf(arn, sizeof(arn), ARN "%s%s%s", function, *qualifier ? ":" : "", qualifier);
	cJSON_AddStringToObject(out, name, arn);
}

static void put_time(cJSON *out, const char *name, double time_us)
{
	time_t seconds = (time_t)(time_us / 1e6);
	char text[64], whole[40] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03d+0000", whole, (int)(fmod(time_us, 1e6) / 1e3));
	cJSON_AddStringToObject(out, name, text);
}

static void put_machine(cJSON *out)
{
#if defined(__aarch64__)
	static const char machine[] = "arm64";
#else
	static const char machine[] = "x86_64";
#endif

	cJSON_AddItemToArray(
	        cJSON_AddArrayToObject(out, "Architectures"), cJSON_CreateString(machine));
}

static void put_state(cJSON *out, const char *state)
{
	bool broken = strcmp(state, "broken") == 0;

	cJSON_AddStringToObject(out, "State", broken ? "Failed" : "Active");
	if (broken) {
		cJSON_AddStringToObject(out, "StateReason", "the code does not load: see status");
		cJSON_AddStringToObject(out, "StateReasonCode", "FunctionError");
	}
	cJSON_AddStringToObject(out, "LastUpdateStatus", "Successful");
}

static void put_environment(cJSON *out, const cJSON *env)
{
	cJSON *environment;

	if (!cJSON_IsObject(env) || !env->child)
		return;
	environment = cJSON_AddObjectToObject(out, "Environment");
	cJSON_AddItemToObject(environment, "Variables", cJSON_Duplicate(env, true));
}

cJSON *lambda_function(const cJSON *described)
{
	const char *name = json_string(described, "name", "");
	const char *version = json_string(described, "version", "latest");
	const char *digest = json_string(described, "sha256", NULL);
	cJSON *out = cJSON_CreateObject();

	cJSON_AddStringToObject(out, "FunctionName", name);
	put_arn(out, "FunctionArn", name, strcmp(version, "latest") == 0 ? "" : version);
	cJSON_AddStringToObject(
	        out, "Runtime", runtime_theirs(json_string(described, "runtime", "")));
	cJSON_AddStringToObject(out, "Role", "arn:aws:iam::000000000000:role/fnfs");
	cJSON_AddStringToObject(out, "Handler", json_string(described, "handler", ""));
	cJSON_AddNumberToObject(out, "CodeSize", json_number(described, "code_bytes", 0));
	cJSON_AddStringToObject(out, "Description", json_string(described, "description", ""));
	cJSON_AddNumberToObject(
	        out, "Timeout", ceil(json_number(described, "timeout_ms", 0) / 1000));
	cJSON_AddNumberToObject(
	        out, "MemorySize", floor(json_number(described, "memory_bytes", 0) / (1 << 20)));
	put_time(out, "LastModified", json_number(described, "changed_us", 0));
	if (digest)
		cJSON_AddStringToObject(out, "CodeSha256", digest);
	cJSON_AddStringToObject(out, "Version", lambda_version_theirs(version));
	put_environment(out, cJSON_GetObjectItemCaseSensitive(described, "env"));
	cJSON_AddStringToObject(out, "RevisionId", json_string(described, "revision", ""));
	put_state(out, json_string(described, "state", ""));
	cJSON_AddStringToObject(out, "PackageType", "Zip");
	put_machine(out);
	return out;
}

cJSON *lambda_alias(const cJSON *described)
{
	const char *name = json_string(described, "name", "");
	const cJSON *route;
	cJSON *out = cJSON_CreateObject(), *weights = NULL;
	bool first = true;

	put_arn(out, "AliasArn", json_string(described, "function", ""), name);
	cJSON_AddStringToObject(out, "Name", name);
	cJSON_AddStringToObject(out, "Description", json_string(described, "description", ""));
	cJSON_ArrayForEach(route, cJSON_GetObjectItemCaseSensitive(described, "routes")) {
		const cJSON *version = cJSON_GetArrayItem(route, 0);
		const cJSON *weight = cJSON_GetArrayItem(route, 1);

		if (!cJSON_IsString(version) || !cJSON_IsNumber(weight) || weight->valuedouble <= 0)
			continue;
		if (first) {
			cJSON_AddStringToObject(out, "FunctionVersion",
			        lambda_version_theirs(version->valuestring));
			first = false;
			continue;
		}
		if (!weights)
			weights = cJSON_AddObjectToObject(
			        cJSON_AddObjectToObject(out, "RoutingConfig"),
			        "AdditionalVersionWeights");
		cJSON_AddNumberToObject(
		        weights, lambda_version_theirs(version->valuestring), weight->valuedouble);
	}
	cJSON_AddStringToObject(out, "RevisionId", json_string(described, "revision", ""));
	return out;
}
