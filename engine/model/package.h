/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Dependency packages: what functions share. A package has a working tree (`files`) and versions, numbered
 * from 1 up, no number ever twice; each is a snapshot. Its *latest* is the newest version that is there.
 * Who is bound to it is its users' list (model/dependency.h), and nothing that is used goes away: -EBUSY.
 * Every change is stored before the memory follows. Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/list.h"
#include "model/package_source.h"
#include "store/store.h"

struct functions;
struct packages;

struct package_version {
	uint64_t id;
	uint64_t number;
	struct package *package;
	struct store_snapshot snapshot;
	char *source;                /* what it was fetched from; "" = `files` */
	char sha256[PACKAGE_SHA256]; /* of the archive; "" */
	int64_t created_us;          /* wall time */
	struct list link;            /* package.versions, by number */
	bool unclaimed;              /* made while nobody waited any more; not stored */
	void *runtime_state;         /* belongs to the layers above; NULL at first */
};

struct package {
	uint64_t id;
	char *name;
	uid_t uid;
	gid_t gid;
	int64_t created_us;
	char *description; /* "" = none */
	char *source;      /* as it was written; "" = never */
	uint64_t next;     /* the number of the next version */
	struct list versions;
	struct list users; /* struct dependency.user_link */
	struct packages *packages;
	void *runtime_state; /* belongs to the layers above; NULL at first */
};

/* Told after the change is stored. Any may be NULL. */
struct packages_events {
	void (*created)(void *userdata, struct package *package);
	void (*renamed)(void *userdata, struct package *package);
	void (*published)(void *userdata, struct package_version *version);
	void (*withdrawn)(void *userdata, struct package_version *version); /* freed after it */
	void (*removed)(void *userdata, struct package *package);           /* freed after it */
};

/* After the functions are loaded, and freed before them. */
int packages_new(struct packages **out, struct store *store, struct functions *functions,
        const struct packages_events *events, void *userdata);
struct packages *packages_free(struct packages *packages);

struct package *packages_get(const struct packages *packages, uint64_t id);
struct package *packages_find(const struct packages *packages, const char *name);
struct package *packages_next(const struct packages *packages, uint64_t after_id); /* by id */
size_t packages_count(const struct packages *packages);

/* 0, -EINVAL (name out of rule), -ENAMETOOLONG, -EEXIST, -EIO, -ENOSPC. `why` gets a sentence. */
int packages_create(struct packages *packages, const char *name, const struct caller *owner,
        struct package **out, struct buf *why);
int package_rename(struct package *package, const char *name, struct buf *why);
int package_set_owner(struct package *package, uid_t uid, gid_t gid);
int package_describe(struct package *package, const char *text, struct buf *why);
int package_set_source(struct package *package, const char *text, struct buf *why);

/* -EBUSY while it is used; its versions go with it. */
int package_remove(struct package *package, struct buf *why);

/*
 * Makes the next version of a snapshot that is durable; itself it is durable when this returns. Functions
 * that are bound to the latest are redeployed.
 */
int package_publish(struct package *package, const struct store_snapshot *snapshot,
        const char *source, const char *sha256, struct package_version **out, struct buf *why);

/* Whether it could be removed, or (version not NULL) that version of it withdrawn: 0 or -EBUSY. */
int package_check_unused(
        const struct package *package, const struct package_version *version, struct buf *why);

/* -EBUSY while somebody is bound to it, or to the latest and there is no other. */
int package_withdraw(struct package_version *version, struct buf *why);

struct package_version *packages_version(const struct packages *packages, uint64_t id);
uint64_t package_number_parse(const char *text); /* as versions are named: `12`; 0: it is none */
struct package_version *package_version_find(const struct package *package, uint64_t number);
struct package_version *package_latest(const struct package *package); /* NULL: none yet */

/* A line for each that uses it, or (version not NULL) that uses this version of it now. */
void package_used_by(
        const struct package *package, const struct package_version *version, struct buf *out);
