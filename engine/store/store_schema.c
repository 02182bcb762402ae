/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every object, of whatever kind, has a row in `objects`: its AUTOINCREMENT makes ids that are unique
 * over kinds and never reused, so that an inode can be (row, id) without a table. The tables of the
 * kinds borrow their key from it, and go when it goes. `attributes` has no such tie, for nodes of the
 * root belong to no object (id 0); the commands that remove objects take their attributes along.
 *
 * A setting is stored as its canonical text under its name: a new setting needs no migration, and a
 * default that is changed later reaches all who never set it (who changes one writes the old one down for the
 * versions there are, by a script, for versions never change). A text may hold any bytes but zero.
 */
#include "store/store_schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "store/store_private.h"

const char *const store_migrations[] = {
        /* 1: functions, their settings and variables, and the attributes of nodes */
        "CREATE TABLE objects ("
        "	id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "	kind TEXT NOT NULL);"
        "CREATE TABLE functions ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL UNIQUE,"
        "	uid INTEGER NOT NULL,"
        "	gid INTEGER NOT NULL,"
        "	created_us INTEGER NOT NULL);"
        "CREATE TABLE settings ("
        "	function INTEGER NOT NULL REFERENCES functions (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL,"
        "	value TEXT NOT NULL,"
        "	PRIMARY KEY (function, name)) WITHOUT ROWID;"
        "CREATE TABLE variables ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	function INTEGER NOT NULL REFERENCES functions (id) ON DELETE CASCADE,"
        "	key TEXT NOT NULL,"
        "	value TEXT NOT NULL,"
        "	UNIQUE (function, key));"
        "CREATE TABLE attributes ("
        "	ino INTEGER PRIMARY KEY,"
        "	object INTEGER NOT NULL," /* the lower 48 bits of ino */
        "	mode INTEGER, uid INTEGER, gid INTEGER, mtime_us INTEGER);" /* NULL = unchanged */
        "CREATE INDEX attributes_of_object ON attributes (object);",

        /* 2: versions and aliases; settings and variables belong to any object */
        "CREATE TABLE owned_settings ("
        "	owner INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL,"
        "	value TEXT NOT NULL,"
        "	PRIMARY KEY (owner, name)) WITHOUT ROWID;"
        "INSERT INTO owned_settings SELECT function, name, value FROM settings;"
        "DROP TABLE settings;"
        "ALTER TABLE owned_settings RENAME TO settings;"
        "CREATE TABLE owned_variables ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	owner INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,"
        "	key TEXT NOT NULL,"
        "	value TEXT NOT NULL,"
        "	UNIQUE (owner, key));"
        "INSERT INTO owned_variables SELECT id, function, key, value FROM variables;"
        "DROP TABLE variables;"
        "ALTER TABLE owned_variables RENAME TO variables;"
        "CREATE TABLE versions ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	function INTEGER NOT NULL REFERENCES functions (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL,"
        "	created_us INTEGER NOT NULL,"
        "	snapshot BLOB," /* NULL = begun, not finished */
        "	files INTEGER, directories INTEGER, bytes INTEGER, added_bytes INTEGER,"
        "	UNIQUE (function, name));"
        "CREATE TABLE aliases ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	function INTEGER NOT NULL REFERENCES functions (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL,"
        "	created_us INTEGER NOT NULL,"
        "	routes TEXT NOT NULL,"
        "	previous TEXT NOT NULL,"
        "	generation INTEGER NOT NULL,"
        "	UNIQUE (function, name));",

        /*
         * 3: packages, their versions, and who is bound to them. A dependency goes with its owner, and
         * takes along what the owner's commands do not know of; what is bound to cannot go.
         */
        "CREATE TABLE packages ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL UNIQUE,"
        "	uid INTEGER NOT NULL,"
        "	gid INTEGER NOT NULL,"
        "	description TEXT NOT NULL DEFAULT '',"
        "	source TEXT NOT NULL DEFAULT '',"
        "	next INTEGER NOT NULL DEFAULT 1,"
        "	created_us INTEGER NOT NULL);"
        "CREATE TABLE package_versions ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	package INTEGER NOT NULL REFERENCES packages (id),"
        "	number INTEGER NOT NULL,"
        "	snapshot BLOB NOT NULL,"
        "	files INTEGER, directories INTEGER, bytes INTEGER, added_bytes INTEGER,"
        "	source TEXT NOT NULL,"
        "	sha256 TEXT NOT NULL,"
        "	created_us INTEGER NOT NULL,"
        "	UNIQUE (package, number));"
        "CREATE TABLE dependencies ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	owner INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL,"
        "	package INTEGER NOT NULL REFERENCES packages (id),"
        "	version INTEGER REFERENCES package_versions (id)," /* NULL = the latest */
        "	UNIQUE (owner, name));"
        "CREATE INDEX dependencies_of_package ON dependencies (package);"
        "CREATE INDEX dependencies_of_version ON dependencies (version);"
        "CREATE TRIGGER dependency_goes AFTER DELETE ON dependencies BEGIN"
        "	DELETE FROM attributes WHERE object = OLD.id;"
        "	DELETE FROM objects WHERE id = OLD.id;"
        "END;",

        /* 4: what commands of `build` made of code, or why they failed; of functions and of versions */
        "CREATE TABLE builds ("
        "	owner INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,"
        "	digest TEXT NOT NULL," /* of all that went in */
        "	snapshot BLOB,"        /* NULL = it failed, and `error` says why */
        "	bytes INTEGER NOT NULL,"
        "	error TEXT,"
        "	used_us INTEGER NOT NULL,"
        "	PRIMARY KEY (owner, digest)) WITHOUT ROWID;",

        /* tokens of the gateway */
        "CREATE TABLE tokens ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL UNIQUE,"
        "	value TEXT NOT NULL,"
        "	created_us INTEGER NOT NULL);",
        /*
         * 5: topics, triggers, and the one source a trigger has, which is an object of its own, as whoever
         * replaces it makes another file. A trigger goes with its function, a source with its trigger, each
         * with what the commands of their owners do not know of; what is named as a target cannot go.
         */
        "CREATE TABLE topics ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL UNIQUE,"
        "	uid INTEGER NOT NULL,"
        "	gid INTEGER NOT NULL,"
        "	published INTEGER NOT NULL DEFAULT 0,"
        "	created_us INTEGER NOT NULL);"
        "CREATE TABLE triggers ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	function INTEGER NOT NULL REFERENCES functions (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL,"
        "	version INTEGER REFERENCES versions (id)," /* both NULL = latest */
        "	alias INTEGER REFERENCES aliases (id),"
        "	last_us INTEGER NOT NULL DEFAULT 0,"
        "	fired INTEGER NOT NULL DEFAULT 0,"
        "	errors INTEGER NOT NULL DEFAULT 0,"
        "	created_us INTEGER NOT NULL,"
        "	UNIQUE (function, name));"
        "CREATE INDEX triggers_of_version ON triggers (version);"
        "CREATE INDEX triggers_of_alias ON triggers (alias);"
        "CREATE TABLE sources ("
        "	id INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,"
        "	trigger INTEGER NOT NULL UNIQUE REFERENCES triggers (id) ON DELETE CASCADE,"
        "	kind TEXT NOT NULL,"
        "	value TEXT NOT NULL DEFAULT '',"
        "	topic INTEGER REFERENCES topics (id),"
        "	uid INTEGER NOT NULL DEFAULT 0," /* who set it: with whose rights it is watched */
        "	gid INTEGER NOT NULL DEFAULT 0,"
        "	groups TEXT NOT NULL DEFAULT '',"
        "	start_us INTEGER NOT NULL DEFAULT 0," /* when it was set */
        "	from_us INTEGER NOT NULL DEFAULT 0);" /* nothing that was due until then is due any more */
        "CREATE INDEX sources_of_topic ON sources (topic);"
        "CREATE TABLE watched ("
        "	source INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,"
        "	name TEXT NOT NULL,"
        "	stamp TEXT NOT NULL,"
        "	PRIMARY KEY (source, name)) WITHOUT ROWID;"
        "CREATE TRIGGER trigger_goes AFTER DELETE ON triggers BEGIN"
        "	DELETE FROM attributes WHERE object = OLD.id;"
        "	DELETE FROM objects WHERE id = OLD.id;"
        "END;"
        "CREATE TRIGGER source_goes AFTER DELETE ON sources BEGIN"
        "	DELETE FROM attributes WHERE object = OLD.id;"
        "	DELETE FROM objects WHERE id = OLD.id;"
        "END;",
        /* Which state directory this is, of all there are. */
        "CREATE TABLE identity ("
        "	name TEXT NOT NULL);"
        "INSERT INTO identity (name) VALUES (lower(hex(randomblob(8))));",
        /* What is looked for at each start, and is rare, is found without a walk through all there is. */
        "CREATE INDEX settings_by_name ON settings (name)"
        " WHERE name IN ('build', 'image', 'min_instances');"
        "CREATE INDEX versions_begun ON versions (function) WHERE snapshot IS NULL;",
};

