/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/image_manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/json.h"

enum { JSON_MOST = 4 << 20, INDEX_DEPTH = 4, DIGITS = 64 };

#define BLOBS "blobs/sha256/"

struct reading {
	struct image_manifest *manifest;
	struct image_source *source;
	struct report *report;
	struct sha256 *hash;
};

static const struct {
	const char *machine, *name;
} architectures[] = {
        {"x86_64", "amd64"},
        {"aarch64", "arm64"},
        {"armv7l", "arm"},
        {"armv6l", "arm"},
        {"i686", "386"},
        {"loongarch64", "loong64"},
};

const char *image_architecture(void)
{
	static struct utsname name;

	if (uname(&name) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (strcmp(architectures[i].machine, name.machine) == 0)
			return architectures[i].name;
	return name.machine; /* riscv64, ppc64le, s390x are called the same */
}

const char *image_digest_digits(const char *digest)
{
	if (strncmp(digest, "sha256:", 7) != 0 || strlen(digest) != 7 + DIGITS ||
	        strspn(digest + 7, "0123456789abcdef") != DIGITS)
		return NULL;
	return digest + 7;
}

static void write_digits(char out[IMAGE_DIGEST], const unsigned char hash[SHA256_SIZE])
{
	for (size_t i = 0; i < SHA256_SIZE; i++)
		sprintf(out + 2 * i, "%02x", hash[i]);
}

static void read_digits(unsigned char out[SHA256_SIZE], const char *digits)
{
	char two[3] = "";

	for (size_t i = 0; i < SHA256_SIZE; i++) {
		memcpy(two, digits + 2 * i, 2);
		out[i] = (unsigned char)strtoul(two, NULL, 16);
	}
}

static int damaged(struct reading *reading, const char *how)
{
	return report_refuse(reading->report, -EBADMSG, "the image is damaged: %s", how);
}

/* --- files of JSON ------------------------------------------------------------------------------ */

static int read_file(struct reading *reading, const char *name, struct buf *out)
{
	int error = image_source_read(reading->source, name, JSON_MOST, out);

	if (error == -ENOENT)
		return report_refuse(reading->report, -EBADMSG,
		        "the image is damaged: it has no file %.200s", name);
	return error;
}

static int parse(struct reading *reading, const struct buf *text, cJSON **out)
{
	*out = text->length ? cJSON_ParseWithLength(text->data, text->length) : NULL;
	return *out ? 0 : damaged(reading, "what should be JSON is none");
}

/* The file of a digest, whose content must have it. */
static int read_blob(struct reading *reading, const char *digest, struct buf *out)
{
	const char *digits = image_digest_digits(digest);
	char name[sizeof(BLOBS) + DIGITS], found[IMAGE_DIGEST];
	unsigned char hash[SHA256_SIZE];
	int error;

	if (!digits)
		return report_refuse(reading->report, -EBADMSG,
		        "the image is damaged, or of a kind not known here: %.100s is no digest by "
		        "SHA-256",
		        digest);
	snprintf(name, sizeof(name), BLOBS "%s", digits);
	error = read_file(reading, name, out);
	if (error)
		return error;
	sha256_of(reading->hash, out->data ? out->data : "", out->length, hash);
	write_digits(found, hash);
	return strcmp(found, digits) == 0 ? 0 : damaged(reading, "a file does not have its digest");
}

/* --- layers ------------------------------------------------------------------------------------- */

static int add_layer(struct reading *reading, const char *file)
{
	struct image_manifest *manifest = reading->manifest;
	struct image_layer *layer = &manifest->layers[manifest->layer_count];

	layer->file = strdup(file);
	if (!layer->file)
		return report_refuse(reading->report, -ENOMEM, "out of memory");
	manifest->layer_count++;
	return 0;
}

static int make_room(struct reading *reading, const cJSON *layers)
{
	int count = cJSON_IsArray(layers) ? cJSON_GetArraySize(layers) : -1;

	if (count < 0)
		return damaged(reading, "it has no list of layers");
	if (count > IMAGE_LAYERS_MOST)
		return report_refuse(reading->report, -EFBIG,
		        "the image has %d layers; at most %d are taken", count, IMAGE_LAYERS_MOST);
	reading->manifest->layers = calloc((size_t)count + 1, sizeof(struct image_layer));
	return reading->manifest->layers ? 0
	                                 : report_refuse(reading->report, -ENOMEM, "out of memory");
}

/* The configuration says what each layer has in it. */
static int take_hashes(struct reading *reading)
{
	struct image_manifest *manifest = reading->manifest;
	CLEANUP(json_delete_p) cJSON *config = NULL;
	const cJSON *list, *item;
	size_t i = 0;
	int error = parse(reading, &manifest->config, &config);

	if (error)
		return error;
	list = cJSON_GetObjectItemCaseSensitive(
	        cJSON_GetObjectItemCaseSensitive(config, "rootfs"), "diff_ids");
	if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != manifest->layer_count)
		return damaged(reading, "its configuration does not know its layers");
	cJSON_ArrayForEach(item, list) {
		const char *digits =
		        cJSON_IsString(item) ? image_digest_digits(item->valuestring) : NULL;

		if (!digits)
			return damaged(reading, "a layer has no digest by SHA-256");
		read_digits(manifest->layers[i++].hash, digits);
	}
	return 0;
}

