/* SPDX-License-Identifier: Apache-2.0 */
#include "generate.h"
#include "choose.h"
#include "word.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST (1L << 44) /* a file can be on the disks one has */

const struct group groups[] = {
        {"chmod", "chmod chmod chmod fchmod stat access exec program chown write open"},
        {"chown", "chown chown chown fchown chmod stat access write"},
        {"ftruncate", "ftruncate ftruncate open write pread lseek chmod"},
        {"link", "link link link linkfd unlink rename stat"},
        {"mkdir", "mkdir mkdir rmdir list stat umask chmod"},
        {"mkfifo", "mkfifo mkfifo open read write unlink stat"},
        {"mknod", "mknod mknod mknod open unlink stat"},
        {"open", "open open open open close reopen unlink chmod stat read write"},
        {"posix_fallocate", "posix_fallocate fallocate fallocate pwrite pread lseek ftruncate"},
        {"rename", "rename rename rename rename mkdir link stat chmod"},
        {"rmdir", "rmdir rmdir mkdir chdir getcwd unlink list"},
        {"symlink", "symlink symlink readlink open stat lstat unlink"},
        {"truncate", "truncate truncate open write pread chmod stat"},
        {"unlink", "unlink unlink unlink open read write fstat reopen linkfd"},
        {"utimensat", "utimens utimens utimens futimens open chmod stat"},
        {"sticky", "chmod mkdir rename unlink rmdir chown open link"},
        {"setid", "chmod chown write truncate ftruncate mkdir open fchmod posix_fallocate pwrite"},
        {"access", "access access chmod chown mkdir stat open exec"},
        {"io", "pwrite pread write read writev readv lseek setappend copy sendfile open dup"},
        {"span", "pwrite fallocate ftruncate lseek pread copy fsync"},
        {"lock", "lock lock flock ofdlock getlock getlock open close dup"},
        {"mmap", "mmap store load load msync munmap pwrite pread ftruncate write"},
        {"directory", "list scan populate drain grow seekdirs open mkdir rmdir rename"},
        {"xattr", "setxattr getxattr listxattr removexattr chmod"},
        {"socket", "bind connect bind unlink rename close stat"},
        {"process", "chdir fchdir getcwd umask mkdir rename rmdir open program exec"},
        {"sync", "fsync fdatasync open write close rename statfs"},
};
const int groups_count = sizeof(groups) / sizeof(groups[0]);

/* What a world is built of, whatever the group. */
static const char building[] =
        "open open open write pwrite close close mkdir mkdir symlink link rename unlink chmod "
        "chown stat lstat list";

/* The first steps of every sequence. */
static const char founding[] = "mkdir mkdir mkdir open open open write symlink chmod program";
#define FOUNDING_STEPS 10

/*
 * Arguments that a call's own letters do not tell: 1 slot of a mapping, 2 place in it, 3 its length,
 * 4 yes or no, 5 a few, t a link's target, X an attribute's name, D a directory, P a name that is
 * likely free, o a name to open, Q what a mapping is for.
 */
static const struct {
	const char *call;
	const char *letters;
} finer[] = {{"mmap", "1fQM23"}, {"store", "1nn5"}, {"load", "1nn"}, {"msync", "14"},
        {"munmap", "1"}, {"setappend", "f4"}, {"populate", "D5"}, {"grow", "D5"}, {"list", "D"},
        {"drain", "D"}, {"seekdirs", "D"}, {"chdir", "D"}, {"rmdir", "D"}, {"symlink", "tP"},
        {"link", "pPx"}, {"rename", "pPR"}, {"mkdir", "Pm"}, {"mkfifo", "Pm"}, {"mknod", "Pkm"},
        {"bind", "fP"}, {"linkfd", "fP"}, {"setxattr", "pXX"}, {"getxattr", "pX"},
        {"removexattr", "pX"}, {"write", "fn5"}, {"program", "P5"}, {"open", "foOm"}, {NULL, NULL}};

