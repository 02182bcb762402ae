/* SPDX-License-Identifier: Apache-2.0 */
#include "run/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "heap.h"
#include "test.h"

static const char python_json[] =
        "{\"name\":\"python\",\"about\":\"Snakes.\",\"order\":10,\"extensions\":[\"py\"],"
        "\"detect\":[\"index.py\"],\"interpreters\":[\"/usr/bin/no-such\",\"/usr/bin/env\"],"
        "\"argv\":[\"-S\",\"/opt/fnfs/runtime/shim.py\"]}";
static const char node_json[] =
        "{\"order\":20,\"extensions\":[\"js\",\"mjs\"],\"detect\":[\"index.js\",\"index.mjs\"],"
        "\"interpreters\":[\"/usr/bin/no-such-node\"],\"package\":\"nodejs\",\"argv\":[\"x\"]}";
static const char bootstrap_json[] =
        "{\"order\": 5, \"protocol\": \"bootstrap\", \"detect\": [\"bootstrap+x\"],"
        " \"working_directory\": \"/opt/function/code\","
        " \"argv\": [\"/opt/function/code/bootstrap\"]}";

static const char exec_json[] =
        "{\"order\":30,\"default_handler\":\"main\",\"detect\":[\"{handler}+x\",\"main+x\"],"
        "\"argv\":[\"/opt/fnfs/runtime/shim\"]}";

static char *root;
static char sink[4096];

