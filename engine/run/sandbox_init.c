/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs-init: the first process inside a sandbox. It starts the runtime, collects orphans, tells the
 * guardian how the runtime ended, and goes, which ends whatever is left in its pid namespace. Small and
 * static, for it is started with every instance:
 *
 *	fnfs-init PROCESSES SOCKETS outbound|- PROGRAM [ARGUMENT]...
 *	fnfs-init PROCESSES 0 park
 *
 * Parked, it waits until it is told what to start (run/sandbox_order.h): the sandbox is made before anybody needs it.
 *
 * With SOCKETS above 0 the program speaks HTTP, and descriptor 3 is a Unix socket to the daemon, which
 * the program never sees. A socket belongs to the network it was made in, whoever holds it: so a
 * listening one (127.0.0.1:9001) and SOCKETS unconnected ones are made here and handed to the daemon, as packets
 * with descriptors ("L", "C"), before the program runs.
 *
 * With `outbound` the network gets a way out: its namespace goes to the guardian, and the program starts when
 * the guardian says that it is done.
 *
 * Messages to the guardian are packets on what was standard error until now, each with the sender's
 * pid attached by the kernel, so that the guardian learns pids of its own namespace:
 *
 *	\1n          init: this is my network (a descriptor of its namespace); answered with a packet
 *	\1w          init: I wait for an order
 *	\1p          the runtime's process, before its exec
 *	\1r          init: the runtime runs
 *	\1e STATUS   init: the runtime ended, as wait(2) said it
 *	text         it did not start, and this is why
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/sandbox_order.h"

enum { CHANNEL = 3, OUTPUT = 5, STATUS = 6 };

enum {
	API_PORT = 9001,
	BACKLOG = 1024,
	SOCKETS_AT_ONCE = 64, /* in one packet */
};

static void say(const char *text)
{
	if (send(STATUS, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(126); /* the guardian is gone, and so are we */
}

/* 0 in, 1 and 2 the output, 3 and 4 the channel; the rest is closed, and STATUS goes at exec. */
static void arrange_descriptors(void)
{
	if (dup2(2, STATUS) < 0 || fcntl(STATUS, F_SETFD, FD_CLOEXEC) < 0)
		_exit(126);
	if (dup2(OUTPUT, 1) < 0 || dup2(OUTPUT, 2) < 0)
		_exit(126);
	close(OUTPUT);
	close_range(STATUS + 1, ~0u, 0);
}

/* Counted within this user namespace alone, which is why it is set here and not before. */
static void limit_processes(const char *text)
{
	rlim_t count = strtoul(text, NULL, 10);

	if (count)
		setrlimit(RLIMIT_NPROC, &(struct rlimit){count + 1, count + 1});
}

static _Noreturn void give_up(const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
	say(text);
	_exit(127);
}

static void hand_out(int channel, struct iovec what, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SOCKETS_AT_ONCE * sizeof(int))];
	} control = {0};
	struct msghdr header = {.msg_iov = &what,
	        .msg_iovlen = 1,
	        .msg_control = &control,
	        .msg_controllen = CMSG_SPACE(count * sizeof(int))};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	while (sendmsg(channel, &header, MSG_NOSIGNAL) < 0) {
		/* Too many descriptors of this user are on their way: they will be taken. */
		if (errno != ETOOMANYREFS && errno != EINTR && errno != ENOBUFS)
			give_up("handing out descriptors");
		poll(NULL, 0, 1);
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

static int make_socket(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		give_up("making a socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int make_listener(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	        .sin_port = htons(API_PORT),
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = make_socket();

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		give_up("listening on 127.0.0.1:9001");
	return fd;
}

static void make_sockets(int count)
{
	const struct iovec listener = {"L", 1}, connections = {"C", 1};
	int fds[SOCKETS_AT_ONCE], made = 0;

	if (!count)
		return;
	fds[0] = make_listener();
	hand_out(CHANNEL, listener, fds, 1);
	for (int i = 0; i < count; i++) {
		fds[made++] = make_socket();
		if (made == SOCKETS_AT_ONCE || i + 1 == count) {
			hand_out(CHANNEL, connections, fds, (size_t)made);
			made = 0;
		}
	}
	close_range(CHANNEL, CHANNEL + 1, 0);
}

/* By descriptor: nobody outside may look into this process. */
static void await_way_out(void)
{
	int network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	char answer;

	if (network < 0)
		give_up("opening the network");
	hand_out(STATUS, (struct iovec){"\1n", 2}, &network, 1);
	while (recv(STATUS, &answer, 1, 0) != 1)
		if (errno != EINTR)
			_exit(126); /* the guardian is gone, and so are we */
}

/* --- the order of one that was parked --------------------------------------------------------- */

static char order_text[SANDBOX_ORDER_MAX];
static char *order_arguments[SANDBOX_ORDER_ARGS + 1];

static _Noreturn void serve(pid_t program);

static struct sandbox_order receive_order(int fds[SANDBOX_ORDER_FDS])
{
	struct sandbox_order order;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SANDBOX_ORDER_FDS * sizeof(int))];
	} control;
	struct iovec io = {order_text, sizeof(order_text)};
	struct msghdr header = {.msg_iov = &io,
	        .msg_iovlen = 1,
	        .msg_control = &control,
	        .msg_controllen = sizeof(control)};
	ssize_t length;

	do
		length = recvmsg(CHANNEL, &header, MSG_CMSG_CLOEXEC);
	while (length < 0 && errno == EINTR);
	if (length < (ssize_t)sizeof(order))
		_exit(126); /* nobody needs us any more */
	memcpy(&order, order_text, sizeof(order));
	if (order.program)
		serve((pid_t)order.program);
	if (order_text[length - 1] || !CMSG_FIRSTHDR(&header) ||
	        CMSG_FIRSTHDR(&header)->cmsg_len != CMSG_LEN(SANDBOX_ORDER_FDS * sizeof(int)))
		_exit(126);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&header)), SANDBOX_ORDER_FDS * sizeof(int));
	return order;
}