static const char *letters_of(const struct call *call)
{
	int i;

	for (i = 0; finer[i].call; i++)
		if (strcmp(finer[i].call, call->name) == 0)
			return finer[i].letters;
	return call->letters;
}

static bool opens(const struct call *call)
{
	return strcmp(call->name, "open") == 0 || strcmp(call->name, "reopen") == 0 ||
	       strcmp(call->name, "dup") == 0 || strcmp(call->name, "bind") == 0;
}

/* A slot that is open, or for calls that fill one, empty; sometimes any. */
static long choose_slot(struct generator *generator, int actor, bool wanted)
{
	long slot = choose_below(&generator->state, HANDS_FILES);
	int i;

	if (choose_percent(&generator->state, 5))
		return slot;
	for (i = 0; i < HANDS_FILES; i++, slot = (slot + 1) % HANDS_FILES)
		if (generator->open[actor][slot] == wanted)
			break;
	return slot;
}

static long choose_map(struct generator *generator, int actor, bool wanted)
{
	long slot = choose_below(&generator->state, HANDS_MAPS);
	int i;

	for (i = 0; i < HANDS_MAPS; i++, slot = (slot + 1) % HANDS_MAPS)
		if (generator->mapped[actor][slot] == wanted)
			break;
	return slot;
}

/* Mostly a name that fits, sometimes any. */
static void choose_name(struct generator *generator, struct step *step, int i, char letter)
{
	struct argument *argument = &step->arguments[i];
	uint64_t *state = &generator->state;
	bool fresh = letter == 'P' || (letter == 'o' && choose_percent(state, 40));

	if (fresh && choose_percent(state, 75))
		hints_fresh(&generator->hints, state, argument->text, sizeof(argument->text));
	else if (!choose_percent(state, 80) ||
	         !hints_existing(&generator->hints, state, letter == 'D', argument->text,
	                 sizeof(argument->text)))
		choose_path(state, argument->text, sizeof(argument->text));
}

static void fill_argument(struct generator *generator, struct step *step, int i, char letter)
{
	struct argument *argument = &step->arguments[i];
	uint64_t *state = &generator->state;

	if (strchr("pPDo", letter))
		choose_name(generator, step, i, letter);
	else if (letter == 't')
		choose_target(state, argument->text, sizeof(argument->text));
	else if (letter == 'X')
		choose_attribute(state, argument->text, sizeof(argument->text));
	else if (letter == 'f')
		argument->number =
		        choose_slot(generator, step->actor, !(opens(step->call) && i == 0));
	else if (letter == '1')
		argument->number =
		        choose_map(generator, step->actor, strcmp(step->call->name, "mmap") != 0);
	else
		argument->number = choose_number(state, letter);
}

static long at_most(long number, long most)
{
	return number > most ? most : number;
}

/* The kernel's FUSE takes set-id bits away before the disk below says that no file is that long. */
static void keep_to_length(struct argument *offset, struct argument *length)
{
	if (offset->number > LONGEST)
		offset->number = 1L << 33;
	if (length->number > LONGEST)
		length->number = 1L << 20;
}

/* Licensed differences that cannot be imitated are left out. */
static void keep_to_licence(const struct generator *generator, struct step *step)
{
	const struct licence *licence = &generator->licence;
	const char *name = step->call->name;

	if (strcmp(name, "fallocate") == 0 && licence->collapse)
		step->arguments[1].number &= FALLOCATE_COMMON;
	if (strcmp(name, "fallocate") == 0 && licence->seek)
		keep_to_length(&step->arguments[2], &step->arguments[3]);
	if (strcmp(name, "posix_fallocate") == 0 && licence->seek)
		keep_to_length(&step->arguments[1], &step->arguments[2]);
	if (strcmp(name, "lseek") == 0 && licence->seek) {
		step->arguments[1].number = at_most(step->arguments[1].number, 1L << 40);
		step->arguments[2].number = at_most(step->arguments[2].number, SEEK_END);
	}
	if ((strcmp(name, "pwrite") == 0 || strcmp(name, "sendfile") == 0) && licence->seek)
		step->arguments[2].number = at_most(step->arguments[2].number, 1L << 40);
	if (strcmp(name, "copy") == 0 && licence->seek)
		step->arguments[3].number = at_most(step->arguments[3].number, 1L << 40);
	if (strcmp(name, "rename") == 0)
		step->arguments[2].number &= RENAME_COMMON;
	/* Of a file that is set-gid without group execution the kernel's FUSE does not refuse it. */
	if ((strcmp(name, "chown") == 0 || strcmp(name, "fchown") == 0) && licence->setgid &&
	        step->arguments[1].number < 0)
		step->arguments[1].number = 0;
}