static void collect(void *userdata, const char *line, size_t length)
{
	size_t used = strlen(sink);

	snprintf(sink + used, sizeof(sink) - used, "%.*s", (int)length, line);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	CLEANUP(free_p) char *path = NULL;
	int fd;

	REQUIRE(asprintf(&path, "%s/%s", root, name) > 0);
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	REQUIRE(fd >= 0);
	REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static struct runtimes *load(const char *path_format)
{
	struct runtimes *runtimes = NULL;
	char path[4096];

	/* %s stands for the root, wherever it comes */
	path[0] = 0;
	for (const char *p = path_format; *p; p++)
		if (p[0] == '%')
			strcat(path, root);
		else
			strncat(path, p, 1);
	REQUIRE(runtimes_load(&runtimes, path) == 0);
	return runtimes;
}

static struct runtimes *load_three(void)
{
	write_file("r/python/runtime.json", python_json, 0644);
	write_file("r/nodejs/runtime.json", node_json, 0644);
	write_file("r/exec/runtime.json", exec_json, 0644);
	write_file("r/exec/shim", "", 0755);
	return load("%/r");
}

/* The name of the runtime that is chosen for the files of `code`, or what is said instead. */
static const char *choose(
        const struct runtimes *runtimes, const char *configured, const char *handler)
{
	static char said[4096];
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(close_p) int fd = -1;
	const struct runtime *runtime;

	REQUIRE(asprintf(&path, "%s/code", root) > 0);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(fd >= 0);
	runtime = runtimes_choose(runtimes, configured, handler, &fd, 1, &why);
	CHECK(!runtime == (why.length > 0));
	snprintf(said, sizeof(said), "%s", runtime ? runtime->name : why.data);
	return said;
}

static void clean_code(void)
{
	CLEANUP(free_p) char *command = NULL;

	REQUIRE(asprintf(&command, "rm -rf %s/code && mkdir -p %s/code", root, root) > 0);
	REQUIRE(system(command) == 0);
}

static void reads_what_is_there(void)
{
	struct runtimes *runtimes = load_three();
	const struct runtime *python = runtimes_find(runtimes, "python");
	CLEANUP(free_p) char *env = realpath("/usr/bin/env", NULL);

	REQUIRE(python);
	CHECK_STR(python->about, "Snakes.");
	CHECK_STR(python->default_handler, "index.handler");
	CHECK(python->available);
	CHECK_STR(python->argv[0], env);
	CHECK_STR(python->argv[1], "-S");
	CHECK_STR(python->argv[2], "/opt/fnfs/runtime/shim.py");
	CHECK_STR(python->argv[3], NULL);
	CHECK_STR(python->extensions[0], "py");
	CHECK_STR(python->extensions[1], NULL);
	CHECK(strstr(python->path, "/r/python"));
	CHECK_STR(runtimes_at(runtimes, 0)->name, "python");
	CHECK_STR(runtimes_at(runtimes, 1)->name, "nodejs");
	CHECK_STR(runtimes_at(runtimes, 2)->name, "exec");
	CHECK(!runtimes_at(runtimes, 3));
	CHECK(!runtimes_find(runtimes, "perl"));
	CHECK_STR(runtimes_at(runtimes, 2)->default_handler, "main");
	runtimes_free(runtimes);
}

static void says_what_is_missing(void)
{
	struct runtimes *runtimes = load_three();
	const struct runtime *node = runtimes_find(runtimes, "nodejs");

	CHECK(!node->available);
	CHECK_STR(node->missing, "the runtime nodejs needs /usr/bin/no-such-node, which is not on "
	                         "this machine; type: sudo apt install nodejs");
	CHECK(runtimes_find(runtimes, "exec")->available);
	runtimes_free(runtimes);
	write_file("r/exec/shim", "", 0644);
	runtimes = load("%/r");
	CHECK(!runtimes_find(runtimes, "exec")->available);
	CHECK(strstr(runtimes_find(runtimes, "exec")->missing, "shim"));
	runtimes_free(runtimes);
}

static void an_interpreter_is_below_usr(void)
{
	struct runtimes *runtimes;

	write_file("o/home/runtime.json",
	        "{\"interpreters\":[\"/proc/self/exe\",\"/etc/passwd\"],\"argv\":[]}", 0644);
	runtimes = load("%/o");
	CHECK(!runtimes_find(runtimes, "home")->available);
	runtimes_free(runtimes);
}

static void the_first_on_the_path_wins(void)
{
	struct runtimes *runtimes = load_three();

	runtimes_free(runtimes);
	write_file("own/python/runtime.json",
	        "{\"about\":\"Mine.\",\"interpreters\":[\"/usr/bin/env\"],\"argv\":[]}", 0644);
	runtimes = load("%/own:/no/such/directory::%/r");
	CHECK_STR(runtimes_find(runtimes, "python")->about, "Mine.");
	CHECK_INT(runtimes_find(runtimes, "python")->order, 1000);
	CHECK_STR(runtimes_at(runtimes, 2)->name, "python");
	CHECK(!runtimes_at(runtimes, 3));
	runtimes_free(runtimes);
	runtimes = load("/no/such/directory");
	CHECK(!runtimes_at(runtimes, 0));
	runtimes_free(runtimes);
}

static void what_cannot_be_used_is_said_and_left_out(void)
{
	static const char *const bad[] = {"", "[]", "{", "{\"argv\":\"x\"}", "{\"argv\":[]}",
	        "{\"argv\":[1]}", "{\"name\":\"other\",\"argv\":[\"/usr/bin/env\"]}",
	        "{\"argv\":[\"/usr/bin/env\"],\"detect\":7}"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct runtimes *runtimes;

		sink[0] = 0;
		write_file("bad/broken/runtime.json", bad[i], 0644);
		write_file("bad/note.txt", "not a directory", 0644);
		runtimes = load("%/bad");
		CHECK(!runtimes_at(runtimes, 0));
		CHECK(strstr(sink, "/bad/broken/runtime.json"));
		CHECK(!strstr(sink, "note.txt"));
		runtimes_free(runtimes);
	}
}

static void finds_by_what_code_holds(void)
{
	struct runtimes *runtimes = load_three();

	clean_code();
	CHECK_STR(choose(runtimes, "auto", ""),
	        "code/ holds nothing that can be run: no index.py (python), no index.js (nodejs), "
	        "no index.mjs (nodejs), no executable main (exec)");
	write_file("code/main", "#!/bin/sh\n", 0644);
	CHECK_STR(choose(runtimes, "auto", ""),
	        "code/main is not executable; type: chmod +x code/main");
	write_file("code/main", "#!/bin/sh\n", 0755);
	CHECK_STR(choose(runtimes, "auto", ""), "exec");
	write_file("code/index.py", "", 0644);
	CHECK_STR(choose(runtimes, "auto", ""), "python");
	CHECK_STR(choose(runtimes, "exec", ""), "exec");
	runtimes_free(runtimes);
}

static void an_image_comes_before_all_else(void)
{
	struct runtimes *runtimes;

	write_file("images/image/runtime.json",
	        "{\"protocol\": \"image\", \"order\": 1, \"detect\": [\"image.tar\", "
	        "\"oci-layout\"]}",
	        0644);
	runtimes_free(load_three());
	runtimes = load("%/images:%/r");
	clean_code();
	write_file("code/index.py", "", 0644);
	CHECK_STR(choose(runtimes, "auto", ""), "python");
	write_file("code/image.tar", "", 0644);
	CHECK_STR(choose(runtimes, "auto", ""), "image");
	CHECK_STR(choose(runtimes, "python", ""), "python");
	clean_code();
	write_file("code/oci-layout", "", 0644);
	CHECK_STR(choose(runtimes, "auto", ""), "image");
	CHECK_STR(choose(runtimes, "image", ""), "image");
	CHECK(runtimes_find(runtimes, "image")->protocol == RUNTIME_IMAGE);
	CHECK(runtimes_find(runtimes, "image")->available);
	runtimes_free(runtimes);
}

static void a_handler_decides_first(void)
{
	struct runtimes *runtimes = load_three();

	clean_code();
	write_file("code/index.js", "", 0644);
	write_file("code/src/app.py", "", 0644);
	write_file("code/tool.mjs", "", 0644);
	write_file("code/bin/run.sh", "", 0755);
	CHECK_STR(choose(runtimes, "auto", "src/app.main"), "python");
	CHECK_STR(choose(runtimes, "auto", "src/app.py.main"), "python");
	CHECK(strstr(choose(runtimes, "auto", "index.handler"), "the runtime nodejs needs"));
	CHECK(strstr(choose(runtimes, "auto", "tool.run"), "the runtime nodejs needs"));
	CHECK(strstr(choose(runtimes, "auto", "nowhere.run"), "the runtime nodejs needs"));
	unlink("code/index.js");
	clean_code();
	write_file("code/bin/run.sh", "", 0755);
	CHECK_STR(choose(runtimes, "auto", "bin/run.sh"), "exec");
	write_file("code/bin/run.sh", "", 0644);
	CHECK_STR(choose(runtimes, "auto", "bin/run.sh"),
	        "code/bin/run.sh is not executable; type: chmod +x code/bin/run.sh");
	CHECK(strstr(choose(runtimes, "auto", ".py"), "holds nothing"));
	CHECK(strstr(choose(runtimes, "auto", "src.d/app"), "holds nothing"));
	runtimes_free(runtimes);
}

static void the_users_own_program_must_be_there(void)
{
	struct runtimes *runtimes;

	write_file("bare/bootstrap/runtime.json", bootstrap_json, 0644);
	runtimes_free(load_three());
	runtimes = load("%/bare:%/r");
	clean_code();
	CHECK(strstr(choose(runtimes, "bootstrap", ""), "there is no file code/bootstrap"));
	write_file("code/Bootstrap.sh", "", 0755);
	CHECK(strstr(choose(runtimes, "bootstrap", ""), "mv code/Bootstrap.sh code/bootstrap"));
	CHECK(strstr(choose(runtimes, "auto", ""), "must be named exactly bootstrap"));
	write_file("code/bootstrap", "", 0644);
	CHECK_STR(choose(runtimes, "auto", ""),
	        "code/bootstrap is not executable; type: chmod +x code/bootstrap");
	CHECK_STR(choose(runtimes, "bootstrap", ""),
	        "code/bootstrap is not executable; type: chmod +x code/bootstrap");
	write_file("code/index.py", "", 0644);
	CHECK_STR(choose(runtimes, "auto", ""), "python");
	write_file("code/bootstrap", "", 0755);
	CHECK_STR(choose(runtimes, "auto", ""), "bootstrap");
	CHECK(runtimes_find(runtimes, "bootstrap")->protocol == RUNTIME_BOOTSTRAP);
	CHECK_STR(runtimes_find(runtimes, "bootstrap")->working_directory, "/opt/function/code");
	CHECK(runtimes_find(runtimes, "python")->protocol == RUNTIME_FRAMES);
	CHECK_STR(runtimes_find(runtimes, "python")->working_directory, "/opt/function");
	runtimes_free(runtimes);
}

static void a_name_decides_alone(void)
{
	struct runtimes *runtimes = load_three();

	clean_code();
	CHECK_STR(choose(runtimes, "python", "anything"), "python");
	CHECK(strstr(choose(runtimes, "nodejs", ""), "apt install nodejs"));
	CHECK(strstr(choose(runtimes, "image", ""), "there is no runtime image"));
	CHECK(strstr(choose(runtimes, "perl", ""), "there is no runtime perl"));
	runtimes_free(runtimes);
}

static void links_do_not_lead_out(void)
{
	struct runtimes *runtimes = load_three();
	CLEANUP(free_p) char *link = NULL;

	clean_code();
	write_file("outside.py", "", 0644);
	REQUIRE(asprintf(&link, "%s/code/index.py", root) > 0);
	REQUIRE(symlink("../outside.py", link) == 0);
	CHECK(strstr(choose(runtimes, "auto", ""), "holds nothing"));
	unlink(link);
	REQUIRE(symlink("/etc/passwd", link) == 0);
	CHECK(strstr(choose(runtimes, "auto", ""), "holds nothing"));
	unlink(link);
	write_file("code/real.py", "", 0644);
	REQUIRE(symlink("real.py", link) == 0);
	CHECK_STR(choose(runtimes, "auto", ""), "python");
	unlink(link);
	REQUIRE(mkdir(link, 0755) == 0);
	CHECK(strstr(choose(runtimes, "auto", ""), "holds nothing"));
	CHECK(strstr(choose(runtimes, "auto", "../outside.x"), "holds nothing"));
	runtimes_free(runtimes);
}

static void without_memory_it_is_said(void)
{
	unsigned long n;

	runtimes_free(load_three());
	for (n = 0;; n++) {
		struct runtimes *runtimes = NULL;
		char path[4096];
		int r;

		snprintf(path, sizeof(path), "%s/r", root);
		heap_fail(n, 1);
		r = runtimes_load(&runtimes, path);
		if (!heap_end()) {
			CHECK_INT(r, 0);
			runtimes_free(runtimes);
			break;
		}
		CHECK(r == 0 || r == -ENOMEM);
		CHECK(!r == !!runtimes);
		runtimes_free(runtimes);
	}
	CHECK(n > 10);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(reads_what_is_there),
	        TEST(says_what_is_missing),
	        TEST(an_interpreter_is_below_usr),
	        TEST(the_first_on_the_path_wins),
	        TEST(what_cannot_be_used_is_said_and_left_out),
	        TEST(finds_by_what_code_holds),
	        TEST(an_image_comes_before_all_else),
	        TEST(a_handler_decides_first),
	        TEST(a_name_decides_alone),
	        TEST(links_do_not_lead_out),
	        TEST(the_users_own_program_must_be_there),
	        TEST(without_memory_it_is_said),
	        {},
	};
	int status;

	log_set_sink(collect, NULL);
	root = test_directory();
	status = test_main(tests, argc, argv);
	root = test_directory_remove(root);
	return status;
}
