/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/images_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/engine_state.h"
#include "model/version.h"

#define MOST_BYTES  (INT64_C(16) << 30)
#define PINNED_MARK "@sha256:"

enum { ORIGIN_SIZE = 1024 };

/* --- entries ------------------------------------------------------------------------------------ */

static void entry_free(struct image_entry *entry)
{
	list_unlink(&entry->link);
	free(entry->reference);
	free(entry);
}

static struct image_entry *entry_new(struct images *images, uint64_t number, uid_t uid,
        int64_t bytes, const char *pulled, const char *reference)
{
	struct image_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	list_init(&entry->link);
	entry->images = images;
	entry->number = number;
	entry->uid = uid;
	entry->bytes = bytes;
	snprintf(entry->pulled, sizeof(entry->pulled), "%s", pulled);
	entry->reference = strdup(reference);
	if (entry->reference)
		return entry;
	entry_free(entry);
	return NULL;
}

static void entry_remove(struct image_entry *entry)
{
	struct images *images = entry->images;

	images->bytes -= entry->bytes;
	removal_begin(&images->engine->removal, IMAGES, entry->number);
	entry_free(entry);
}

struct image_entry *images_find(struct images *images, uid_t uid, const char *digest)
{
	struct image_entry *entry;

	list_each(entry, &images->entries, link)
		if (entry->uid == uid && strcmp(entry->digest, digest) == 0)
			return entry;
	return NULL;
}

struct image_entry *images_find_pulled(struct images *images, uid_t uid, const char *pulled)
{
	struct image_entry *entry;

	list_each(entry, &images->entries, link)
		if (entry->uid == uid && *pulled && strcmp(entry->pulled, pulled) == 0)
			return entry;
	return NULL;
}

struct image_entry *images_find_reference(struct images *images, uid_t uid, const char *reference)
{
	struct image_entry *entry, *found = NULL;

	list_each(entry, &images->entries, link)
		if (entry->uid == uid && strcmp(entry->reference, reference) == 0)
			found = entry; /* the one used last */
	return found;
}

/* --- holding ------------------------------------------------------------------------------------ */

static void released(void *userdata, struct image *image)
{
	struct image_entry *entry = userdata;

	entry->image = NULL;
	images_collect(entry->images);
}