/* --- an OCI layout ------------------------------------------------------------------------------ */

static int add_blobs(struct reading *reading, const cJSON *layers)
{
	const cJSON *layer;
	char name[sizeof(BLOBS) + DIGITS];
	int error = make_room(reading, layers);

	cJSON_ArrayForEach(layer, layers) {
		const char *digits = image_digest_digits(json_string(layer, "digest", ""));

		if (error)
			return error;
		if (!digits)
			return damaged(reading, "a layer has no digest by SHA-256");
		snprintf(name, sizeof(name), BLOBS "%s", digits);
		error = add_layer(reading, name);
	}
	return error;
}

static int take_manifest(struct reading *reading, const cJSON *json, const char *digest)
{
	const cJSON *config = cJSON_GetObjectItemCaseSensitive(json, "config");
	int error;

	if (!cJSON_IsObject(config))
		return report_refuse(reading->report, -EBADMSG,
		        "the image is of a kind not known here: its manifest has no configuration");
	strcpy(reading->manifest->digest, image_digest_digits(digest));
	error = add_blobs(reading, cJSON_GetObjectItemCaseSensitive(json, "layers"));
	if (!error)
		error = read_blob(
		        reading, json_string(config, "digest", ""), &reading->manifest->config);
	return error;
}

static bool is_for_us(const cJSON *entry)
{
	const cJSON *platform = cJSON_GetObjectItemCaseSensitive(entry, "platform");

	return strcmp(json_string(platform, "os", ""), "linux") == 0 &&
	       strcmp(json_string(platform, "architecture", ""), image_architecture()) == 0;
}

/* One for this machine; else the only one there is, whose configuration will tell. */
static int choose(struct reading *reading, const cJSON *index, const char **digest)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(index, "manifests"), *entry;
	const cJSON *chosen = NULL;
	int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0, ours = 0;

	cJSON_ArrayForEach(entry, list) {
		if (!cJSON_IsObject(entry))
			return damaged(reading, "its index is none");
		if (is_for_us(entry) && !ours++)
			chosen = entry;
	}
	if (ours > 1)
		return report_refuse(reading->report, -EINVAL,
		        "there are %d images in it; a function has one", ours);
	if (!chosen && count == 1)
		chosen = cJSON_GetArrayItem(list, 0);
	if (!count)
		return damaged(reading, "there is no image in it");
	if (!chosen)
		return report_refuse(reading->report, -EINVAL,
		        "there are %d images in it, and none is marked as for linux/%s", count,
		        image_architecture());
	*digest = json_string(chosen, "digest", "");
	return 0;
}