/* They may have the very numbers that they are to get. */
static void take_descriptors(const int fds[SANDBOX_ORDER_FDS])
{
	int high[SANDBOX_ORDER_FDS];

	for (int i = 0; i < SANDBOX_ORDER_FDS; i++)
		if ((high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, STATUS + 1)) < 0)
			give_up("arranging descriptors");
	if (dup2(high[0], CHANNEL) < 0 || dup2(high[1], CHANNEL + 1) < 0 || dup2(high[2], 1) < 0 ||
	        dup2(high[2], 2) < 0)
		give_up("arranging descriptors");
	close_range(STATUS + 1, ~0u, 0);
}

static char *next_word(char **place)
{
	char *word = *place;

	*place += strlen(word) + 1;
	return word;
}

static void take_environment(char *place, uint32_t count)
{
	clearenv();
	while (count--)
		if (putenv(next_word(&place)) != 0)
			give_up("taking the environment");
}

/* What the program's arguments are; the number of sockets is put where main() expects it. */
static char **await_order(int *sockets)
{
	struct sandbox_order order;
	int fds[SANDBOX_ORDER_FDS];
	char *place = order_text + sizeof(order), *directory;

	say("\1w");
	order = receive_order(fds);
	take_descriptors(fds);
	directory = next_word(&place);
	for (uint32_t i = 0; i < order.arguments && i < SANDBOX_ORDER_ARGS; i++)
		order_arguments[i] = next_word(&place);
	take_environment(place, order.variables);
	if (chdir(directory) < 0 || setenv("PWD", directory, 1) < 0)
		give_up(directory);
	*sockets = (int)order.sockets;
	return order_arguments;
}

static pid_t start_runtime(char **argv)
{
	volatile int error = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		say("\1p");
		setsid();
		execvp(argv[0], argv); /* has a slash; a script without #! is the shell's */
		error = errno;
		_exit(127);
	}
	if (pid < 0)
		error = errno;
	if (!error)
		return pid;
	errno = error;
	give_up(argv[0]);
}

static volatile pid_t terminated; /* who is sent the SIGTERM that we get */

/* Of the guardian alone, which has no pid in here; what is in here must not end us by ending each other. */
static void hand_on(int signal, siginfo_t *info, void *context)
{
	if (terminated > 0 && info->si_pid == 0)
		kill(terminated, signal);
}

/* The program came from outside, and its end is seen there; then, or before, we are killed. */
static _Noreturn void serve(pid_t program)
{
	terminated = program;
	sigaction(SIGTERM, &(struct sigaction){.sa_sigaction = hand_on, .sa_flags = SA_SIGINFO},
	        NULL);
	signal(SIGCHLD, SIG_IGN); /* orphans go by themselves */
	close_range(0, ~0u, 0);
	for (;;)
		pause();
}

/* Until the runtime itself has ended; orphans are collected on the way. */
static int wait_for(pid_t runtime)
{
	int status = 0;
	pid_t pid;

	do {
		pid = waitpid(-1, &status, 0);
	} while (pid != runtime && (pid > 0 || errno == EINTR));
	return status;
}

/* All go with us anyway; but only what is waited for counts in what the kernel says we used. */
static void end_the_rest(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		continue;
}

int main(int argc, char **argv)
{
	char text[32], **program = argv + 4;
	int sockets, status;
	pid_t runtime;

	if (argc < 5 && (argc < 4 || strcmp(argv[3], "park") != 0))
		return 126;
	arrange_descriptors();
	/* The code inside has our user id; nothing of ours is its business. */
	prctl(PR_SET_DUMPABLE, 0);
	limit_processes(argv[1]);
	sockets = atoi(argv[2]);
	if (strcmp(argv[3], "park") == 0)
		program = await_order(&sockets);
	make_sockets(sockets);
	if (strcmp(argv[3], "outbound") == 0)
		await_way_out();
	runtime = start_runtime(program);
	terminated = runtime;
	sigaction(SIGTERM, &(struct sigaction){.sa_sigaction = hand_on, .sa_flags = SA_SIGINFO},
	        NULL);
	say("\1r");
	close_range(0, STATUS - 1, 0);
	status = wait_for(runtime);
	terminated = 0;
	snprintf(text, sizeof(text), "\1e%d", status);
	say(text);
	end_the_rest();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
