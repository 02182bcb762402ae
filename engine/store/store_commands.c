/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands. store_run.c says how a step gets its values. */
#include "store/store_commands.h"

#define OTHER_OF_THIS_NAME \
	" (SELECT id FROM variables WHERE owner = :object AND key = :name AND id <> :child)"

/* Everything that has an id of its own and belongs to the function :object. */
#define BELONGINGS \
	" (SELECT id FROM versions WHERE function = :object" \
	" UNION ALL SELECT id FROM aliases WHERE function = :object" \
	" UNION ALL SELECT id FROM variables WHERE owner = :object" \
	" UNION ALL SELECT variables.id FROM variables JOIN versions" \
	" ON variables.owner = versions.id WHERE versions.function = :object)"

#define VARIABLES_OF_IT " (SELECT id FROM variables WHERE owner = :object)"

#define THE_NEW_VERSION " (SELECT id FROM versions WHERE function = :object AND name = :name)"

#define LATEST_OF_PACKAGE \
	" (SELECT id FROM package_versions AS latest" \
	" WHERE latest.package = dependencies.package ORDER BY number DESC LIMIT 1)"

#define OTHER_DEPENDENCY \
	" (SELECT other.id FROM dependencies AS other JOIN dependencies AS renamed" \
	" ON other.owner = renamed.owner WHERE renamed.id = :child AND other.id <> :child" \
	" AND other.name = :name)"

#define VERSIONS_OF_IT " (SELECT id FROM package_versions WHERE package = :object)"

#define THE_UNFINISHED " (SELECT id FROM versions WHERE snapshot IS NULL)"

/* One statement, which has to meet a row. */
#define ALONE(statement) \
	{ \
		{statement, true}, \
	}