const size_t store_migrations_count = ARRAY_SIZE(store_migrations);

static int read_version(struct store *store, size_t *version)
{
	sqlite3_stmt *statement = NULL;
	int r = store_prepare(store, "PRAGMA user_version", &statement);

	if (r < 0)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW) {
		*version = (size_t)sqlite3_column_int(statement, 0);
		r = 0;
	} else {
		r = store_error(store, r, "reading the version of the schema");
	}
	sqlite3_finalize(statement);
	return r;
}

static int migrate_one(struct store *store, const char *script, size_t version)
{
	static const char what[] = "bringing the schema up to date";
	char pragma[64];
	int r;

	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %zu", version);
	r = store_finish(store, store->begin, what);
	if (r < 0)
		return r;
	r = store_execute(store, script, what);
	if (r == 0)
		r = store_execute(store, pragma, what);
	if (r == 0)
		r = store_finish(store, store->commit, what);
	if (r < 0)
		store_roll_back(store);
	return r;
}

int store_migrate(struct store *store, const char *const *migrations, size_t count)
{
	size_t version = 0, found;
	int r = read_version(store, &version);

	if (r < 0)
		return r;
	if (version > count)
		return fail(-EPROTO,
		        "%s was written by a newer fnfs: its schema has version %zu, this one "
		        "knows %zu",
		        store->path, version, count);
	for (found = version; r == 0 && version < count; version++) {
		if (found)
			log_line(LOG_INFO, "%s: schema version %zu to %zu", store->path, version,
			        version + 1);
		r = migrate_one(store, migrations[version], version + 1);
	}
	return r;
}