/* From index.json to the manifest, possibly over further indexes. */
static int read_layout(struct reading *reading, const struct buf *text)
{
	CLEANUP(json_delete_p) cJSON *json = NULL;
	CLEANUP(buf_deinit) struct buf blob = BUF_INIT;
	char digest[7 + IMAGE_DIGEST] = "";
	const char *next = "";
	int error = parse(reading, text, &json);

	for (int depth = 0; !error && depth < INDEX_DEPTH; depth++) {
		if (!cJSON_GetObjectItemCaseSensitive(json, "manifests"))
			return *digest ? take_manifest(reading, json, digest)
			               : damaged(reading, "its index.json names no image");
		error = choose(reading, json, &next);
		if (error)
			return error;
		snprintf(digest, sizeof(digest), "%s", next);
		cJSON_Delete(take(json));
		buf_clear(&blob);
		error = read_blob(reading, digest, &blob);
		if (!error)
			error = parse(reading, &blob, &json);
	}
	return error ? error : damaged(reading, "its indexes lead nowhere");
}

/* --- what `docker save` writes ------------------------------------------------------------------ */

static int read_saved(struct reading *reading, const struct buf *text)
{
	CLEANUP(json_delete_p) cJSON *json = NULL;
	const cJSON *image, *layers, *layer;
	unsigned char hash[SHA256_SIZE];
	int error = parse(reading, text, &json), count;

	if (error)
		return error;
	count = cJSON_IsArray(json) ? cJSON_GetArraySize(json) : 0;
	if (count != 1)
		return count ? report_refuse(reading->report, -EINVAL,
		                       "there are %d images in it; a function has one", count)
		             : damaged(reading, "its manifest.json names no image");
	image = cJSON_GetArrayItem(json, 0);
	layers = cJSON_GetObjectItemCaseSensitive(image, "Layers");
	error = make_room(reading, layers);
	cJSON_ArrayForEach(layer, layers) {
		if (!error && !cJSON_IsString(layer))
			error = damaged(reading, "a layer has no name");
		if (!error)
			error = add_layer(reading, layer->valuestring);
	}
	if (!error)
		error = read_file(reading, json_string(image, "Config", "(none)"),
		        &reading->manifest->config);
	if (error)
		return error;
	sha256_of(reading->hash,
	        reading->manifest->config.data ? reading->manifest->config.data : "",
	        reading->manifest->config.length, hash);
	write_digits(reading->manifest->digest, hash);
	return 0;
}

/* ------------------------------------------------------------------------------------------------ */

static int read_any(struct reading *reading)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	int error = image_source_read(reading->source, "index.json", JSON_MOST, &text);

	if (!error)
		return read_layout(reading, &text);
	if (error == -ENOENT)
		error = image_source_read(reading->source, "manifest.json", JSON_MOST, &text);
	if (error == -ENOENT)
		return report_refuse(reading->report, -EBADMSG,
		        "it is no image: it has neither index.json, as OCI images have, nor "
		        "manifest.json, as `docker save` writes it");
	return error ? error : read_saved(reading, &text);
}

int image_manifest_read(
        struct image_manifest *manifest, struct image_source *source, struct report *report)
{
	struct reading reading = {
	        .manifest = manifest, .source = source, .report = report, .hash = sha256_new()};
	int error;

	*manifest = (struct image_manifest){0};
	error = reading.hash ? read_any(&reading) : report_refuse(report, -ENOMEM, "out of memory");
	if (!error)
		error = take_hashes(&reading);
	sha256_free(reading.hash);
	return error;
}

void image_manifest_deinit(struct image_manifest *manifest)
{
	for (size_t i = 0; i < manifest->layer_count; i++)
		free(manifest->layers[i].file);
	free(take(manifest->layers));
	manifest->layer_count = 0;
	buf_deinit(&manifest->config);
}