const struct step store_commands[COMMAND_KINDS][STORE_STEPS] = {
        [COMMAND_FUNCTION_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('function')"},
                        {"INSERT INTO functions (id, name, uid, gid, created_us)"
                         " VALUES (last_insert_rowid(), :name, :uid, :gid, :time) RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_FUNCTION_RENAME] =
                {
                        {"UPDATE functions SET name = :name WHERE id = :object", true},
                },
        [COMMAND_FUNCTION_OWN] =
                {
                        {"UPDATE functions SET uid = :uid, gid = :gid WHERE id = :object", true},
                },
        [COMMAND_FUNCTION_REMOVE] =
                {
                        {"DELETE FROM triggers WHERE function = :object"}, /* they name versions */
                        {"DELETE FROM attributes WHERE object = :object OR object IN" BELONGINGS},
                        {"DELETE FROM objects WHERE id IN" BELONGINGS},
                        {"DELETE FROM objects WHERE id = :object AND kind = 'function'", true},
                },
        [COMMAND_SETTING_SET] =
                {
                        {"SELECT 1 FROM objects WHERE id = :object"
                         " AND kind IN ('function', 'version', 'alias', 'trigger')",
                                true},
                        {"DELETE FROM settings WHERE owner = :object AND name = :name"},
                        {"INSERT INTO settings (owner, name, value)"
                         " SELECT :object, :name, :value WHERE :value IS NOT NULL"},
                },
        [COMMAND_VARIABLE_SET] =
                {
                        {"SELECT 1 FROM objects WHERE id = :object"
                         " AND kind IN ('function', 'version')",
                                true},
                        {"INSERT INTO objects (kind) SELECT 'variable' WHERE NOT EXISTS"
                         " (SELECT 1 FROM variables WHERE owner = :object AND key = :name)"},
                        {"INSERT INTO variables (id, owner, key, value)"
                         " SELECT last_insert_rowid(), :object, :name, '' WHERE NOT EXISTS"
                         " (SELECT 1 FROM variables WHERE owner = :object AND key = :name)"},
                        {"UPDATE variables SET value = :value"
                         " WHERE owner = :object AND key = :name RETURNING id",
                                true, GIVES_CHILD},
                },
        [COMMAND_VARIABLE_RENAME] =
                {
                        {"DELETE FROM attributes WHERE object =" OTHER_OF_THIS_NAME},
                        {"DELETE FROM objects WHERE id =" OTHER_OF_THIS_NAME},
                        {"UPDATE variables SET key = :name"
                         " WHERE id = :child AND owner = :object",
                                true},
                },
        [COMMAND_VARIABLE_UNSET] =
                {
                        {"DELETE FROM objects WHERE id ="
                         " (SELECT id FROM variables WHERE id = :child AND owner = :object)",
                                true},
                        {"DELETE FROM attributes WHERE object = :child"},
                },
        [COMMAND_ATTRIBUTES_SET] =
                {
                        {"INSERT INTO attributes (ino, object, mode, uid, gid, mtime_us)"
                         " VALUES (:ino, :ino & 281474976710655,"
                         " :set_mode, :set_uid, :set_gid, :set_mtime)"
                         " ON CONFLICT (ino) DO UPDATE SET mode = ifnull(excluded.mode, mode),"
                         " uid = ifnull(excluded.uid, uid), gid = ifnull(excluded.gid, gid),"
                         " mtime_us = ifnull(excluded.mtime_us, mtime_us)"},
                },
        [COMMAND_ATTRIBUTES_FORGET] =
                {
                        {"DELETE FROM attributes WHERE object = :object"},
                },
        [COMMAND_VERSION_BEGIN] =
                {
                        {"INSERT INTO objects (kind) VALUES ('version')"},
                        {"INSERT INTO versions (id, function, name, created_us)"
                         " VALUES (last_insert_rowid(), :object, :name, :time) RETURNING id",
                                true, GIVES_OBJECT},
                        {"INSERT INTO settings (owner, name, value)"
                         " SELECT" THE_NEW_VERSION ", name, value FROM settings"
                         " WHERE owner = :object AND name <> 'min_instances'"},
                        {"INSERT INTO objects (kind)"
                         " SELECT 'variable' FROM variables WHERE owner = :object"},
                        {"INSERT INTO variables (id, owner, key, value)"
                         " SELECT" THE_NEW_VERSION
                         " + row_number() OVER (ORDER BY id)," THE_NEW_VERSION ", key, value"
                         " FROM variables WHERE owner = :object"},
                        {"INSERT INTO objects (kind)"
                         " SELECT 'dependency' FROM dependencies WHERE owner = :object"},
                        {"INSERT INTO dependencies (id, owner, name, package, version)"
                         " SELECT" THE_NEW_VERSION
                         " + (SELECT count(*) FROM variables WHERE owner = :object)"
                         " + row_number() OVER (ORDER BY id)," THE_NEW_VERSION
                         ", name, package, ifnull(version," LATEST_OF_PACKAGE ")"
                         " FROM dependencies WHERE owner = :object"},
                },
        [COMMAND_VERSION_FINISH] =
                {
                        {"UPDATE versions SET snapshot = :snapshot, files = :files,"
                         " directories = :directories, bytes = :bytes,"
                         " added_bytes = :added_bytes"
                         " WHERE id = :object AND snapshot IS NULL",
                                true},
                },
        [COMMAND_VERSION_REMOVE] =
                {
                        {"SELECT 1 FROM versions WHERE id = :object", true},
                        {"DELETE FROM attributes"
                         " WHERE object = :object OR object IN" VARIABLES_OF_IT},
                        {"DELETE FROM objects WHERE id = :object OR id IN" VARIABLES_OF_IT},
                },
        [COMMAND_VERSIONS_SWEEP] =
                {
                        {"DELETE FROM attributes WHERE object IN" THE_UNFINISHED " OR object IN"
                         " (SELECT id FROM variables WHERE owner IN" THE_UNFINISHED ")"},
                        {"DELETE FROM objects WHERE id IN"
                         " (SELECT id FROM variables WHERE owner IN" THE_UNFINISHED ")"},
                        {"DELETE FROM objects WHERE id IN" THE_UNFINISHED},
                },
        [COMMAND_ALIAS_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('alias')"},
                        {"INSERT INTO aliases"
                         " (id, function, name, created_us, routes, previous, generation)"
                         " VALUES (last_insert_rowid(), :object, :name, :time, :value, '', 1)"
                         " RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_ALIAS_RENAME] =
                {
                        {"UPDATE aliases SET name = :name WHERE id = :object", true},
                },
        [COMMAND_ALIAS_ROUTE] =
                {
                        {"UPDATE aliases SET previous = routes, routes = :value,"
                         " generation = generation + 1 WHERE id = :object",
                                true},
                },
        [COMMAND_ALIAS_REMOVE] =
                {
                        {"DELETE FROM objects WHERE id = :object AND kind = 'alias'", true},
                        {"DELETE FROM attributes WHERE object = :object"},
                },
        [COMMAND_PACKAGE_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('package')"},
                        {"INSERT INTO packages (id, name, uid, gid, created_us)"
                         " VALUES (last_insert_rowid(), :name, :uid, :gid, :time) RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_PACKAGE_RENAME] =
                {
                        {"UPDATE packages SET name = :name WHERE id = :object", true},
                },
        [COMMAND_PACKAGE_OWN] =
                {
                        {"UPDATE packages SET uid = :uid, gid = :gid WHERE id = :object", true},
                },
        [COMMAND_PACKAGE_DESCRIBE] =
                {
                        {"UPDATE packages SET description = :value WHERE id = :object", true},
                },
        [COMMAND_PACKAGE_SOURCE] =
                {
                        {"UPDATE packages SET source = :value WHERE id = :object", true},
                },
        [COMMAND_PACKAGE_PUBLISH] =
                {
                        {"UPDATE packages SET next = next + 1 WHERE id = :object", true},
                        {"INSERT INTO objects (kind) VALUES ('package version')"},
                        {"INSERT INTO package_versions (id, package, number, snapshot, files,"
                         " directories, bytes, added_bytes, source, sha256, created_us)"
                         " SELECT last_insert_rowid(), id, next - 1, :snapshot, :files,"
                         " :directories, :bytes, :added_bytes, :value, :name, :time"
                         " FROM packages WHERE id = :object RETURNING id",
                                true, GIVES_CHILD},
                },
        [COMMAND_PACKAGE_WITHDRAW] =
                {
                        {"DELETE FROM attributes WHERE object = :object"},
                        {"DELETE FROM objects WHERE id = :object AND kind = 'package version'",
                                true},
                },
        [COMMAND_PACKAGE_REMOVE] =
                {
                        {"DELETE FROM attributes"
                         " WHERE object = :object OR object IN" VERSIONS_OF_IT},
                        {"DELETE FROM objects WHERE id IN" VERSIONS_OF_IT},
                        {"DELETE FROM objects WHERE id = :object AND kind = 'package'", true},
                },
        [COMMAND_DEPENDENCY_BIND] =
                {
                        {"SELECT 1 FROM functions WHERE id = :object", true},
                        {"INSERT INTO objects (kind) VALUES ('dependency')"},
                        {"INSERT INTO dependencies (id, owner, name, package, version)"
                         " SELECT last_insert_rowid(), :object, :name, id, NULL"
                         " FROM packages WHERE id = :target UNION ALL"
                         " SELECT last_insert_rowid(), :object, :name, package, id"
                         " FROM package_versions WHERE id = :target RETURNING id",
                                true, GIVES_CHILD},
                },
        [COMMAND_DEPENDENCY_RENAME] =
                {
                        {"DELETE FROM dependencies WHERE id =" OTHER_DEPENDENCY},
                        {"UPDATE dependencies SET name = :name WHERE id = :child", true},
                },
        [COMMAND_DEPENDENCY_UNBIND] =
                {
                        {"DELETE FROM dependencies WHERE id = :child", true},
                },
        [COMMAND_BUILD_KEEP] =
                {
                        {"SELECT 1 FROM objects WHERE id = :object"
                         " AND kind IN ('function', 'version')",
                                true},
                        {"INSERT OR REPLACE INTO builds"
                         " (owner, digest, snapshot, bytes, error, used_us)"
                         " VALUES (:object, :name, :set_snapshot, :bytes, :value, :time)"},
                },
        [COMMAND_BUILD_USE] =
                {
                        {"UPDATE builds SET used_us = :time"
                         " WHERE owner = :object AND digest = :name",
                                true},
                },
        [COMMAND_BUILD_DROP] =
                {
                        {"DELETE FROM builds WHERE owner = :object AND digest = :name", true},
                },
        [COMMAND_TOKEN_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('token')"},
                        {"INSERT INTO tokens (id, name, value, created_us)"
                         " VALUES (last_insert_rowid(), :name, :value, :time) "
                         "RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_TOKEN_SET] =
                {
                        {"UPDATE tokens SET value = :value WHERE id = :object", true},
                },
        [COMMAND_TOKEN_RENAME] =
                {
                        {"UPDATE tokens SET name = :name WHERE id = :object", true},
                },
        [COMMAND_TOKEN_REMOVE] =
                {
                        {"DELETE FROM attributes WHERE object = :object"},
                        {"DELETE FROM objects WHERE id = :object AND kind = "
                         "'token'",
                                true},
                },
        [COMMAND_TOPIC_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('topic')"},
                        {"INSERT INTO topics (id, name, uid, gid, created_us)"
                         " VALUES (last_insert_rowid(), :name, :uid, :gid, :time) RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_TOPIC_RENAME] = ALONE("UPDATE topics SET name = :name WHERE id = :object"),
        [COMMAND_TOPIC_OWN] = ALONE("UPDATE topics SET uid = :uid, gid = :gid WHERE id = :object"),
        [COMMAND_TOPIC_COUNT] = ALONE("UPDATE topics SET published = :fired WHERE id = :object"),
        [COMMAND_TOPIC_REMOVE] =
                {
                        {"DELETE FROM attributes WHERE object = :object"},
                        {"DELETE FROM objects WHERE id = :object AND kind = 'topic'", true},
                },
        [COMMAND_TRIGGER_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('trigger')"},
                        {"INSERT INTO triggers (id, function, name, created_us)"
                         " VALUES (last_insert_rowid(), :object, :name, :time) RETURNING id",
                                true, GIVES_OBJECT},
                },
        [COMMAND_TRIGGER_RENAME] = ALONE("UPDATE triggers SET name = :name WHERE id = :object"),
        [COMMAND_TRIGGER_TARGET] =
                {
                        {"UPDATE triggers SET version = nullif(:child, 0),"
                         " alias = nullif(:target, 0) WHERE id = :object",
                                true},
                },
        [COMMAND_TRIGGER_FIRED] =
                {
                        {"UPDATE triggers SET last_us = :time, fired = :fired, errors = :errors"
                         " WHERE id = :object",
                                true},
                        {"UPDATE sources SET from_us = :from WHERE trigger = :object"},
                },
        [COMMAND_TRIGGER_REMOVE] = ALONE("DELETE FROM triggers WHERE id = :object"),
        [COMMAND_SOURCE_CREATE] =
                {
                        {"INSERT INTO objects (kind) VALUES ('source')"},
                        {"INSERT INTO sources (id, trigger, kind)"
                         " VALUES (last_insert_rowid(), :object, :name) RETURNING id",
                                true, GIVES_CHILD},
                },
        [COMMAND_SOURCE_SET] =
                {
                        {"UPDATE sources SET value = :value, topic = nullif(:target, 0),"
                         " uid = :uid, gid = :gid, groups = :groups, start_us = :time,"
                         " from_us = :time WHERE id = :child",
                                true},
                        {"DELETE FROM watched WHERE source = :child"},
                },
        [COMMAND_SOURCE_REMOVE] = ALONE("DELETE FROM sources WHERE id = :child"),
        [COMMAND_WATCHED_SET] =
                {
                        {"INSERT OR REPLACE INTO watched (source, name, stamp)"
                         " SELECT :child, json_extract(value, '$[0]'), json_extract(value, '$[1]')"
                         " FROM json_each(:value)"},
                },
        [COMMAND_WATCHED_FORGET] =
                {
                        {"DELETE FROM watched WHERE source = :child"
                         " AND name IN (SELECT value FROM json_each(:value))"},
                },
};