static int count_true(const bool *flags, int count)
{
	int i, found = 0;

	for (i = 0; i < count; i++)
		found += flags[i];
	return found;
}

/* A call that works on what is open needs something open; and slots end. */
static const char *what_must_be_first(
        const struct generator *generator, const struct call *call, int actor)
{
	int open = count_true(generator->open[actor], HANDS_FILES);
	int mapped = count_true(generator->mapped[actor], HANDS_MAPS);
	const char *letters = letters_of(call);

	if (opens(call) && open == HANDS_FILES)
		return "close";
	if (strcmp(call->name, "mmap") == 0 && mapped == HANDS_MAPS)
		return "munmap";
	if (letters[0] == '1' && strcmp(call->name, "mmap") != 0 && mapped == 0)
		call = call_find("mmap");
	if (call->file && open == 0 && strcmp(call->name, "open") != 0)
		return "open";
	return call->name;
}

static const struct call *choose_call(struct generator *generator, int actor)
{
	const char *list = generator->group->calls;
	char name[32];
	const struct call *call;

	if (generator->made < FOUNDING_STEPS)
		list = founding;
	else if (choose_percent(&generator->state, 35))
		list = building;
	choose_of(&generator->state, list, name, sizeof(name));
	call = call_find(name);
	if (choose_percent(&generator->state, 95))
		call = call_find(what_must_be_first(generator, call, actor));
	return call;
}

/* In the beginning, things are made; later some directories are opened. */
static void found(struct generator *generator, struct step *step)
{
	if (strcmp(step->call->name, "open") != 0)
		return;
	if (generator->made >= FOUNDING_STEPS) {
		if (choose_percent(&generator->state, 12) &&
		        hints_existing(&generator->hints, &generator->state, true,
		                step->arguments[1].text, sizeof(step->arguments[1].text)))
			step->arguments[2].number = O_RDONLY | O_DIRECTORY;
		return;
	}
	step->arguments[2].number &= ~(O_DIRECTORY | O_PATH);
	step->arguments[2].number |= O_CREAT;
}

void generator_next(struct generator *generator, struct step *step)
{
	uint64_t *state = &generator->state;
	const char *letters;
	int i;

	memset(step, 0, sizeof(*step));
	step->actor = choose_percent(state, 20);
	step->call = choose_call(generator, step->actor);
	if (generator->users && choose_percent(state, generator->made < FOUNDING_STEPS ? 20 : 12))
		generator->user[step->actor] = choose_below(state, STEP_USERS);
	step->user = generator->user[step->actor];
	step->wordy = generator->wordy;
	letters = letters_of(step->call);
	for (i = 0; letters[i]; i++)
		fill_argument(generator, step, i, letters[i]);
	found(generator, step);
	keep_to_licence(generator, step);
	generator->made++;
}

void generator_told(
        struct generator *generator, const struct step *step, const struct answer *answer)
{
	long slot = step->arguments[0].number;

	if (answer->skipped || answer->error)
		return;
	hints_told(&generator->hints, step);
	if (opens(step->call))
		generator->open[step->actor][slot] = true;
	else if (strcmp(step->call->name, "close") == 0)
		generator->open[step->actor][slot] = false;
	else if (strcmp(step->call->name, "mmap") == 0)
		generator->mapped[step->actor][slot] = true;
	else if (strcmp(step->call->name, "munmap") == 0)
		generator->mapped[step->actor][slot] = false;
}