static int open_entry(const struct images *images, const char *place, uint64_t number)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%" PRIu64, place, number);
	return openat(
	        images->engine->state_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int load_image(struct image_entry *entry)
{
	CLEANUP(close_p) int directory = open_entry(entry->images, IMAGES, entry->number);
	CLEANUP(free_p) char *path = NULL;

	if (directory < 0)
		return -errno;
	if (asprintf(&path, "%s/" IMAGES "/%" PRIu64, entry->images->engine->state_dir,
	            entry->number) < 0)
		return -ENOMEM;
	return image_load(&entry->image, directory, path);
}

struct image *image_entry_hold(struct image_entry *entry)
{
	int r;

	list_unlink(&entry->link);
	list_append(&entry->images->entries, &entry->link);
	if (entry->image)
		return image_ref(entry->image);
	r = load_image(entry);
	if (r < 0) {
		fail(r, "reading the image %" PRIu64, entry->number);
		entry_remove(entry);
		return NULL;
	}
	entry->image->released = released;
	entry->image->userdata = entry;
	return entry->image;
}

bool image_pinned_name(const struct image *image, const char *reference, struct buf *out)
{
	const struct image_entry *entry = image->userdata;
	const char *slash = strrchr(reference, '/');
	const char *colon = slash ? strchr(slash, ':') : NULL;
	size_t length = colon ? (size_t)(colon - reference) : strlen(reference);

	if (!entry || !entry->pulled[0] || strchr(reference, '@'))
		return false;
	buf_append(out, reference, length);
	buf_printf(out, PINNED_MARK "%s", entry->pulled);
	return !out->failed;
}

/* --- what is too much --------------------------------------------------------------------------- */

static int names(void *userdata, uint64_t owner, const char *setting, const char *value)
{
	const struct image_entry *entry = userdata;
	const char *mark = strstr(value, PINNED_MARK);

	return mark && strcmp(mark + strlen(PINNED_MARK), entry->pulled) == 0;
}

/* A version that runs it could pull it again only while the registry has it. A failure to look: it is. */
static bool is_pinned(struct image_entry *entry)
{
	return entry->pulled[0] &&
	       store_each_setting_named(entry->images->engine->store, "image", names, entry);
}

void images_collect(struct images *images)
{
	struct image_entry *entry, *following;

	if (images->stopped)
		return;
	list_each_safe(entry, following, &images->entries, link) {
		if (images->bytes <= images->most_bytes)
			return;
		if (!entry->image && !is_pinned(entry))
			entry_remove(entry);
	}
}

/* --- on disk ------------------------------------------------------------------------------------ */

int images_make_directory(struct images *images, uint64_t *number)
{
	char path[64];
	int fd;

	*number = ++images->last;
	snprintf(path, sizeof(path), UNPACKING "/%" PRIu64, *number);
	mkdirat(images->engine->state_fd, UNPACKING, 0700);
	if (mkdirat(images->engine->state_fd, path, 0700) < 0)
		return fail(-errno, "making %s/%s", images->engine->state_dir, path);
	fd = open_entry(images, UNPACKING, *number);
	if (fd < 0)
		return fail(-errno, "opening %s/%s", images->engine->state_dir, path);
	/* An instance of an ordinary user's comes by this way; nobody else through the state directory. */
	if (fchmod(fd, 0755) < 0)
		fail(-errno, "opening up %s", path);
	return fd;
}

void images_remove_directory(struct images *images, uint64_t number)
{
	removal_begin(&images->engine->removal, UNPACKING, number);
}

static int write_origin(const struct image_entry *entry, int directory)
{
	CLEANUP(close_p)
	int fd = openat(
	        directory, "origin", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 ||
	        dprintf(fd, "%u %" PRId64 " %s %s\n", (unsigned)entry->uid, entry->bytes,
	                entry->pulled[0] ? entry->pulled : "-",
	                *entry->reference ? entry->reference : "-") < 0 ||
	        fsync(fd) < 0)
		return fail(-errno, "keeping an image");
	return 0;
}

static int move_in(const struct image_entry *entry)
{
	int state = entry->images->engine->state_fd;
	char from[64], to[64];

	snprintf(from, sizeof(from), UNPACKING "/%" PRIu64, entry->number);
	snprintf(to, sizeof(to), IMAGES "/%" PRIu64, entry->number);
	if (renameat(state, from, state, to) < 0)
		return fail(-errno, "keeping an image");
	return 0;
}

/* Behind those with smaller numbers; at the start that is as good an order as any. */
static void take_in(struct image_entry *entry)
{
	struct image_entry *other;
	struct list *place = &entry->images->entries;

	list_each(other, &entry->images->entries, link)
		if (other->number > entry->number) {
			place = &other->link;
			break;
		}
	list_append(place, &entry->link);
	entry->images->bytes += entry->bytes;
}

static void keep_origin(const struct image_entry *entry)
{
	CLEANUP(close_p) int directory = open_entry(entry->images, IMAGES, entry->number);

	/* A crash in between costs an image, which is unpacked again. */
	if (directory >= 0 && unlinkat(directory, "origin", 0) == 0)
		write_origin(entry, directory);
}

/* A name stands for one at a time. */
static void forget_name(const struct image_entry *now)
{
	struct image_entry *entry;

	list_each(entry, &now->images->entries, link) {
		if (entry == now || entry->uid != now->uid || !*now->reference ||
		        strcmp(entry->reference, now->reference) != 0)
			continue;
		*entry->reference = 0;
		keep_origin(entry);
	}
}

void images_name(struct image_entry *entry, const char *pulled, const char *reference)
{
	char *copy;

	if (strcmp(entry->pulled, pulled) == 0 && strcmp(entry->reference, reference) == 0)
		return;
	copy = strdup(reference);
	if (!copy)
		return;
	free(entry->reference);
	entry->reference = copy;
	snprintf(entry->pulled, sizeof(entry->pulled), "%s", pulled);
	keep_origin(entry);
	forget_name(entry);
}

struct image_entry *images_add(struct images *images, uint64_t number, int directory, uid_t uid,
        int64_t bytes, const char *pulled, const char *reference)
{
	struct image_entry *entry = entry_new(images, number, uid, bytes, pulled, reference);
	struct image *image;

	if (!entry || write_origin(entry, directory) < 0 || move_in(entry) < 0) {
		images_remove_directory(images, number);
		if (entry)
			entry_free(entry);
		return NULL;
	}
	take_in(entry);
	image = image_entry_hold(entry);
	if (!image)
		return NULL;
	strcpy(entry->digest, image->digest);
	forget_name(entry);
	/* Not to be collected before whoever waits for it has it. */
	image->released = NULL;
	entry->image = NULL;
	image_unref(image);
	return entry;
}

/* --- birth and death ---------------------------------------------------------------------------- */

static int load_entry(struct images *images, uint64_t number)
{
	CLEANUP(close_p) int directory = open_entry(images, IMAGES, number);
	char text[ORIGIN_SIZE], pulled[IMAGE_DIGITS], reference[512];
	struct image_entry *entry;
	struct image *image;
	unsigned uid;
	int64_t bytes;
	ssize_t n;

	CLEANUP(close_p)
	int origin = openat(directory, "origin", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	n = origin < 0 ? -1 : read(origin, text, sizeof(text) - 1);
	if (n <= 0)
		return -EBADMSG;
	text[n] = 0;
	if (sscanf(text, "%u %" SCNd64 " %64s %511s", &uid, &bytes, pulled, reference) != 4 ||
	        bytes < 0)
		return -EBADMSG;
	entry = entry_new(images, number, uid, bytes, strcmp(pulled, "-") ? pulled : "",
	        strcmp(reference, "-") ? reference : "");
	if (!entry)
		return -ENOMEM;
	if (image_load(&image, directory, "") < 0) {
		entry_free(entry);
		return -EBADMSG;
	}
	strcpy(entry->digest, image->digest);
	image_unref(image);
	take_in(entry);
	return 0;
}

static int nothing_exists(void *userdata, uint64_t id)
{
	return 0;
}

/* Numbers are not used again: what is being removed has one. */
static void load(struct images *images)
{
	int fd = openat(images->engine->state_fd, IMAGES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		uint64_t number = strtoull(entry->d_name, NULL, 10);

		if (!number)
			continue;
		if (number > images->last)
			images->last = number;
		if (load_entry(images, number) < 0)
			removal_begin(&images->engine->removal, IMAGES, number);
	}
	if (directory)
		closedir(directory);
}

int images_open(struct images **out, struct engine *engine)
{
	struct images *images = calloc(1, sizeof(*images));
	const char *most = getenv("FNFS_IMAGES_BYTES");

	if (!images)
		return -ENOMEM;
	images->engine = engine;
	images->most_bytes = most ? strtoll(most, NULL, 10) : MOST_BYTES;
	list_init(&images->entries);
	list_init(&images->waiting);
	list_init(&images->working);
	*out = images;
	if (mkdirat(engine->state_fd, IMAGES, 0700) < 0 && errno != EEXIST)
		return fail(-errno, "making %s/" IMAGES, engine->state_dir);
	removal_sweep(&engine->removal, UNPACKING, nothing_exists, NULL);
	load(images);
	return 0;
}

void images_stop(struct images *images)
{
	images->stopped = true;
}

struct images *images_close(struct images *images)
{
	struct image_entry *entry, *following;

	if (!images)
		return NULL;
	if (images->engine->host.loop)
		alarm_clear(&images->engine->host.alarms, &images->starting);
	list_each_safe(entry, following, &images->entries, link)
		entry_free(entry);
	free(images);
	return NULL;
}
